"""Called rows grouped into findings."""

from __future__ import annotations

from dataclasses import replace

from harness.metrics import Kind
from harness.report.wording import Places, finding_text
from harness.verdict.findings import findings
from harness.verdict.rows import Method, Reason, Row, Verdict

SLOWER, FASTER = Verdict.REGRESSION, Verdict.IMPROVEMENT
MODELS = ("mlp-s", "mlp-m", "conv-s", "conv-m", "transformer-s", "transformer-m", "deep-s")


def row(model: str, ratio: float | None, verdict: Verdict = SLOWER, metric: str = "load_warm_s", **more: object) -> Row:
    plain = Row(
        metric=metric, unit="seconds", kind=Kind.TIME, device="cpu", model=model, variant="tf-module/tf-load",
        old=1.0, new=ratio or 0.0, ratio=ratio, low=None, high=None, p=0.001, q=0.01, verdict=verdict,
        reason=Reason.BEYOND_MARGIN, judged=True, margin=0.1, blocks=5, tainted=0, detectable_ratio=None,
        blocks_needed=None, method=Method.PAIRED_T, spread=0.02,
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def text(rows: list[Row]) -> str:
    (finding,) = findings(rows)
    return finding_text(finding, Places.of(rows))


def test_load_slower_in_seven_models_is_one_finding() -> None:
    rows = [row(model, 1.12 + 0.04 * place) for place, model in enumerate(MODELS)]
    (finding,) = findings(rows)
    assert finding.rows == tuple(rows)
    assert (finding.least_ratio, finding.most_ratio) == (1.12, 1.12 + 0.04 * 6)
    assert finding.worst.model == "deep-s"
    assert text(rows) == "load, warm page cache: slower in 7 models, +12.0 .. +36.0 %, most in deep-s (q 0.010)"


def test_verdicts_and_metrics_stay_apart_and_regressions_come_first() -> None:
    rows = [
        row("mlp-s", 0.7, FASTER),
        row("mlp-m", 1.3),
        row("mlp-s", 1.2, metric="save_first_s"),
        row("conv-s", 1.2),
        row("conv-m", 1.0, Verdict.SAME),
        row("deep-s", 1.5, Verdict.INCONCLUSIVE),
        row("deep-s", 1.5, judged=False),
    ]
    found = [(finding.verdict, finding.metric, len(finding.rows)) for finding in findings(rows)]
    assert found == [(SLOWER, "load_warm_s", 2), (SLOWER, "save_first_s", 1), (FASTER, "load_warm_s", 1)]


def test_the_least_sure_row_gives_the_findings_q() -> None:
    (finding,) = findings([row("mlp-s", 1.2, q=0.04), row("mlp-m", 1.3, q=0.001), row("conv-s", 1.3, q=None)])
    assert finding.q == 0.04
    assert findings([row("mlp-s", 1.2, q=None)])[0].q is None


def test_improvements_are_worst_where_they_are_largest() -> None:
    rows = [row("mlp-s", 0.5, FASTER), row("mlp-m", 0.9, FASTER)]
    (finding,) = findings(rows)
    assert (finding.worst.model, finding.least_ratio, finding.most_ratio) == ("mlp-s", 0.9, 0.5)
    assert text(rows) == "load, warm page cache: faster in 2 models, -50.0 .. -10.0 %, most in mlp-s (q 0.010)"


def test_a_row_that_left_zero_is_the_worst_and_breaks_no_range() -> None:
    counts = {"metric": "cell_failed", "unit": "cells", "kind": Kind.EXACT, "q": None}
    rows = [row("mlp-s", None, old=0.0, new=1.0, **counts), row("mlp-m", 3.0, **counts), row("mlp-m", 1.5, **counts)]
    (finding,) = findings(rows)
    assert (finding.worst.model, finding.least_ratio, finding.most_ratio) == ("mlp-s", 1.5, 3.0)
    assert text(rows[:1]) == "failed (retried once): more in mlp-s, from 0 (deterministic)"
    assert "3 rows of 2 models" in text(rows)


def test_nothing_called_is_no_finding() -> None:
    assert findings([]) == ()
    assert findings([row("mlp-s", 1.0, Verdict.SAME)]) == ()
