"""Whether a fork measures what a spawned process measures: the same plan by both, metric by metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, log
from statistics import fmean, median
from typing import Any

from harness.metrics import METRICS, Kind

_Row = tuple[str, str, str, int | None]  # model, writer, operation, batch
HEADER = ("metric", "rows", "spawn / fork", "least", "most")


def isolation_rows(forked: Iterable[Mapping[str, Any]], spawned: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return for each judged time and host peak the geometric mean over its rows of spawned over forked, and its range.

    A row's number is the median over its repeats in one block, tainted ones included on both sides.
    """
    fork, spawn = _medians(forked), _medians(spawned)
    lines = []
    for name, rows in fork.items():
        others = spawn.get(name, {})
        ratios = [others[row] / value for row, value in rows.items() if value > 0 and others.get(row, 0) > 0]
        if ratios:
            mean = exp(fmean(log(ratio) for ratio in ratios))
            lines.append((name, str(len(ratios)), f"{mean:.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"))
    return lines


def _medians(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[_Row, float]]:
    readings: dict[str, dict[_Row, list[float]]] = {}
    for record in records:
        cell = record.get("cell")
        for entry in record.get("metrics") or []:
            metric = METRICS.get(entry["metric"])
            if cell and metric and (metric.kind is Kind.HOST_MEMORY or (metric.kind is Kind.TIME and metric.judged)):
                row = cell["model"], cell["writer"], record["operation"], entry.get("batch")
                readings.setdefault(metric.name, {}).setdefault(row, []).append(entry["value"])
    return {name: {row: median(values) for row, values in rows.items()} for name, rows in readings.items()}
