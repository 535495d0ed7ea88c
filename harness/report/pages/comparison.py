"""A comparison as a page: the answer in words, what changed, the evidence, and every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.answers.comparison import Comparison
from harness.answers.notes import BlocksAdded, Looked, OwnInterpreters, SidesDiffer, Unpaired
from harness.answers.profiled import profiled
from harness.report.cases import comparison_cases
from harness.report.comparison import failures
from harness.report.document import (
    Answer,
    Cell,
    Chance,
    Change,
    Column,
    Command,
    Difference,
    Document,
    Interval,
    Lines,
    Note,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tally,
    Tone,
    table,
)
from harness.report.notes import notes_text
from harness.report.numbers import change, count, percent
from harness.report.pages.cold_start import cold_start_section
from harness.report.pages.evidence import TONES, effect, evidence, tone
from harness.report.pages.finding_words import answer_sentences
from harness.report.pages.levels import floors_section, memory_section, timeline_section
from harness.report.pages.stages import ORDER, quality, stage
from harness.report.paths import shown_path
from harness.report.profiled import COLUMNS, HEADING, profiled_cells
from harness.report.wording import Places, blocks_text, change_text, left_out_text, reason_text, would_have_shown
from harness.verdict.findings import Finding, findings
from harness.verdict.rows import Reason, Verdict
from harness.verdict.rows import Row as Judged

_WORDS = {
    Verdict.REGRESSION: "worse",
    Verdict.IMPROVEMENT: "better",
    Verdict.SAME: "unchanged",
    Verdict.INCONCLUSIVE: "inconclusive",
}
_FIRST = (SidesDiffer, OwnInterpreters, Unpaired, BlocksAdded, Looked)
"""Facts that change how the answer is to be read; the others are told where they are asked for."""
MOST_EVIDENCE = 400
"""Rows of a table that can be opened; any asv project may have thousands."""
_OPEN = "A line for each metric that changed, the largest change first. Open one to see the blocks behind it."
_HOW_TO_READ = (
    "A row compares one metric for one model, device and batch size. Less is better in every row.",
    "In the pictures a dot is the change and the line its 95 % interval; a diamond is an exact size or count. The "
    "shaded band is the margin: changes inside it are ignored. All rows of a table share one logarithmic axis.",
    "Worse and better (▲ and ▼) mean: the change is larger than the margin, and significant after correction for "
    "multiple testing. At most 5 % of the reported changes are expected to be false.",
    "Unchanged means that the change is shown to be smaller than the margin. A hollow dot is inconclusive: neither "
    "could be shown. The row says which change would have been found, and how many blocks would decide it.",
    "A block is one round of all measurements with a fresh import of each release. Open a row to see its blocks.",
)


def with_comparison_page(report: Report, comparison: Comparison, commands: Sequence[Command] = ()) -> Report:
    """Return a comparison's report with its page and its cases; `commands` are what to run next."""
    made_by = None if report.everything is None else report.everything.replace(" --format json", " --html page.html")
    return replace(
        report, page=comparison_page(comparison, commands, made_by), cases=tuple(comparison_cases(comparison))
    )


def comparison_page(comparison: Comparison, commands: Sequence[Command] = (), made_by: str | None = None) -> Document:
    """Return a comparison as a page.

    Args:
        comparison: what was measured and judged.
        commands: what the reader may want to run next.
        made_by: the command that makes this comparison again.
    """
    old, new = (side.name.removeprefix("v") for side in (comparison.old, comparison.new))
    return Document(
        f"TensorFlow {new} compared with {old}" if comparison.old.tensorflow else f"{new} compared with {old}",
        (*comparison_top(comparison), *comparison_sections(comparison), *_below(comparison, commands, made_by)),
        origin_of(comparison),
    )


def origin_of(comparison: Comparison) -> tuple[str, ...]:
    """Return where a comparison is from: machine, test plan, blocks."""
    machine = str(comparison.machine.get("cpu") or comparison.machine.get("name") or "")
    blocks = count(comparison.blocks, "paired block" if comparison.paired else "block")
    plan = f"test plan {comparison.preset}" if comparison.preset != "-" else ""
    return tuple(filter(None, (machine, plan, blocks)))


def comparison_top(comparison: Comparison) -> Iterator[Part]:
    """Yield the answer: in words, as numbers of rows, and what qualifies it."""
    yield Answer(answer_sentences(comparison))
    yield tally_of(comparison)
    first = [note for note in comparison.notes if isinstance(note, _FIRST)]
    yield from map(Note, notes_text(first))
    rest = notes_text(note for note in comparison.notes if note not in first)
    if rest:
        yield Section("More about these measurements", tuple(map(Note, rest)), True, anchor="notes")


def tally_of(comparison: Comparison) -> Tally:
    """Return how many rows have each verdict."""
    verdicts = [row.verdict for row in comparison.rows if row.judged]
    worse, better, same, inconclusive = (verdicts.count(verdict) for verdict in _WORDS)
    return Tally(worse, better, same, inconclusive)


def comparison_sections(comparison: Comparison) -> Iterator[Section]:
    """Yield what changed, the figures and every row."""
    places = Places.of(comparison.rows)
    found = findings(comparison.rows)
    if found:
        yield Section(
            "What changed", (Paragraph(_OPEN, Tone.QUIET), findings_table(found, comparison, places)), anchor="changes"
        )
    measured = [one for side in comparison.measured for one in side]
    yield from cold_start_section(measured, places)
    judged = tuple(row for row in comparison.rows if row.judged)
    if judged:
        legend = (Paragraph(places.legend, Tone.QUIET),) if places.legend else ()
        yield Section("Every comparison", (*legend, _rows(judged, comparison, places)), anchor="rows")
    yield from floors_section(measured, comparison.floors, places)
    yield from memory_section(measured, places)
    yield from timeline_section(comparison.timelines)
    yield from failures(comparison.failures)
    shown = tuple(row for row in comparison.rows if not row.judged and row.reason is not Reason.NOT_MEASURED)
    if shown:
        heading = f"Also measured, not tested for change ({len(shown)})"
        yield Section(heading, (_shown(shown, comparison, places),), True, anchor="informational")
    calls = profiled(*comparison.measured)
    if calls:
        cells = ((places.place(one.place), *profiled_cells(one)) for one in calls)
        yield Section(HEADING, (table(("where",), COLUMNS, cells),), True)


def findings_table(found: Sequence[Finding], comparison: Comparison, places: Places) -> Table:
    """Return what changed, a row for each metric and direction, the largest first; its blocks where it is opened."""
    old, new = comparison.old.name, comparison.new.name
    columns = (
        Column("what changed"), Column("change", True), Column(old, True), Column(new, True),
        Column("change, interval and margin"),
    )  # fmt: skip
    ordered = sorted(found, key=lambda one: (one.verdict is Verdict.IMPROVEMENT, -_size(one)))
    rows = tuple(_finding(one, comparison, places, at < MOST_EVIDENCE) for at, one in enumerate(ordered))
    return Table(columns, rows, name="what changed")


def _finding(finding: Finding, comparison: Comparison, places: Places, has_evidence: bool) -> Row:
    worst, more = finding.worst, len(finding.rows) - 1
    where = places.place(worst)
    where = f"{where}{f', and {more} more' if more else ''}" if where else count(more + 1, "row")
    ratios = [ratio for ratio in (finding.least_ratio, finding.most_ratio) if ratio is not None]
    span = Change(worst.ratio, _span(ratios, worst))
    cells: tuple[Cell, ...] = (
        Lines((places.title(finding.metric), where)),
        span,
        Quantity(worst.old, worst.unit),
        Quantity(worst.new, worst.unit),
        effect(worst),
    )
    details = list(evidence(worst, comparison, places)) if has_evidence else []
    if more and has_evidence:
        details.append(_rows(finding.rows[:MOST_EVIDENCE], comparison, places, is_brief=True))
    anchor = f"{_WORDS[finding.verdict]} {finding.metric}"
    return Row(cells, TONES[finding.verdict], tuple(details), anchor, (_WORDS[finding.verdict],), _heading(finding))


def _heading(finding: Finding) -> str:
    return "Worse" if finding.verdict is Verdict.REGRESSION else "Better"


def _size(finding: Finding) -> float:
    ratio = finding.worst.ratio
    if not ratio:
        return float("inf")
    return max(ratio, 1 / ratio)


def _span(ratios: Sequence[float], worst: Judged) -> str:
    """Return the changes of a finding: "+12.4 to +64.2 %", one where they are alike, "from 0" where it left zero."""
    if worst.reason is Reason.FAILED:
        return "works again" if worst.verdict is Verdict.IMPROVEMENT else "fails now"
    if worst.ratio is None or len({change(ratio) for ratio in ratios}) < 2:
        return change_text(worst)
    low, high = (change(ratio) for ratio in sorted(ratios, key=lambda ratio: abs(ratio - 1)))
    return f"{low.removesuffix(' %')} to {high}" if low.endswith(" %") and high.endswith(" %") else f"{low} to {high}"


def _rows(rows: Sequence[Judged], comparison: Comparison, places: Places, *, is_brief: bool = False) -> Table:
    """Return all rows, grouped by what a user does; what stands behind each where it is opened."""
    columns = (
        Column("measurement"), Column("where"), Column(comparison.old.name, True), Column(comparison.new.name, True),
        Column("change", True), Column("difference", True, is_extra=is_brief), Column("change, interval and margin"),
        Column("95 % interval", True, True), Column("q", True, True), Column("blocks", True, True),
        Column("min. detectable", True, True), Column("blocks needed", True, True), Column("verdict", False, True),
    )  # fmt: skip
    groups = {} if is_brief else {row.key: stage(row.metric) for row in rows}
    at = {name: place for place, name in enumerate(ORDER)}
    ordered = sorted(rows, key=lambda row: at.get(groups.get(row.key, ""), len(at)))
    filters = () if is_brief else (tuple(_WORDS.values()), _qualities(rows))
    # A table that nobody reads from top to bottom has its evidence where rows changed: among the findings.
    is_bare = is_brief or len(ordered) > MOST_EVIDENCE
    told = (_row(row, comparison, places, groups.get(row.key, ""), is_bare) for row in ordered)
    return Table(columns, tuple(told), filters=filters, name="the rows of this finding" if is_brief else "comparisons")


def _qualities(rows: Sequence[Judged]) -> tuple[str, ...]:
    found = {quality(row.metric, row.unit) for row in rows}
    return tuple(name for name in ("time", "memory", "size", "count") if name in found) if len(found) > 1 else ()


def _row(row: Judged, comparison: Comparison, places: Places, group: str, is_bare: bool) -> Row:
    difference = None if row.old is None or row.new is None else row.new - row.old
    cells: tuple[Cell, ...] = (
        places.title(row.metric),
        places.place_and_blocks(row, comparison.blocks - comparison.further),
        Quantity(row.old, row.unit),
        Quantity(row.new, row.unit),
        Change(row.ratio, "0 %" if difference == 0 else change_text(row)),
        Difference(difference, row.unit),
        effect(row),
        Interval(row.low, row.high),
        Chance(row.q),
        row.blocks,
        would_have_shown(row),
        blocks_text(row),
        f"{_WORDS[row.verdict]}: {reason_text(row)}",
    )
    details = () if is_bare else tuple(evidence(row, comparison, places))
    tags = (_WORDS[row.verdict], quality(row.metric, row.unit))
    return Row(cells, tone(row), details, None if is_bare else " ".join(row.key), tags, group)


def _shown(rows: Sequence[Judged], comparison: Comparison, places: Places) -> Table:
    numbers = (comparison.old.name, comparison.new.name, "change")
    cells = (
        (
            places.title(row.metric),
            places.place(row),
            Quantity(row.old, row.unit),
            Quantity(row.new, row.unit),
            Change(row.ratio, change_text(row)),
        )
        for row in rows
    )
    return table(("measurement", "where"), numbers, cells)


def _below(comparison: Comparison, commands: Sequence[Command], made_by: str | None) -> Iterator[Section]:
    """Yield how to read it, what to run next and where it comes from."""
    yield how_to_read()
    if commands:
        yield Section("What to run next", tuple(commands), anchor="next")
    yield Section("Where this comes from", tuple(_provenance(comparison)), True, anchor="provenance", made_by=made_by)


def how_to_read() -> Section:
    """Return what a reader of rows has to know."""
    return Section("How to read this", tuple(map(Paragraph, _HOW_TO_READ)), True, anchor="how-to-read")


def _provenance(comparison: Comparison) -> Iterator[Part]:
    sides = (comparison.old, comparison.new)
    facts = (
        ("release", [side.release or side.name for side in sides]),
        ("TensorFlow", [side.tensorflow for side in sides]),
        ("Keras", [side.keras for side in sides]),
        ("Python", [side.python for side in sides]),
        ("wheel", [side.wheel for side in sides]),
        ("dependencies as of", [side.policy for side in sides]),
        ("digest of the lock", [side.lock_digest for side in sides]),
        ("settings profile", [side.profile for side in sides]),
    )
    rows = [(name, *(value or "-" for value in values)) for name, values in facts if any(values)]
    yield table(("", comparison.old.name, comparison.new.name), (), rows)
    told = [f"{name.replace('_', ' ')}: {value}" for name, value in comparison.machine.items() if _is_plain(value)]
    yield Paragraph("Machine: " + "; ".join(told) + ".")
    yield Paragraph(
        f"Test plan {comparison.preset}; changes in time up to {percent(comparison.margin)} are ignored; "
        f"{count(comparison.blocks, 'block')}."
    )
    if comparison.tainted:
        yield Paragraph(f"{left_out_text(comparison.tainted, comparison.taint_kinds)}.")
    if comparison.run_path is not None:
        yield Paragraph(f"Records: {shown_path(comparison.run_path)}")


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
