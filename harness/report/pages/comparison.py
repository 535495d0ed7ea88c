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
    Command,
    Document,
    Note,
    Paragraph,
    Part,
    Report,
    Section,
    Tally,
    Tone,
    table,
)
from harness.report.notes import notes_text
from harness.report.numbers import count, percent
from harness.report.pages.cold_start import cold_start_section
from harness.report.pages.comparison_tables import VERDICT_WORDS, findings_table, rows_table, shown_table
from harness.report.pages.finding_words import answer_sentences
from harness.report.pages.levels import floors_section, memory_section, timeline_section
from harness.report.paths import shown_path
from harness.report.profiled import COLUMNS, HEADING, profiled_cells
from harness.report.sections import blocks_to_ask_for
from harness.report.wording import (
    Places,
    left_out_text,
    shared_reason_text,
)
from harness.verdict.findings import findings
from harness.verdict.rows import Reason, Verdict
from harness.verdict.rows import Row as Judged

_FIRST = (SidesDiffer, OwnInterpreters, Unpaired, BlocksAdded, Looked)
"""Facts that change how the answer is to be read; the others are told where they are asked for."""
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


def with_comparison_page(
    report: Report,
    comparison: Comparison,
    commands: Sequence[Command] = (),
    settle_command: Sequence[str] | None = None,
) -> Report:
    """Return a comparison's report with its page and its cases.

    Args:
        report: of the comparison.
        comparison: what was measured and judged.
        commands: what the reader may want to run next.
        settle_command: what measures these sides again, to which "--blocks N" is appended; None: nothing does.
    """
    made_by = None if report.everything is None else report.everything.replace(" --format json", " --html page.html")
    return replace(
        report,
        page=comparison_page(comparison, commands, made_by, settle_command),
        cases=tuple(comparison_cases(comparison)),
    )


def comparison_page(
    comparison: Comparison,
    commands: Sequence[Command] = (),
    made_by: str | None = None,
    settle_command: Sequence[str] | None = None,
) -> Document:
    """Return a comparison as a page.

    Args:
        comparison: what was measured and judged.
        commands: what the reader may want to run next.
        made_by: the command that makes this comparison again.
        settle_command: as `with_comparison_page` takes it.
    """
    old, new = (side.name.removeprefix("v") for side in (comparison.old, comparison.new))
    return Document(
        f"TensorFlow {new} compared with {old}" if comparison.old.tensorflow else f"{new} compared with {old}",
        (
            *comparison_top(comparison),
            *comparison_sections(comparison, settle_command),
            *_below(comparison, commands, made_by),
        ),
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
    worse, better, same, inconclusive = (verdicts.count(verdict) for verdict in VERDICT_WORDS)
    return Tally(worse, better, same, inconclusive)


def comparison_sections(comparison: Comparison, settle_command: Sequence[str] | None = None) -> Iterator[Section]:
    """Yield what changed, the figures and every row."""
    places = Places.of(comparison.rows)
    found = findings(comparison.rows)
    if found:
        yield Section(
            "What changed", (Paragraph(_OPEN, Tone.QUIET), findings_table(found, comparison, places)), anchor="changes"
        )
    yield from _open(comparison, settle_command)
    measured = [one for side in comparison.measured for one in side]
    yield from cold_start_section(measured, places)
    judged = tuple(row for row in comparison.rows if row.judged)
    if judged:
        legend = (Paragraph(places.legend, Tone.QUIET),) if places.legend else ()
        yield Section("Every comparison", (*legend, rows_table(judged, comparison, places)), anchor="rows")
    yield from floors_section(measured, comparison.floors, places)
    yield from memory_section(measured, places)
    yield from timeline_section(comparison.timelines)
    yield from failures(comparison.failures)
    shown = tuple(row for row in comparison.rows if not row.judged and row.reason is not Reason.NOT_MEASURED)
    if shown:
        heading = f"Also measured, not tested for change ({len(shown)})"
        yield Section(heading, (shown_table(shown, comparison, places),), True, anchor="informational")
    calls = profiled(*comparison.measured)
    if calls:
        cells = ((places.place(one.place), *profiled_cells(one)) for one in calls)
        yield Section(HEADING, (table(("where",), COLUMNS, cells),), True)


def _open(comparison: Comparison, settle_command: Sequence[str] | None) -> Iterator[Section]:
    """Yield why rows are inconclusive, a line for each reason, and the command that decides most of them."""
    rows = [row for row in comparison.rows if row.judged and row.verdict is Verdict.INCONCLUSIVE]
    if not rows:
        return
    by_reason: dict[Reason, list[Judged]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, []).append(row)
    largest = sorted(by_reason.values(), key=len, reverse=True)
    parts: list[Part] = [table(("why",), ("comparisons",), ((shared_reason_text(some), len(some)) for some in largest))]
    asked = blocks_to_ask_for(rows)
    if asked is not None and settle_command is not None:
        blocks, settled = asked
        command = " ".join((*settle_command, "--blocks", str(blocks)))
        parts.append(Command(command, f"Should decide {settled} of {len(rows)}, if nothing really changed in them:"))
    yield Section(f"What is inconclusive: {count(len(rows), 'comparison')}", tuple(parts), anchor="inconclusive")


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
