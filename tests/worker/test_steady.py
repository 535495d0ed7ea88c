"""The steady-state rule on series whose truth is known: they settle early, late, never, or just seem to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from harness.worker import steady
from harness.worker.recorder import Recorder

pytestmark = pytest.mark.python


def _from(series: Callable[[int], float]) -> Callable[[], float]:
    """Return a timed call whose n-th call (from 0) takes `series(n)` seconds, without any of them passing."""

    def durations() -> Iterator[float]:
        n = 0
        while True:
            yield series(n)
            n += 1

    following = durations()
    return lambda: next(following)


def test_what_is_steady_from_the_start_costs_two_windows() -> None:
    found = steady.warm_up(_from(lambda n: 0.020), cap_s=10.0)
    assert found.settled
    assert len(found.durations_s) == 2 * steady.WINDOW_CALLS


def test_short_calls_fill_a_window_by_time() -> None:
    found = steady.warm_up(_from(lambda n: 0.001), cap_s=10.0)
    assert found.settled
    assert sum(found.durations_s) >= 2 * steady.WINDOW_S


def test_what_settles_late_is_waited_for() -> None:
    """Each call is 5 % faster than the one before until the 60th: no window before that is like the next."""
    found = steady.warm_up(_from(lambda n: 0.1 * 0.95 ** min(n, 60)), cap_s=60.0)
    assert found.settled
    assert len(found.durations_s) > 55
    assert steady.settled_call(found.durations_s, 0.1 * 0.95**60) is not None


def test_a_step_within_the_warm_up_starts_it_anew() -> None:
    found = steady.warm_up(_from(lambda n: 0.050 if n < 4 else 0.010), cap_s=60.0)
    assert found.settled
    assert found.medians_s[-1] == 0.010


def test_what_never_settles_ends_at_the_cap_and_says_so() -> None:
    found = steady.warm_up(_from(lambda n: 0.020 * 1.1**n), cap_s=2.0)
    assert not found.settled
    assert sum(found.durations_s) < 2.0 + steady.WINDOW_CALLS * max(found.durations_s)


def test_noise_of_short_calls_does_not_keep_a_steady_series_from_settling() -> None:
    """Log-normal calls with a standard deviation of 20 %, as seen for calls of a millisecond on shared cores."""
    generator = random.Random(1)
    early = [steady.warm_up(_from(lambda n: 0.001 * generator.lognormvariate(0, 0.2)), cap_s=10.0) for _ in range(200)]
    assert all(found.settled for found in early)
    assert sum(len(found.medians_s) == 2 for found in early) > 180


def test_a_slow_decline_that_two_windows_do_not_show_shows_in_the_timed_one() -> None:
    """From 2 ms towards 1 ms, by 1.3 % of what is left in 10 calls: windows in a row differ by 3 %."""
    series = _from(lambda n: 0.001 * (1 + 0.9987**n))
    assert steady.warm_up(series, cap_s=10.0).settled
    readings_s = [series() for _ in range(400)]
    assert steady.still_falling(readings_s)
    assert not steady.still_falling(readings_s[::-1])
    assert not steady.still_falling([0.001, 0.0012] * 50)


def test_the_settled_call_is_the_first_after_which_all_are_as_fast() -> None:
    series = [0.5, 0.1, 0.1, *([0.011] * 3), *([0.010] * 20)]
    assert steady.settled_call(series, 0.010) == 4
    assert steady.settled_call([0.010] * 10, 0.010) == 1
    assert steady.settled_call([0.020] * 10, 0.010) is None
    assert steady.settled_call([0.010] * 3, 0.010) is None


def test_a_neighbour_late_in_the_warm_up_does_not_move_the_settled_call() -> None:
    generator = random.Random(2)
    short_s = [1.4e-4 * generator.lognormvariate(0, 0.05) for _ in range(450)]
    short_s[:20] = [2.5e-4] * 20
    short_s[400:408] = [3e-4] * 8
    assert steady.settled_call(short_s, 1.4e-4) == 21


def test_calls_near_the_clocks_cost_are_read_several_at_once_and_have_no_percentiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steady, "clock_s", lambda: 1e-6)
    recorder = Recorder()
    steady.measure(recorder, "infer", lambda: time.sleep(1e-4), lambda: None, 0.05, batch=1)
    reported = {entry["metric"] for entry in recorder.metrics}
    absent = {entry["metric"]: entry["reason"] for entry in recorder.absent}
    calls = recorder.evidence["infer_b1"]["calls_per_reading"]
    assert 1 < calls <= 10
    assert {"infer_p50_s", "infer_barrier_s"} <= reported
    assert absent["infer_p90_s"] == absent["infer_p99_s"] == f"batched: {calls} calls to a reading"
