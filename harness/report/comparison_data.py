"""A comparison as plain data, for programs: fields may be added; none changes its meaning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.answers.comparison import Comparison
from harness.answers.floors import Multiple, multiples
from harness.answers.profiled import lower_bounds
from harness.answers.work import Work
from harness.report.paths import shown_path
from harness.report.wording import Placed, detail_text, direction
from harness.report.work import work_data
from harness.verdict.findings import Finding, findings
from harness.verdict.rows import Row


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Return what is in a comparison beside its notes and exit code.

    Times are in seconds, memory in bytes; `ratio`, `low`, `high`, `detectable_ratio` are new / old; `margin` and
    `spread` are fractions; `blocks_needed` counts blocks in all; `taint_kinds` says how many of the `tainted` repeats
    have each kind of taint; `lower_bounds` names the sides of a row ("old", "new") of which no more is known than that
    they are at least so large; `estimator` says how a block's difference is made of its pairs, of which there were
    `pairs`, and `pairs_dropped` rounds that a taint, failure or retry kept from being one (null where a row is not
    judged by pairs), `process_pairs` how many pairs of processes took turns in slices (null where none did),
    `borrowed_freedom` the degrees of freedom that like rows add to a row's own; `work` holds the row's Python calls,
    counted apart, by the modules that changed most, and says which of clock and counter settled the row; `shortfall`
    says why too little was measured for an answer.
    """
    bounds = lower_bounds(*comparison.measured)
    return {
        "old": asdict(comparison.old),
        "new": asdict(comparison.new),
        "machine": dict(comparison.machine),
        "preset": comparison.preset,
        "blocks": comparison.blocks,
        "further": comparison.further,
        "paired": comparison.paired,
        "findings": [_finding(finding) for finding in findings(comparison.rows)],
        "rows": [_row(row, bounds.get(row.key, []), comparison.work.get(row.key)) for row in comparison.rows],
        "failures": [asdict(failure) for failure in comparison.failures],
        "shortfall": comparison.shortfall,
        "tainted": comparison.tainted,
        "taint_kinds": dict(comparison.taint_kinds),
        "floors": [dict(floor) for floor in comparison.floors],
        "multiples": [_multiple(found) for found in multiples(comparison.measured[1], comparison.floors)],
        "run": None if comparison.run_path is None else shown_path(comparison.run_path),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """Return a finding: its rows by their keys, `least_ratio` to `most_ratio` by size of the change, the largest q."""
    return {
        "verdict": finding.verdict.value,
        "metric": finding.metric,
        "direction": direction(finding),
        "least_ratio": finding.least_ratio,
        "most_ratio": finding.most_ratio,
        "q": finding.q,
        "worst": _place(finding.worst),
        "rows": [_place(row) for row in finding.rows],
    }


def _place(row: Placed) -> dict[str, str]:
    return {"device": row.device, "model": row.model, "variant": row.variant}


def _row(row: Row, bounds: list[str], work: Work | None) -> dict[str, Any]:
    """Return a row; `bounds` names its sides, "old" or "new", whose values are lower bounds."""
    return {
        "metric": row.metric,
        "unit": row.unit,
        "device": row.device,
        "model": row.model,
        "variant": row.variant,
        "old": row.old,
        "new": row.new,
        "ratio": row.ratio,
        "low": row.low,
        "high": row.high,
        "q": row.q,
        "verdict": row.verdict.value,
        "reason": row.reason.value,
        "judged": row.judged,
        "blocks": row.blocks,
        "tainted": row.tainted,
        "p": row.p,
        "margin": row.margin,
        "method": row.method.value,
        "spread": row.spread,
        "detectable_ratio": row.detectable_ratio,
        "blocks_needed": row.blocks_needed,
        "detail": detail_text(row),
        "lower_bounds": bounds,
        "estimator": row.estimator,
        "pairs": row.pairs,
        "pairs_dropped": row.pairs_dropped,
        "borrowed_freedom": row.borrowed_freedom,
        "process_pairs": row.process_pairs,
        "work": work_data(work),
    }


def _multiple(found: Multiple) -> dict[str, Any]:
    """Return how many times its floor an operation of the new side takes."""
    return {
        "metric": found.measured.metric,
        **_place(found.measured),
        "new": found.measured.value,
        "floor": found.floor,
        "floor_s": found.floor_s,
        "times": found.times,
    }
