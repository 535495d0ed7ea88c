"""Facts about the clocks of calls: windows that never became steady, and barriers that cost more than they should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from harness.answers.notes import CostlyBarrier, Note, UnsettledCalls
from harness.store.records import Record, records_of_complete_blocks
from harness.store.taints import concerning

BARRIER_SHARE = 0.01
"""An empty barrier beyond this share of a call is worth a note."""


def call_notes(records: Iterable[Record], subjects: Collection[str]) -> list[Note]:
    """Return the facts that there are: none where calls were steady and barriers cheap.

    Args:
        records: of a run, those of blocks included.
        subjects: names; the windows of others do not count, nor do those whose times stand in no sample.
    """
    windows = list(_windows(records, subjects))
    return [*_unsettled_note(windows), *_barrier_note(windows)]


_Window = tuple[str, Mapping[str, Any]]  # the place ("mlp-xs b1 on cpu") and the evidence of its steady calls


def _unsettled_note(windows: Sequence[_Window]) -> list[Note]:
    places = Counter(place for place, evidence in windows if not evidence["settled"])
    return [UnsettledCalls(places.total(), len(windows), tuple(places.most_common(3)))] if places else []


def _barrier_note(windows: Sequence[_Window]) -> list[Note]:
    costs: dict[str, list[tuple[float, float]]] = {}
    for place, evidence in windows:
        # Of batched calls only the last one is waited for.
        barrier_s = evidence["barrier_s"] / evidence["calls_per_reading"]
        costs.setdefault(place, []).append((barrier_s, evidence["window_medians_s"][-1]))
    shares = {place: median(barrier / call for barrier, call in pairs) for place, pairs in costs.items()}
    worst = max(shares, key=lambda place: shares[place], default="")
    if not worst or shares[worst] <= BARRIER_SHARE:
        return []
    return [CostlyBarrier(shares[worst], median(barrier for barrier, _ in costs[worst]), worst)]


def _windows(records: Iterable[Record], subjects: Collection[str]) -> Iterator[_Window]:
    """Yield every window of steady calls whose median counts: of complete blocks, and not tainted."""
    for record in records_of_complete_blocks(records):
        if record["status"] != "ok" or record["subject"] not in subjects:
            continue
        for name, evidence in (record.get("evidence") or {}).items():
            if not isinstance(evidence, dict) or "settled" not in evidence:
                continue
            if not concerning(record.get("taints") or (), f"{name.partition('_')[0]}_p50_s"):
                yield f"{record['cell']['model']} {name.rpartition('_')[2]} on {record['cell']['device']}", evidence
