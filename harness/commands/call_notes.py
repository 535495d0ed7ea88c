"""What a report says about the clocks of calls: windows that never settled, and barriers that are worth telling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any

from harness.report.numbers import percent
from harness.store.records import Record

BARRIER_SHARE = 0.01
"""An empty barrier beyond this share of a call is told."""


def call_notes(records: Sequence[Record]) -> list[str]:
    """Return the sentences that there are reasons for; `records` are of the subjects that are compared."""
    return [*unsettled_note(records), *barrier_note(records)]


def unsettled_note(records: Iterable[Record]) -> list[str]:
    """Return one sentence if calls were timed that had not become steady, nothing otherwise."""
    windows, places = 0, Counter[str]()
    for place, evidence in _windows(records):
        windows += 1
        if not evidence["settled"]:
            places[place] += 1
    if not places:
        return []
    worst = ", ".join(f"{place} ({count} times)" for place, count in places.most_common(3))
    return [
        f"Calls had not become steady when the warm-up ended in {places.total()} of {windows} windows, most often "
        f"{worst}; their times stand as measured."
    ]


def barrier_note(records: Iterable[Record]) -> list[str]:
    """Return one sentence if waiting for nothing takes more than BARRIER_SHARE of a call, nothing otherwise."""
    costs: dict[str, list[tuple[float, float]]] = {}
    for place, evidence in _windows(records):
        # Of batched calls only the last one is waited for.
        barrier_s = evidence["barrier_s"] / evidence["calls_per_reading"]
        costs.setdefault(place, []).append((barrier_s, evidence["window_medians_s"][-1]))
    shares = {place: median(barrier / call for barrier, call in pairs) for place, pairs in costs.items()}
    worst = max(shares, key=lambda place: shares[place], default="")
    if not worst or shares[worst] <= BARRIER_SHARE:
        return []
    barrier_us = median(barrier for barrier, _ in costs[worst]) * 1e6
    return [
        f"The barrier after a call, with nothing to wait for, takes up to {percent(shares[worst])} of a call's time "
        f"({barrier_us:.1f} us of {worst}); it is inside the clock on both sides."
    ]


def _windows(records: Iterable[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place ("mlp-xs b1 on cpu") and the evidence of every window of steady calls."""
    for record in records:
        for name, evidence in (record.get("evidence") or {}).items():
            if isinstance(evidence, dict) and "settled" in evidence:
                yield f"{record['cell']['model']} {name.rpartition('_')[2]} on {record['cell']['device']}", evidence
