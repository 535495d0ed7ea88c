"""What "the same samples" means when the harness is compared with a plain asv suite.

Metrics: every judged metric of harness/metrics.py that the preset `quick` gives on a CPU, the host peaks of save and
load, and the artifact's bytes per parameter byte. Left out, to plain asv's advantage: CPU seconds, percentiles and
whatever else a steady window tells beside its median (asv would need further benchmarks for them; the harness gives
them in passing).

Samples: one number of one block (harness; the median, where a block has more than one reading) or of one process and
round (asv). Two blocks on one side are two rounds on the other. asv takes rounds of `time_` alone; a second reading of
`peakmem_` and `track_` takes a second `asv run` of these.

The clocks stand around the same calls on both sides, on the same models and the same wrapping. Where asv has no equal,
its nearest stands in: a steady call is the mean of 30 calls (harness: the median of all calls in the window), a host
peak is that of the whole process (harness: of the operation, above its baseline). The harness also checks outputs,
evicted pages and the machine's load; the plain suite checks nothing. Exact metrics must be equal in value as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from harness.metrics import METRICS, Kind, Metric, Scope

Row = tuple[str, str, int | None]
"""Metric, model ("-" where the metric has none) and batch."""

Samples = dict[Row, list[float]]

_SHOWN = ("artifact_bytes_per_parameter_byte",)
"""Not judged, yet given by both sides."""
_OPERATIONS = ("import", "save", "load", "infer")
_LEFT_OUT = ("save_durable_s", "outputs_not_bit_equal")  # not in quick; and plain asv checks nothing


def compared_metrics() -> tuple[Metric, ...]:
    """Return the metrics that both sides must give."""
    return tuple(
        metric
        for metric in METRICS.values()
        if metric.name in _SHOWN or (metric.judged and metric.kind is not Kind.ALLOCATOR)
        if metric.operation in _OPERATIONS and metric.name not in _LEFT_OUT
    )


def wanted(models: Iterable[str], batches: Iterable[int]) -> set[Row]:
    """Return the rows that both sides must give."""
    rows: set[Row] = set()
    for metric in compared_metrics():
        models_of = ["-"] if metric.scope in (Scope.SUBJECT, Scope.DEVICE) else models
        batches_of = batches if metric.scope is Scope.CALL else [None]
        rows |= {(metric.name, model, batch) for model in models_of for batch in batches_of}
    return rows


def harness_samples(records: Iterable[Mapping[str, Any]]) -> Samples:
    """Return one number a block and row, of all repeats, tainted ones included: asv knows no taints."""
    names = {metric.name: metric for metric in compared_metrics()}
    readings: dict[Row, dict[int, list[float]]] = {}
    for record in records:
        for entry in record.get("metrics") or []:
            metric = names.get(entry["metric"])
            if metric is not None:
                model = "-" if metric.scope in (Scope.SUBJECT, Scope.DEVICE) else record["cell"]["model"]
                blocks = readings.setdefault((metric.name, model, entry.get("batch")), {})
                blocks.setdefault(record["block"], []).append(entry["value"])
    return {row: [_median(values) for values in blocks.values()] for row, blocks in readings.items()}


def plain_row(benchmark: str, parameters: tuple[str, ...]) -> Row:
    """Return the row of an asv benchmark, as in `plain.Infer.time_infer` with ("'mlp-s'", "32")."""
    kind, _, name = benchmark.rpartition(".")[2].partition("_")
    model = parameters[0].strip("'") if parameters else "-"
    batch = int(parameters[1]) if len(parameters) > 1 else None
    match kind:
        case "time":
            return ("infer_p50_s" if name == "infer" else f"{name}_s", model, batch)
        case "peakmem":
            return f"{name}_host_peak_bytes", model, batch
        case _:
            return name, model, batch


def require_equal(rows: set[Row], harness: Samples, plain: Samples, count: int) -> None:
    """Check that both sides have `count` samples of each row and that exact values agree.

    Raises:
        AssertionError: they do not; the text names every difference.
    """
    flaws: Counter[str] = Counter()
    for row in sorted(rows | set(harness) | set(plain), key=str):
        ours, theirs = harness.get(row, []), plain.get(row, [])
        if row not in rows or len(ours) != count or len(theirs) != count:
            flaws[f"{row}: {len(ours)} samples by the harness, {len(theirs)} by plain asv, {count} wanted"] += 1
        elif METRICS[row[0]].kind is Kind.EXACT and len(set(ours + theirs)) != 1:
            flaws[f"{row}: {ours} by the harness, {theirs} by plain asv"] += 1
    if flaws:
        raise AssertionError("the two sides do not give the same samples: " + "; ".join(flaws))


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
