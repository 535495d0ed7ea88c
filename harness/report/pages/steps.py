"""Steps from one release to the next: the newest as the answer, and all of them in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.comparison import Comparison
from harness.report.document import Answer, Cell, Column, Lines, Paragraph, Part, Row, Section, Table, Tone
from harness.report.numbers import count
from harness.report.pages.comparison import tally_of
from harness.report.pages.comparison_tables import findings_table
from harness.report.pages.finding_words import answer_sentences
from harness.report.wording import Places
from harness.verdict.findings import findings
from harness.verdict.rows import Verdict

_FEWEST = 4
"""Blocks that a comparison has to have for its answer to stand first: below no time is judged."""


def steps_top(comparisons: Sequence[Comparison]) -> Iterator[Part]:
    """Yield the newest step as the answer, beside it the largest one of those before, then every step in a table."""
    newest = _newest(comparisons)
    if newest is None:
        yield Answer(("No run holds two releases, so no change can be judged.",))
        return
    sentences = [
        f"{_named(newest)}: {_lower(one)}" if not at else one for at, one in enumerate(answer_sentences(newest))
    ]
    judged = [one for one in comparisons if one.blocks >= _FEWEST and one is not newest]
    largest = max(judged, key=_worse, default=None)
    if largest is not None and _worse(largest) > _worse(newest):
        before = answer_sentences(largest)
        sentences.append(f"The largest step before was from {_named(largest)}: {_lower(before[0])}")
        sentences += before[1:2]
    yield Answer(tuple(sentences))
    yield tally_of(newest)
    yield from _steps(comparisons)


def _named(comparison: Comparison) -> str:
    old, new = (side.name.removeprefix("v") for side in (comparison.old, comparison.new))
    return f"{old} to {new}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _worse(comparison: Comparison) -> int:
    return sum(row.judged and row.verdict is Verdict.REGRESSION for row in comparison.rows)


def _newest(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Return the comparison of the newest release that has enough blocks, of several the one with most rows."""
    judged = [one for one in comparisons if one.blocks >= _FEWEST] or list(comparisons)
    return max(judged, key=lambda one: (_version(one.new.name), one.blocks, len(one.rows)), default=None)


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in name.removeprefix("v").split("."))


def _steps(comparisons: Sequence[Comparison]) -> Iterator[Section]:
    """Yield each pair of neighbours with its verdicts: those with enough blocks for times, the others folded."""
    ordered = sorted(comparisons, key=lambda one: _version(one.new.name), reverse=True)
    judged = [one for one in ordered if one.blocks >= _FEWEST]
    brief = [one for one in ordered if one.blocks < _FEWEST]
    says = "Neighbouring releases, each pair compared in the newest run that holds both. Open one to see what changed."
    parts: list[Part] = [Paragraph(says, Tone.QUIET)]
    parts += [_steps_table(judged)] if judged else []
    if brief:
        heading = f"With fewer than {_FEWEST} blocks, too few to judge a time: {count(len(brief), 'pair')}"
        parts.append(Section(heading, (_steps_table(brief),), True, anchor="steps brief"))
    if ordered:
        yield Section("Release by release", tuple(parts), anchor="steps")


def _steps_table(comparisons: Sequence[Comparison]) -> Table:
    rows = []
    for one in comparisons:
        places, found, tally = Places.of(one.rows), findings(one.rows), tally_of(one)
        details: tuple[Part, ...] = (Paragraph(" ".join(answer_sentences(one))),)
        details += (findings_table(found, one, places),) if found else ()
        cells: tuple[Cell, ...] = (
            Lines((f"{one.old.name} to {one.new.name}", f"test plan {one.preset}")),
            tally.worse,
            tally.better,
            tally.same,
            tally.open,
            one.blocks,
        )
        tone = Tone.WORSE if tally.worse else Tone.BETTER if tally.better else Tone.PLAIN
        rows.append(Row(cells, tone, details, f"step {one.old.name} {one.new.name} {one.preset}"))
    numbers = ("worse", "better", "unchanged", "inconclusive", "blocks")
    columns = (Column("from one release to the next"), *(Column(name, True) for name in numbers))
    return Table(columns, tuple(rows), name="steps")
