"""Steady state by rule: call until the median of a window stops moving, then time calls (docs/methodology.md)."""

from __future__ import annotations

import gc
import time
from typing import Any, Callable, Dict, List, Optional

import numpy as np

from harness.worker.recorder import Recorder

WINDOW_CALLS = 3
WINDOW_S = 0.05
"""A window of the warm-up has at least this many calls and lasts at least this long."""
TOLERANCE = 0.10
"""Steady: the medians of two windows in a row differ by at most this share of the earlier one. Windows that short
have medians with a standard deviation of 2 to 5 % (measured on two shared cores), so less would ask for luck."""
CAP = 4.0
"""The warm-up ends after this many times the timed window, settled or not: a call that never settles is reported so."""
FEWEST_CALLS = 10
CALLS_FOR_P99 = 100
CLOCK_SHARE = 0.001
"""Calls are batched, several to one reading, until reading the clock is at most this share of a reading."""
SETTLED_CALLS = 5
SETTLED_S = 0.01
"""A running median for the call that settles spans at least so many calls and seconds: of shorter ones, a handful that
a neighbour slowed late in the warm-up would be taken for its end."""


class WarmUp:
    """The calls before the steady window: all durations, and whether the rule was met."""

    __slots__ = ("durations_s", "medians_s", "settled")

    def __init__(self) -> None:
        self.durations_s: List[float] = []
        self.medians_s: List[float] = []
        self.settled = False


def warm_up(timed_call: Callable[[], float], cap_s: float) -> WarmUp:
    """Call until the median of a window stops moving, or `cap_s` seconds of calls have passed.

    Args:
        timed_call: makes one call and returns its seconds; the rule sees no other clock.
        cap_s: seconds of calls after which no further window begins. There always are two windows.
    """
    found = WarmUp()
    while len(found.medians_s) < 2 or not (found.settled or sum(found.durations_s) >= cap_s):
        window: List[float] = []
        while len(window) < WINDOW_CALLS or sum(window) < WINDOW_S:
            window.append(timed_call())
        found.durations_s += window
        found.medians_s.append(float(np.median(window)))
        if len(found.medians_s) > 1:
            before, last = found.medians_s[-2:]
            found.settled = abs(last - before) <= TOLERANCE * before
    return found


def settled_call(durations_s: List[float], steady_s: float) -> Optional[int]:
    """Return the number (from 1) of the call from which on calls are as fast as in the steady state.

    That is the first call within the tolerance above `steady_s` after which no running median leaves it again: some
    slow calls do not count, they are what the percentiles tell. None: not within these calls.
    """
    limit_s = steady_s * (1 + TOLERANCE)
    span = max(SETTLED_CALLS, int(np.ceil(SETTLED_S / steady_s)))
    span = min(span, max(SETTLED_CALLS, len(durations_s) // 4))
    medians = [np.median(durations_s[i : i + span]) for i in range(len(durations_s) - span + 1)]
    slow = [i for i, median in enumerate(medians) if median > limit_s]
    first = slow[-1] + 1 if slow else 0
    fast = [i for i, seconds in enumerate(durations_s) if i >= first and seconds <= limit_s]
    return fast[0] + 1 if first < len(medians) and fast else None


def still_falling(readings_s: List[float]) -> bool:
    """Return whether the later half of a timed window is faster than the earlier one by more than the tolerance.

    A decline too slow for two windows of the warm-up to show shows here, where it lasts.
    """
    half = len(readings_s) // 2
    return bool(np.median(readings_s[half:]) < (1 - TOLERANCE) * np.median(readings_s[:half]))


def clock_s() -> float:
    """Return the seconds that reading the clock adds to a reading: the median of 201 empty ones."""
    clock = time.perf_counter_ns
    empty = []
    for _ in range(201):
        start = clock()
        empty.append(clock() - start)
    return float(np.median(empty)) / 1e9


def barrier_s(barrier: Callable[[], None]) -> float:
    """Return the seconds of the barrier when nothing is left to wait for: the median of 51."""
    clock = time.perf_counter_ns
    empty = []
    for _ in range(51):
        start = clock()
        barrier()
        empty.append(clock() - start)
    return float(np.median(empty)) / 1e9


def measure(
    recorder: Recorder,
    metric: str,
    call: Callable[[], Any],
    barrier: Callable[[], None],
    window_s: float,
    batch: int,
    way: Optional[str] = None,
    made: int = 0,
) -> Any:
    """Warm up by the rule, time calls for `window_s` seconds, report them, and return the last output.

    Reports `<metric>_p50_s`, `_p90_s`, `_p99_s`, `_min_s`, `_mad_s`, `_item_s`, `_cpu_s`, `_barrier_s` and
    `_settled_call`, all at `batch` and for `way`; a call's seconds include the barrier after it, `_barrier_s` is one
    with nothing to wait for. Stores the rule's outcome as evidence.
    `made` calls at this batch size came before, and are counted in `_settled_call`.
    """
    clock = time.perf_counter_ns
    output: Any = None
    barrier()

    def timed_call() -> float:
        nonlocal output
        start = clock()
        output = call()
        barrier()
        return (clock() - start) / 1e9

    with recorder.phase(f"warm-up, batch {batch}", "warm-up"):
        warm = warm_up(timed_call, window_s * CAP)
        cost_s, wait_s = clock_s(), barrier_s(barrier)
        calls = max(1, int(np.ceil(cost_s / CLOCK_SHARE / warm.medians_s[-1])))
        gc.collect()
    readings_s: List[float] = []
    with recorder.phase(f"steady, batch {batch}") as interval:
        end = clock() + int(window_s * 1e9)
        while len(readings_s) < FEWEST_CALLS or clock() < end:
            start = clock()
            for _ in range(calls):
                output = call()
            barrier()
            readings_s.append((clock() - start) / 1e9 / calls)
    _report(recorder, metric, readings_s, calls, batch, way)
    recorder.report(metric + "_barrier_s", wait_s, batch, way)
    recorder.report(metric + "_cpu_s", interval.cpu_s / (len(readings_s) * calls), batch, way)
    # The warm-up ends when calls are steady: however long they are timed then, only the first may still belong to it.
    # Batched readings are no single calls.
    series_s = warm.durations_s + (readings_s[:FEWEST_CALLS] if calls == 1 else [])
    settled = settled_call(series_s, float(np.median(readings_s)))
    if settled is None:
        recorder.report_absent(metric + "_settled_call", f"not-settled: within {len(series_s)} calls", batch, way)
    else:
        recorder.report(metric + "_settled_call", made + settled, batch, way)
    evidence: Dict[str, Any] = {
        "settled": warm.settled and not still_falling(readings_s),
        "warm_up_calls": len(warm.durations_s),
        "window_medians_s": warm.medians_s,
        "readings": len(readings_s),
        "calls_per_reading": calls,
        "clock_s": cost_s,
        "barrier_s": wait_s,
    }
    recorder.evidence["_".join(filter(None, (metric, way, f"b{batch}")))] = evidence
    return output


def _report(
    recorder: Recorder, metric: str, readings_s: List[float], calls: int, batch: int, way: Optional[str]
) -> None:
    p50 = float(np.median(readings_s))
    recorder.report(metric + "_p50_s", p50, batch, way)
    for name, percentile, fewest in (("_p90_s", 90, FEWEST_CALLS), ("_p99_s", 99, CALLS_FOR_P99)):
        if calls > 1:
            # The slowest of several calls hides in their mean.
            recorder.report_absent(metric + name, f"batched: {calls} calls to a reading", batch, way)
        elif len(readings_s) < fewest:
            recorder.report_absent(metric + name, f"under-{fewest}-calls", batch, way)
        else:
            recorder.report(metric + name, float(np.percentile(readings_s, percentile)), batch, way)
    recorder.report(metric + "_min_s", min(readings_s), batch, way)
    recorder.report(metric + "_mad_s", float(np.median(np.abs(np.asarray(readings_s) - p50))), batch, way)
    recorder.report(metric + "_item_s", p50 / batch, batch, way)
