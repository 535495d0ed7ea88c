"""What became of runs that were merged into the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.report.document import Document, Paragraph, Part, Report, Section, items, table
from harness.report.numbers import count
from harness.report.paths import shown_path
from harness.store.merging import Fate, Merged, refused_of

EXIT_CODE = 3

_SAID = {
    Fate.ADDED: "added",
    Fate.REPLACED: "replaced, because it has more of the same run",
    Fate.PRESENT: "already there",
    Fate.REFUSED: "refused",
}


def report_merged(merged: Sequence[Merged]) -> Report:
    """Return which runs were added, replaced, already there or refused; exit code 3 if any was refused."""
    counts = Counter(one.fate for one in merged)
    said = "; ".join(f"{counts[fate]} {text}" for fate, text in _SAID.items() if counts[fate])
    parts: list[Part] = [Paragraph(f"{count(len(merged), 'run')}: {said}.")]
    refused = refused_of(merged)
    if refused:
        parts.append(Section("Refused", (items(f"{shown_path(one.source)} {one.reason}." for one in refused),)))
    rows = [(str(one.machine), str(one.run), _SAID[one.fate]) for one in merged if one.fate is not Fate.REFUSED]
    if rows:
        parts.append(Section("Runs", (table(("machine", "run"), ("outcome",), rows),)))
    return Report("results", Document(None, tuple(parts)), {"runs": [_data(one) for one in merged]}, _code(merged))


def _code(merged: Sequence[Merged]) -> int:
    return EXIT_CODE if refused_of(merged) else 0


def _data(one: Merged) -> dict[str, Any]:
    return {
        "source": str(one.source),
        "machine": one.machine,
        "run": one.run,
        "fate": one.fate.value,
        "reason": one.reason,
    }
