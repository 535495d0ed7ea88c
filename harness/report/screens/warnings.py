"""What a reader must know of the machine before the answer: it was disturbed, or is too noisy for what was asked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from harness.answers.comparison import Comparison
from harness.answers.notes import Said
from harness.metrics import Kind
from harness.report.numbers import count, percent
from harness.report.stored_sentences import is_disturbance, retold
from harness.report.wording import left_out_text
from harness.store.taints import CLOCK_TAINTS
from harness.verdict.rows import Reason, Row, Verdict

_MUCH_DISTURBED = 0.1
"""Share of the pairs lost to disturbances from which on the machine itself is in question."""
_NOISY = (Reason.TOO_NOISY, Reason.NEAR_MARGIN, Reason.MULTIPLICITY)
_UNTIMED = (Reason.NOT_MEASURED, Reason.NOT_JUDGED, Reason.FAILED)


def machine_warnings(comparison: Comparison) -> Iterator[str]:
    """Yield that the machine was disturbed, then that it is too noisy for the margin; each with what to do."""
    judged = [row for row in comparison.rows if row.judged]
    disturbed = _disturbed(comparison, judged)
    if disturbed:
        yield disturbed
    noisy = _too_noisy(judged, comparison)
    if noisy:
        yield noisy


def _disturbed(comparison: Comparison, judged: Sequence[Row]) -> str | None:
    lost = [row for row in judged if row.reason is Reason.ALL_TAINTED]
    said = [retold(note.text.removesuffix(".")) for note in comparison.notes if isinstance(note, Said)]
    said = [sentence for sentence in said if is_disturbance(sentence)]
    kept, dropped = (sum(getattr(row, name) or 0 for row in judged) for name in ("pairs", "pairs_dropped"))
    is_clock = any(kind in CLOCK_TAINTS for kind in comparison.taint_kinds)
    is_much = is_clock and dropped > _MUCH_DISTURBED * (kept + dropped)
    if not lost and not said and not is_much:
        return None
    told = (
        [f"The machine was disturbed. {left_out_text(comparison.tainted, comparison.taint_kinds)}"]
        if (comparison.tainted)
        else ["The machine was disturbed"]
    )
    told += [] if comparison.tainted else said
    if lost:
        told.append(f"{count(len(lost), 'comparison')} {'has' if len(lost) == 1 else 'have'} no undisturbed pair")
    told.append("Stop other programs and repeat; `savedmodel-bench doctor` checks the machine")
    return ". ".join(told) + "."


def _too_noisy(judged: Sequence[Row], comparison: Comparison) -> str | None:
    timed = [row for row in judged if row.kind is Kind.TIME and row.reason not in _UNTIMED]
    noisy = [row for row in timed if row.verdict is Verdict.INCONCLUSIVE and row.reason in _NOISY]
    if 2 * len(noisy) <= len(timed):
        return None
    seen = statistics.median(row.detectable_ratio or math.inf for row in noisy) - 1
    shown = f"Half of them could only show a change of {percent(seen)} or more. " if math.isfinite(seen) else ""
    helped = sum(row.blocks_needed is not None for row in noisy)
    if 2 * helped > len(noisy):
        what = "Measure more blocks (the command is below), or stop other programs"
    else:
        what = "More blocks would not help: stop other programs, use a quieter machine, or a larger --margin"
    blocks, times = count(comparison.blocks, "block"), count(len(timed), "comparison")
    return (
        f"This machine is too noisy for a margin of {percent(comparison.margin)} with {blocks}: {len(noisy)} of "
        f"{times} of times have no verdict. {shown}{what}."
    )
