"""A comparison on one screen: what qualifies it, the answer, what changed, what is open and how to close it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.answers.comparison import Comparison
from harness.answers.notes import BlocksAdded, LocksDiffer, OwnInterpreters, OwnWheel, Said, SidesDiffer, Unpaired
from harness.answers.notes import Note as Fact
from harness.report.document import (
    Cell,
    Column,
    Command,
    Document,
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
)
from harness.report.headline import headline
from harness.report.names import CUT, CUT_NOTE, LONGEST, shortened
from harness.report.notes import notes_text
from harness.report.numbers import brief_change, brief_interval, count, how_long
from harness.report.screens.failed import failed_section
from harness.report.screens.size import fits
from harness.report.screens.warnings import machine_warnings
from harness.report.sections import blocks_to_ask_for
from harness.report.stored_sentences import is_about_gpu, is_disturbance, retold
from harness.report.wording import Places, left_out_text, shared_reason_text, without_asides
from harness.report.work import failing_work
from harness.verdict.findings import Finding, findings
from harness.verdict.rows import Reason, Verdict
from harness.verdict.rows import Row as Judged


@dataclass(frozen=True, slots=True)
class _Room:
    """How many findings, sentences and reasons a screen has room for."""

    findings: int
    sentences: int
    reasons: int


_ROOMS = (
    *(_Room(findings, 6, 4) for findings in range(10, 5, -1)),
    _Room(5, 5, 4),
    _Room(4, 4, 3),
    _Room(3, 3, 2),
    _Room(2, 2, 2),
)
"""What is tried, one after the other, until it fits."""
_MOST_NOTES = 3
_MOST_WORK = 3
_MOST_DEPENDENCIES = 6
_LONGEST_SENTENCE = 230
_LIST = (Column(""), Column(""))
_TONES = {Verdict.REGRESSION: Tone.WORSE, Verdict.IMPROVEMENT: Tone.BETTER}


def with_comparison_screen(
    report: Report,
    comparison: Comparison,
    *,
    is_here: bool,
    settle_command: Sequence[str] | None = None,
    next_commands: Sequence[Command] = (),
) -> Report:
    """Return a comparison's report with its screen.

    Args:
        report: of the comparison; its `everything` is the command that prints it again without measuring.
        comparison: what was measured and judged.
        is_here: whether it was measured just now, on this machine; else results were read.
        settle_command: what measures these sides again, to which "--blocks N" is appended; None: nothing does.
        next_commands: what the reader may want to run next.
    """

    def document(room: _Room) -> Document:
        parts = (
            *_first(comparison),
            *_answer(comparison, is_here, room),
            *_changes(comparison, room),
            *_work(comparison),
            *_open(comparison, settle_command, room),
            *failed_section(comparison.failures),
            *_last(comparison, report.everything if is_here else None, next_commands),
        )
        return Document(None, parts)

    screens = map(document, _ROOMS)
    screen = next((one for one in screens if fits(one)), None)
    return replace(report, screen=screen or document(_ROOMS[-1]))


def _first(comparison: Comparison) -> Iterator[Part]:
    """Yield what must be known before the answer is: too little was measured, or the machine is not fit for it."""
    if comparison.shortfall is not None:
        yield Paragraph(comparison.shortfall, Tone.WARNING)
    for sentence in _warnings(comparison):
        yield Paragraph(sentence, Tone.WARNING)


def _warnings(comparison: Comparison) -> list[str]:
    """Return what to say of the machine; where it kept nearly everything from being measured, that is said already."""
    is_said = comparison.shortfall is not None and "disturbed" in comparison.shortfall
    return [] if is_said else list(machine_warnings(comparison))


def _answer(comparison: Comparison, is_here: bool, room: _Room) -> Iterator[Part]:
    answer, *rest = headline(replace(comparison, shortfall=None), is_here=is_here)
    yield Paragraph(answer, Tone.STRONG)
    rest = rest[: room.sentences]
    differ = [note for note in comparison.notes if isinstance(note, SidesDiffer)]
    if differ:
        what = ", ".join(f"{note.what} ({note.old or 'not recorded'}, {note.new or 'not recorded'})" for note in differ)
        rest.insert(0, f"The two also differ in {what}, which may be the cause.")
    rest += [_dependencies(note) for note in comparison.notes if isinstance(note, LocksDiffer) and not _is_short(note)]
    has_changes = any(row.judged and row.verdict in _TONES for row in comparison.rows)
    tested = [note.before for note in comparison.notes if isinstance(note, BlocksAdded)]
    if tested and has_changes:
        rest.append(f"Tested before, after {tested[0]} blocks: confirm what is new with `compare --budget`.")
    if rest:
        yield Table(_LIST, tuple(Row(("-", shortened(sentence, _LONGEST_SENTENCE))) for sentence in rest))
    told: list[Fact] = [
        note
        for note in comparison.notes
        if isinstance(note, Unpaired | OwnInterpreters | OwnWheel)
        or (isinstance(note, LocksDiffer) and _is_short(note))
    ]
    said = (note for note in comparison.notes if isinstance(note, Said))
    told += [one for one in said if not is_about_gpu(one.text) and not is_disturbance(one.text)]
    notes = notes_text(told)
    yield from (Note(shortened(text, _LONGEST_SENTENCE)) for text in notes[:_MOST_NOTES])
    if len(notes) > _MOST_NOTES:
        yield Paragraph(f"and {count(len(notes) - _MOST_NOTES, 'more note')}", Tone.QUIET)


def _is_short(note: LocksDiffer) -> bool:
    """Return whether all dependencies that differ can be named on a screen."""
    return len(note.added) + len(note.removed) + len(note.changed) <= _MOST_DEPENDENCIES


def _dependencies(note: LocksDiffer) -> str:
    """Return how many dependencies differ, where they are too many to name."""
    sides = [f"{len(some)} only in {name}" for some, name in ((note.added, note.new), (note.removed, note.old)) if some]
    other = [f"{len(note.changed)} of other versions"] if note.changed else []
    return f"Dependencies differ, too: {', '.join([*sides, *other])}. --verbose names them."


def _changes(comparison: Comparison, room: _Room) -> Iterator[Part]:
    """Yield what changed, a line for each metric and direction: what got worse first, the largest on top."""
    worse, better = (
        sorted((one for one in findings(comparison.rows) if one.verdict is verdict), key=_size, reverse=True)
        for verdict in _TONES
    )
    if not worse and not better:
        return
    most_better = min(len(better), max(room.findings // 3, room.findings - len(worse)))
    shown = worse[: room.findings - most_better], better[:most_better]
    places = Places.of(comparison.rows)
    columns = (Column(""), *(Column(name, numeric=True) for name in ("old", "new", "change", "interval")))
    heading = "What got worse" if worse else "What got better"
    between = [Row(("What got better", *[""] * 4), Tone.STRONG)] if all(shown) else []
    rows = [*(_change(one, places) for one in shown[0]), *between, *(_change(one, places) for one in shown[1])]
    parts: list[Part] = [Table(columns, tuple(rows))]
    left_out = len(worse) + len(better) - sum(map(len, shown))
    if any(CUT in str(row.cells[0]) for row in rows):
        parts.append(Paragraph(CUT_NOTE, Tone.QUIET))
    if left_out:
        parts.append(Paragraph(f"and {count(left_out, 'more change')}, smaller than these", Tone.QUIET))
    yield Section(f"{heading}, the largest first (with 95 % interval)", tuple(parts))


def _work(comparison: Comparison) -> Iterator[Section]:
    """Yield the work that made the exit code 1, where times are not judged."""
    told = failing_work(comparison, Places.of(comparison.rows))
    if told:
        more = [f"and {len(told) - _MOST_WORK} more"] if len(told) > _MOST_WORK else []
        yield Section("Work, where no time is judged", (items([*told[:_MOST_WORK], *more], "change in work"),))


def _change(finding: Finding, places: Places) -> Row:
    """Return a finding's row that changed most, and how many others changed with it."""
    worst, others = finding.worst, len(finding.rows) - 1
    what = ": ".join(filter(None, (without_asides(places.title(worst.metric)), places.place(worst))))
    what += f" (+{others} more)" if others else ""
    if worst.reason is Reason.FAILED:
        is_mended = finding.verdict is Verdict.IMPROVEMENT
        cells: tuple[Cell, ...] = (what, *(("fails", "works") if is_mended else ("works", "fails")), "", "")
    else:
        numbers = Quantity(worst.old, worst.unit), Quantity(worst.new, worst.unit)
        by = "from 0" if worst.old == 0 else brief_change(worst.ratio)
        cells = (what, *numbers, by, "exact" if finding.q is None else brief_interval(worst.low, worst.high))
    return Row(cells, _TONES[finding.verdict])


def _size(finding: Finding) -> float:
    if finding.worst.reason is Reason.FAILED:
        return math.inf
    ratio = finding.worst.ratio
    return abs(math.log(ratio)) if ratio else math.inf


def _open(comparison: Comparison, settle_command: Sequence[str] | None, room: _Room) -> Iterator[Part]:
    """Yield why rows are inconclusive, a line for each reason, and the command that decides most of them."""
    rows = [row for row in comparison.rows if row.judged and row.verdict is Verdict.INCONCLUSIVE]
    if not rows:
        return
    by_reason: dict[Reason, list[Judged]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, []).append(row)
    largest = sorted(by_reason.values(), key=len, reverse=True)
    lines = [Row((str(len(some)), _reason(some))) for some in largest[: room.reasons]]
    if len(largest) > room.reasons:
        lines.append(Row((str(sum(map(len, largest[room.reasons :]))), "for other reasons")))
    parts: list[Part] = [Table((Column("", numeric=True), Column("")), tuple(lines))]
    if settle_command is not None:
        parts.append(_settling(rows, comparison, settle_command))
    yield Section(f"Inconclusive: {count(len(rows), 'comparison')}", tuple(parts))


def _reason(rows: Sequence[Judged]) -> str:
    """Return why rows are inconclusive; what to do about a disturbed machine stands above and below."""
    if rows[0].reason is Reason.ALL_TAINTED:
        return "other load disturbed one of the two releases in every round"
    return shared_reason_text(rows)


def _settling(rows: Sequence[Judged], comparison: Comparison, settle_command: Sequence[str]) -> Part:
    asked = blocks_to_ask_for(rows)
    if asked is not None:
        blocks, settled = asked
        purpose = "To decide them" if len(rows) > 1 else "To decide it"
        purpose = purpose if settled == len(rows) else f"To decide {settled} of {len(rows)}, if nothing changed in them"
        seconds = comparison.block_s and (blocks - comparison.blocks) * comparison.block_s
        takes = f" (about {how_long(seconds)})" if seconds else ""
        return Command(" ".join((*settle_command, "--blocks", str(blocks))), purpose + takes)
    reasons = {row.reason for row in rows}
    if reasons & {Reason.TOO_FEW_BLOCKS, Reason.ALL_TAINTED, Reason.NO_COMMON_BLOCKS}:
        is_disturbed = Reason.ALL_TAINTED in reasons
        again = "To measure again, when nothing else runs here" if is_disturbed else "To measure more"
        return Command(" ".join(settle_command), again)
    if Reason.FAILED in reasons:
        return Paragraph("Repair what failed (see below), then repeat.")
    return Paragraph("More blocks would not decide them: use a quieter machine, or a larger --margin.")


def _last(comparison: Comparison, again: str | None, commands: Sequence[Command]) -> Iterator[Part]:
    """Yield where it is from, what else there is, and what to run next."""
    yield Paragraph("")
    yield Paragraph(_origin(comparison, has_warnings=any(_warnings(comparison))), Tone.QUIET)
    for command in commands:
        yield Paragraph(f"{command.purpose[:1].upper()}{command.purpose[1:]}: {command.command}")
    if again is None:
        yield Paragraph("Every row: add --verbose. A page with figures and all evidence: add --html FILE.", Tone.QUIET)
    else:
        yield Command(again.replace(" --format json", " --verbose"), "Every row")


def _origin(comparison: Comparison, *, has_warnings: bool) -> str:
    python = comparison.new.python
    told = [count(comparison.blocks, "block")]
    told += [] if comparison.preset == "-" else [f"test plan {comparison.preset}"]
    told += [f"Python {python}"] if python and python == comparison.old.python else []
    told += [shortened(str(comparison.machine["name"]), LONGEST)] if comparison.machine.get("name") else []
    sentences = [", ".join(told)]
    if comparison.tainted and not has_warnings:
        sentences.append(left_out_text(comparison.tainted, comparison.taint_kinds))
    said = (retold(note.text.removesuffix(".")) for note in comparison.notes if isinstance(note, Said))
    sentences += [sentence for sentence in said if is_about_gpu(sentence)]
    return ". ".join(sentences) + "."
