"""What a comparison of two sides found, in the order in which it is read: what is sure first, the rest last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from harness.answers.comparison import Comparison
from harness.answers.floors import multiples
from harness.answers.measured import Failure
from harness.answers.profiled import profiled
from harness.answers.shortfall import EXIT_CODE
from harness.report.comparison_data import comparison_data
from harness.report.document import (
    Chance,
    Change,
    Command,
    Document,
    Interval,
    Note,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tone,
    items,
    table,
)
from harness.report.floors import HEADING as FLOORS_HEADING
from harness.report.floors import multiple_text
from harness.report.headline import headline
from harness.report.notes import notes_text
from harness.report.numbers import change, count, interval, quantity
from harness.report.paths import shown_path
from harness.report.profiled import COLUMNS, HEADING, LEGEND, profiled_cells
from harness.report.sections import (
    Sections,
    blocks_to_ask_for,
    by_metric,
    failure_groups,
    failure_text,
    gained,
    lost,
    origin,
    sections,
)
from harness.report.sides import lock_section
from harness.report.wording import (
    Places,
    blocks_text,
    change_text,
    finding_text,
    medians_text,
    other_margin,
    same_within,
    shared_reason_text,
    would_have_shown,
)
from harness.report.work import work_sections
from harness.verdict.rows import Reason, Verdict
from harness.verdict.rows import Row as Judged

_MOST_FAILURES = 12
_TONES = {Verdict.REGRESSION: Tone.WORSE, Verdict.IMPROVEMENT: Tone.BETTER}

_HOW_TO_READ = (
    "How to read this: each row compares one metric for one model, device and batch size; lower is better. A "
    "regression is a slowdown or growth larger than the margin, an improvement the opposite. Verdicts are corrected "
    "for multiple testing: at most 5 % of the reported changes are expected to be false (q is the corrected p-value). "
    "Unchanged means that the change is shown to be smaller than the margin. All other rows are inconclusive; min. "
    "detectable is the smallest change that this run could have detected."
)


def report_comparison(
    comparison: Comparison, *, require_decision: bool = False, settle_command: Sequence[str] | None = None
) -> Report:
    """Return a comparison in words and tables.

    Args:
        comparison: what was measured and judged.
        require_decision: whether open rows make the exit code 2.
        settle_command: what measures these sides again, to which "--blocks N" is appended; None: nothing does.
    """
    parts = [*_top(comparison), *_body(comparison)]
    if settle_command is not None:
        parts += _settle(comparison, settle_command)
    return Report(
        "compare",
        Document(f"{comparison.old.name} to {comparison.new.name}", tuple(parts)),
        comparison_data(comparison),
        comparison.exit_code(require_decision),
        notes_text(comparison.notes),
        shortfall=comparison.shortfall,
    )


def report_bench(comparison: Comparison, *, settle_command: Sequence[str], next_commands: Sequence[Command]) -> Report:
    """Return what `make bench` says at its end: the comparison, where its results are, and what to run next.

    Args:
        comparison: what was measured and judged.
        settle_command: what measures these sides again, to which "--blocks N" is appended.
        next_commands: what a newcomer may want to run next.
    """
    judged = report_comparison(comparison, settle_command=settle_command)
    where = () if comparison.run_path is None else (Paragraph(shown_path(comparison.run_path)),)
    below = (
        *((Section("Results are saved in", where),) if where else ()),
        *((Section("What to run next", tuple(next_commands)),) if next_commands else ()),
        Paragraph(""),
        Paragraph(_HOW_TO_READ, Tone.QUIET),
    )
    document = Document(judged.document.title, (*judged.document.parts, *below))
    code = EXIT_CODE if judged.exit_code == EXIT_CODE else 0
    return Report("bench", document, judged.data, code, judged.notes, shortfall=judged.shortfall)


def failures(everything: Sequence[Failure]) -> Iterator[Section]:
    """Yield what failed and what is not supported; of each the first dozen, and how many more there are."""
    for status, heading in (("failed", "Failed"), ("unsupported", "Not supported")):
        found = failure_groups(failure for failure in everything if failure.status == status)
        if not found:
            continue
        texts = [failure_text(group) for group in found[:_MOST_FAILURES]]
        if len(found) > _MOST_FAILURES:
            texts.append(f"... and {len(found) - _MOST_FAILURES} more: --format json has all.")
        yield Section(heading, (items(texts, "failure"),), is_folded=status == "unsupported")


def _top(comparison: Comparison) -> Iterator[Part]:
    """Yield what stands first: the answer in words, what qualifies it, and how it was measured.

    Where too little was measured for an answer, that is said before it, unless something got worse: that stands.
    """
    answer, *more = headline(replace(comparison, shortfall=None), is_here=False)
    is_worse = any(row.judged and row.verdict is Verdict.REGRESSION for row in comparison.rows)
    shortfall = () if comparison.shortfall is None else (comparison.shortfall,)
    for text in (answer, *shortfall) if is_worse else (*shortfall, answer):
        yield Paragraph(text, Tone.STRONG)
    groups = failure_groups(failure for failure in comparison.failures if failure.status == "failed")
    failed = sum(len(group.cells) for group in groups)
    more += [f"{count(failed, 'operation')} failed; see Failed below."] if failed else []
    if more:
        yield items(more, "sentence")
    yield from map(Note, notes_text(comparison.notes))
    yield Paragraph(origin(comparison))
    parts = sections(comparison)
    if parts.places.legend:
        yield Paragraph(parts.places.legend, Tone.QUIET)
    if parts.findings:
        texts = (f"{finding_text(finding, parts.places)}." for finding in parts.findings)
        heading = "Changes (one line for each metric and direction)"
        yield Section(heading, (items(texts, "change"),))


def _body(comparison: Comparison) -> Iterator[Part]:
    """Yield the sections, the sure ones first; empty ones are left out."""
    parts = sections(comparison)
    yield from _exact(parts)
    places, blocks = parts.places, comparison.blocks - comparison.further
    for heading, rows in (
        ("Regressions: slower or larger by more than the margin", parts.regressions),
        ("Improvements: faster or smaller by more than the margin", parts.improvements),
    ):
        if rows:
            yield Section(heading, (_changes(rows, places, blocks),))
    yield from work_sections(comparison, places)
    if parts.same:
        heading = f"Unchanged, within {same_within(parts.same, comparison.margin)}"
        yield Section(heading, (_same(parts.same, places, comparison.margin),), True)
    for open_rows in parts.open.values():
        heading = f"Inconclusive: {shared_reason_text(open_rows)}"
        yield Section(heading, (_open(open_rows, places),), True)
    if parts.one_sided:
        heading = f"Measured in only one of the two releases: {len(parts.one_sided)}"
        yield Section(heading, (_one_sided(parts.one_sided, comparison),), True)
    if parts.shown:
        informational = count(len(parts.shown), "informational value")
        yield Paragraph("")
        yield Paragraph(f"Not shown: {informational}, not tested for change (--format json has all).")
    yield from _multiples(comparison)
    calls = profiled(*comparison.measured)
    if calls:
        rows_of_calls = ((places.place(one.place), *profiled_cells(one)) for one in calls)
        yield Section(HEADING, (table(("where",), COLUMNS, rows_of_calls), Paragraph(LEGEND)), True)
    yield from failures(comparison.failures)
    yield from lock_section(comparison)


def _settle(comparison: Comparison, command: Sequence[str]) -> Iterator[Section]:
    """Yield what would decide the open rows, nothing where there are none; `command` gets "--blocks N"."""
    open_rows = sections(comparison).open_rows
    if not open_rows:
        return
    parts: list[Part] = []
    asked = blocks_to_ask_for(open_rows)
    if asked is not None:
        blocks, settled = asked
        those = f"{settled} of the {count(len(open_rows), 'inconclusive comparison')}"
        parts += [
            Command(" ".join((*command, "--blocks", str(blocks)))),
            Paragraph(
                f"A run of {blocks} blocks should decide {those if len(open_rows) > 1 else 'it'}, provided that "
                "nothing really changed there."
            ),
        ]
    hopeless = [row for row in open_rows if row.blocks_needed is None and row.spread is not None]
    if hopeless:
        parts.append(
            Paragraph(
                f"{count(len(hopeless), 'comparison')} would need more than 200 blocks: the change is about as large "
                "as the margin, or this machine is too noisy. A quieter machine or a larger --margin would help."
            )
        )
    disturbed = [row for row in open_rows if row.reason is Reason.ALL_TAINTED]
    if disturbed:
        parts.append(
            Paragraph(
                f"{count(len(disturbed), 'comparison')} had no undisturbed pair of measurements: repeat this "
                "when nothing else runs on the machine."
            )
        )
    failed = [row for row in open_rows if row.reason is Reason.FAILED]
    if failed:
        both = count(len(failed), "comparison")
        parts.append(Paragraph(f"{both} failed in both releases: repair what Failed says, then repeat."))
    if any(row.reason is Reason.NO_COMMON_BLOCKS for row in open_rows):
        parts.append(Paragraph("Some comparisons have no block with both releases: repeat the measurement."))
    yield Section("To reach a verdict on what is inconclusive", tuple(parts))


def _exact(parts: Sections) -> Iterator[Section]:
    if not parts.changed_exactly and not parts.changed_within and not parts.equal:
        return
    found: list[Part] = []
    if parts.changed_exactly:
        found.append(_changes(parts.changed_exactly, parts.places))
    for metric, rows in by_metric(parts.changed_within).items():
        each = ", ".join(f"{parts.places.place(row)} {change_text(row)}" for row in rows)
        found.append(Paragraph(f"Changed by less than the threshold: {parts.places.title(metric)}: {each}."))
    if parts.equal:
        others = "other " if parts.changed_exactly or parts.changed_within else ""
        found.append(Paragraph(f"No difference in {count(len(parts.equal), others + 'value')}."))
    yield Section("Sizes and counts (identical in every block)", tuple(found))


def _changes(rows: Iterable[Judged], places: Places, blocks: int | None = None) -> Table:
    """Return a table of changes; `blocks` are the comparison's, None for exact rows, which have no interval."""
    numbers = ("old", "new", "change", *(() if blocks is None else ("95 % interval", "q")))
    return table(("what", "where"), numbers, (_change_row(row, places, blocks) for row in rows))


def _change_row(row: Judged, places: Places, blocks: int | None) -> Row:
    where = places.place(row) if blocks is None else places.place_and_blocks(row, blocks)
    values = (Quantity(row.old, row.unit), Quantity(row.new, row.unit), Change(row.ratio, change_text(row)))
    tone = _TONES.get(row.verdict, Tone.PLAIN)
    if blocks is None:
        return Row((places.title(row.metric), where, *values), tone)
    return Row((places.title(row.metric), where, *values, Interval(row.low, row.high), Chance(row.q)), tone)


def _same(rows: Iterable[Judged], places: Places, margin: float) -> Table:
    cells = []
    for metric, members in by_metric(rows).items():
        ratios = [row.ratio for row in members if row.ratio is not None]
        seen = change(ratios[0]) if len(ratios) == 1 else interval(min(ratios), max(ratios)) if ratios else ""
        told = ((places.place(row), filter(None, (other_margin(row, margin), medians_text(row)))) for row in members)
        each = ((place, "; ".join(notes)) for place, notes in told)
        where = ", ".join(f"{place} ({notes})" if notes else place for place, notes in each)
        cells.append((places.title(metric), where, seen))
    return table(("what", "where"), ("change",), cells)


def _open(rows: Iterable[Judged], places: Places) -> Table:
    numbers = ("change", "95 % interval", "min. detectable", "blocks needed")
    cells = (
        (
            places.title(row.metric),
            places.place_and_blocks(row, row.blocks),
            Change(row.ratio, change_text(row)),
            Interval(row.low, row.high),
            would_have_shown(row),
            blocks_text(row),
        )
        for row in rows
    )
    return table(("what", "where"), numbers, cells)


def _one_sided(rows: Sequence[Judged], comparison: Comparison) -> Table:
    places = Places.of(comparison.rows)
    cells = []
    # What the new side lost and what it gained stand apart, also where a metric has both.
    for some in (lost(rows), gained(rows)):
        for metric, members in by_metric(some).items():
            where = ", ".join(places.place(row) for row in members)
            unit = members[0].unit
            sides = (_side([row.old for row in members], unit), _side([row.new for row in members], unit))
            cells.append((places.title(metric), where, *sides))
    return table(("what", "where"), (comparison.old.name, comparison.new.name), cells)


def _side(values: list[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "n/a"
    return quantity(known[0], unit) if len(values) == 1 else f"measured in {len(known)}"


def _multiples(comparison: Comparison) -> Iterator[Section]:
    found = multiples(comparison.measured[1], comparison.floors)
    if not found:
        return
    places = Places.of(comparison.rows)
    cells = (
        (
            places.title(one.measured.metric),
            places.place(one.measured),
            Quantity(one.measured.value, one.measured.unit),
            Quantity(one.floor_s, "seconds"),
            multiple_text(one),
        )
        for one in found
    )
    numbers = (comparison.new.name, "lower bound", "ratio")
    yield Section(FLOORS_HEADING, (table(("what", "where"), numbers, cells),), True)
