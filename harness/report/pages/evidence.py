"""The evidence of one comparison: its blocks as a figure, and what was made of them in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from harness.answers.comparison import Comparison
from harness.report import figures
from harness.report.document import Effect, Figure, Paragraph, Part, Tone
from harness.report.numbers import chance, count, interval, percent, quantity
from harness.report.wording import Places, change_text, reason_text, would_have_shown
from harness.verdict.rows import Reason, Row, Verdict

TONES = {Verdict.REGRESSION: Tone.WORSE, Verdict.IMPROVEMENT: Tone.BETTER}
EXACT = (Reason.CHANGED, Reason.CHANGED_WITHIN_MARGIN, Reason.EQUAL)


def tone(row: Row) -> Tone:
    """Return how a row's verdict is meant; what is the same, or open, has none."""
    return TONES.get(row.verdict, Tone.PLAIN) if row.judged else Tone.QUIET


def effect(row: Row) -> Effect:
    """Return a row's change as a picture; what is exact has no interval, and no margin worth a band."""
    if row.reason is Reason.FAILED:  # which is no change of a number
        return Effect(None, None, None, 0.0)
    is_open = row.verdict is Verdict.INCONCLUSIVE
    margin = 0.0 if row.reason in EXACT else row.margin
    return Effect(row.ratio, row.low, row.high, margin, TONES.get(row.verdict, Tone.PLAIN), is_open)


def evidence(row: Row, comparison: Comparison, places: Places) -> Iterator[Part]:
    """Yield what stands behind a row: a sentence, and its blocks where they differ."""
    yield Paragraph(_told(row), Tone.QUIET)
    pairs = comparison.pairs.get(row.key, ())
    values = {value for pair in pairs for value in (pair.old, pair.new)}
    if len(pairs) < 2 or row.reason in EXACT or len(values) < 3:
        return
    drawing = figures.Pairs(
        comparison.old.name,
        comparison.new.name,
        row.unit,
        tuple(figures.Pair(pair.block, pair.old, pair.new) for pair in pairs),
        row.ratio,
        row.low,
        row.high,
        row.margin,
        tone(row).value,
    )
    says = (
        f"Each pair is one block: {comparison.old.name} (hollow) and {comparison.new.name} (filled), measured one "
        "right after the other. Below: the change in each block, its mean with the 95 % interval, and the margin."
        if comparison.paired
        else f"{comparison.old.name} (hollow) and {comparison.new.name} (filled) were measured apart."
    )
    yield Figure(places.row(row), drawing, says)


def _told(row: Row) -> str:
    """Return what was measured and why the row has its verdict."""
    values = f"{quantity(row.old, row.unit)} to {quantity(row.new, row.unit)}, {change_text(row)}"
    bounds = f" (95 % interval {interval(row.low, row.high)})" if row.low is not None else ""
    verdict = {"same": "unchanged"}.get(row.verdict.value, row.verdict.value) if row.judged else "not tested"
    sure = f", q {chance(row.q)}" if row.q is not None else ""
    rest = [f"{count(row.blocks, 'block')}"]
    if row.tainted:
        rest.append(f"{count(row.tainted, 'disturbed measurement')} left out")
    if row.reason not in EXACT and row.judged:
        rest.append(f"a change up to {percent(row.margin)} is ignored")
        if row.verdict is Verdict.INCONCLUSIVE and would_have_shown(row):
            rest.append(f"a change of {would_have_shown(row).removeprefix('>= ')} would have been found")
        if row.verdict is Verdict.INCONCLUSIVE and row.blocks_needed is not None:
            rest.append(f"{row.blocks_needed} blocks would decide it")
    return f"{values}{bounds}: {verdict}, {reason_text(row)}{sure}. {'; '.join(rest)}."
