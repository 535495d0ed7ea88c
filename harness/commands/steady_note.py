"""What a report says about steady windows whose warm-up rule was never met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from harness.store.records import Record


def unsettled_note(records: Iterable[Record]) -> list[str]:
    """Return one sentence if calls were timed that had not become steady, nothing otherwise.

    Args:
        records: of the subjects that are compared.
    """
    windows, places = 0, Counter[str]()
    for record in records:
        for name, evidence in (record.get("evidence") or {}).items():
            if isinstance(evidence, dict) and "settled" in evidence:
                windows += 1
                if not evidence["settled"]:
                    places[f"{record['cell']['model']} {name.rpartition('_')[2]} on {record['cell']['device']}"] += 1
    if not places:
        return []
    worst = ", ".join(f"{place} ({count} times)" for place, count in places.most_common(3))
    return [
        f"Calls had not become steady when the warm-up ended in {places.total()} of {windows} windows, most often "
        f"{worst}; their times stand as measured."
    ]
