"""What a night makes of what was known: states of findings, last good builds, and what wakes somebody."""

from __future__ import annotations

import pytest

from harness.metrics import Kind
from harness.verdict.confirmation import Standing
from harness.verdict.nights import (
    Concluded,
    Evidence,
    Known,
    Role,
    State,
    baselines,
    chosen_models,
    conclude,
)
from harness.verdict.rows import Method, Reason, Row, Verdict

KEY = ("load_warm_s", "cpu", "mlp-s", "tf-module/tf-load")
STABLE = "v2.21.0"


def row(verdict: Verdict, ratio: float = 1.0, low: float | None = None, high: float | None = None, key=KEY) -> Row:
    low, high = (ratio * 0.98 if low is None else low), (ratio * 1.02 if high is None else high)
    return Row(
        *key[:1], "seconds", Kind.TIME, *key[1:], 1.0, ratio, ratio, low, high, 0.001, 0.001, verdict,
        Reason.BEYOND_MARGIN, True, 0.05, 10, 0, 1.05, 10, Method.PAIRED_T, 0.01,
    )  # fmt: skip


def worse(baseline: str, ratio: float = 1.2, standing: Standing = Standing.CONFIRMED, key=KEY) -> Evidence:
    return Evidence(baseline, row(Verdict.REGRESSION, ratio, key=key), standing)


def same(baseline: str) -> Evidence:
    return Evidence(baseline, row(Verdict.SAME))


def undecided(baseline: str, low: float, high: float) -> Evidence:
    return Evidence(baseline, row(Verdict.INCONCLUSIVE, (low + high) / 2, low, high))


def night(known: Known, number: int, *evidence: Evidence, accepted: dict[str, str] | None = None) -> Concluded:
    return conclude(known, f"2026-11-{number:02}", f"b{number}", evidence, accepted)


def test_last_good_moves_on_with_each_night_that_shows_nothing():
    first = night(Known(), 1, same(STABLE))
    assert first.good == {KEY: "b1"}
    assert not first.findings
    second = night(first.known, 2, same("b1"), same(STABLE))
    assert second.good == {KEY: "b2"}
    assert night(second.known, 3, undecided("b2", 0.95, 1.08), same(STABLE)).good == {KEY: "b3"}


def test_a_row_that_leans_to_worse_keeps_its_last_good_build():
    known = Known(good={KEY: "b1"})
    assert night(known, 2, undecided("b1", 1.01, 1.09), same(STABLE)).good == {KEY: "b1"}


def test_a_row_that_was_not_measured_is_said_and_keeps_its_last_good_build():
    known = Known(good={KEY: "b1"})
    done = night(known, 2)
    assert done.good == {KEY: "b1"}
    assert done.unmeasured == (KEY,)
    assert night(known, 2, same(STABLE)).good == {KEY: "b1"}  # against another build only


def test_last_good_never_moves_past_a_confirmed_regression():
    known = Known(good={KEY: "b1"})
    for number in range(2, 6):
        done = night(known, number, worse("b1"), worse(STABLE))
        assert done.good == {KEY: "b1"}
        assert [one.state for one in done.findings] == [State.NEW if number == 2 else State.OPEN]
        assert done.is_alarm == (number == 2)
        known = done.known


def test_one_row_is_one_finding_told_against_the_last_good_build():
    done = night(Known(good={KEY: "b1"}), 2, worse("b1"), worse(STABLE, 1.5))
    (finding,) = done.findings
    assert (finding.baseline, finding.build, finding.ratio) == ("b1", "b2", 1.2)


def test_a_decline_too_slow_for_a_night_shows_against_the_stable_release():
    done = night(Known(good={KEY: "b1"}), 2, same("b1"), worse(STABLE, 1.07))
    (finding,) = done.findings
    assert finding.baseline == STABLE
    assert done.is_alarm
    assert done.good == {KEY: STABLE}


@pytest.mark.parametrize("standing", [Standing.UNDECIDED, Standing.UNCONFIRMED])
def test_a_call_that_is_not_confirmed_wakes_nobody_and_keeps_last_good(standing):
    done = night(Known(good={KEY: "b1"}), 2, worse("b1", standing=standing))
    assert not done.is_alarm
    assert not done.findings
    assert len(done.unconfirmed) == 1
    assert done.good == {KEY: "b1"}


def test_a_call_that_is_refuted_is_nothing():
    done = night(Known(good={KEY: "b1"}), 2, worse("b1", standing=Standing.REFUTED))
    assert not done.findings
    assert not done.unconfirmed
    assert done.good == {KEY: "b2"}


def test_gone_is_told_once_and_last_good_moves_on():
    known = night(Known(good={KEY: "b1"}), 2, worse("b1")).known
    third = night(known, 3, same("b1"), same(STABLE))
    assert [one.state for one in third.findings] == [State.GONE]
    assert not third.is_alarm
    assert third.good == {KEY: "b3"}
    assert third.known.findings == ()


def test_an_open_finding_that_is_inconclusive_or_not_measured_stays_open():
    known = night(Known(good={KEY: "b1"}), 2, worse("b1")).known
    assert night(known, 3, undecided("b1", 0.9, 1.3)).findings[0].state is State.OPEN
    unmeasured = night(known, 3).findings[0]
    assert unmeasured.state is State.OPEN
    assert not unmeasured.measured


def test_what_became_clearly_worse_is_a_finding_anew():
    known = night(Known(good={KEY: "b1"}), 2, worse("b1", 1.2)).known
    assert night(known, 3, worse("b1", 1.25)).findings[0].state is State.OPEN
    anew = night(known, 3, worse("b1", 1.6)).findings[0]
    assert anew.state is State.NEW
    assert anew.ident != known.findings[0].ident
    assert night(known, 3, worse("b1", 1.6, Standing.UNDECIDED)).findings[0].state is State.OPEN


def test_accepted_until_its_day_then_told_again_if_it_is_still_there():
    known = night(Known(good={KEY: "b1"}), 2, worse("b1")).known
    accepted = {known.findings[0].ident: "2026-11-04"}
    third = night(known, 3, worse("b1"), accepted=accepted)
    fourth = night(third.known, 4, worse("b1"), accepted=accepted)
    assert [one.findings[0].state for one in (third, fourth)] == [State.ACCEPTED] * 2
    fifth = night(fourth.known, 5, worse("b1"), accepted=accepted)
    assert fifth.findings[0].state is State.NEW
    assert fifth.is_alarm
    sixth = night(fifth.known, 6, worse("b1"), accepted=accepted)
    assert sixth.findings[0].state is State.OPEN
    assert not sixth.is_alarm
    assert night(fourth.known, 5, same("b1"), accepted=accepted).findings[0].state is State.GONE


def test_what_became_worse_than_accepted_is_told():
    known = night(Known(good={KEY: "b1"}), 2, worse("b1")).known
    accepted = {known.findings[0].ident: "2026-12-31"}
    assert night(known, 3, worse("b1", 1.6), accepted=accepted).findings[0].state is State.NEW


def test_baselines_are_the_commonest_last_good_build_one_of_the_others_and_the_stable_release():
    rows = {(f"m{place}", "cpu", "mlp-s", "x"): name for place, name in enumerate(["b3", "b3", "b3", "b1", "b1", "b2"])}
    known = Known(good=rows)
    assert baselines(known, STABLE, 2, {"b1": "2026-11-09", "b2": "2026-11-02"}) == {
        "b3": Role.LAST_GOOD, "b2": Role.LAST_GOOD, STABLE: Role.STABLE,
    }  # fmt: skip
    assert list(baselines(known, STABLE, 2, {"b1": "2026-11-02", "b2": "2026-11-09"})) == ["b3", "b1", STABLE]
    assert baselines(Known(), STABLE, 2) == {STABLE: Role.STABLE}


def test_a_budget_goes_to_what_has_findings_then_to_what_waited_longest():
    costs = {"a": 10.0, "b": 10.0, "c": 10.0, "d": 10.0}
    seen = {"a": "2026-11-03", "b": "2026-11-01", "c": "2026-11-02", "d": "2026-11-04"}
    assert chosen_models(costs, 25.0, {"d"}, seen) == ("b", "d")
    assert chosen_models(costs, 100.0, (), seen) == ("a", "b", "c", "d")
    assert chosen_models({**costs, "b": 30.0}, 25.0, (), seen) == ("a", "c")  # b has no room, however long it waits
    assert chosen_models({**costs, "c": 9.0}, 1.0, (), seen) == ("c",)
