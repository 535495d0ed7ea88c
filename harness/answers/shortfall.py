"""When too little was measured to be called a result: the one rule of all commands that measure or judge.

A *place* is an operation of a cell. It counts where the plan's question has an answer there:

- where numbers are shown (`run`), any subject has a value;
- where two sides are compared, the old side has one, and the new side has one or failed (which is a regression).

A command falls short, and ends with exit code 3, if more than half of the places that a release could have measured do
not count, or if a comparison has not one row that says anything of both sides. What a release does not support is
not planned, and a repeat that failed, or was disturbed, is no measurement. An import is in no cell and saves no plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.answers.measured import Failure
from harness.measure.passes import PASSES
from harness.measure.presets import Cell
from harness.measure.room import TOO_LARGE
from harness.metrics import METRICS, Kind
from harness.store.records import IN_TURN, Record
from harness.store.taints import concerning, described, kind_of
from harness.verdict.rows import Reason, Row, Verdict

EXIT_CODE = 3
"""Of a command that falls short: as of wrong usage, what was asked for is not there."""


class Fate(StrEnum):
    """What became of an operation of a cell under one subject, the best of its repeats."""

    MEASURED = "measured"
    DISTURBED = "disturbed"
    NO_ROOM = "no-room"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


_BEST_FIRST = tuple(Fate)
_OF_THE_MACHINE = (Fate.NO_ROOM, Fate.DISTURBED)
_NOT_COMPARED = (Reason.FAILED, Reason.OTHER_VERSION, Reason.NO_COMMON_BLOCKS)
"""Of rows that have values of both sides, or failures in their place, and yet no side is held against the other."""
_MOST_REASONS = 3
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Place:
    """An operation of a cell."""

    cell: Cell
    operation: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a place under one subject, and why it has no value there ("" where it has one)."""

    fate: Fate
    reason: str = ""


_UNSUPPORTED = Outcome(Fate.UNSUPPORTED)
"""Of a side without a record at a place: what a release does not have is told by the first operation that tried."""

Places = Mapping[Place, Mapping[str, Outcome]]
"""Of each place the outcome by subject; a subject that was not asked there is left out."""


def places_of(
    records: Iterable[Record],
    subjects: Sequence[str],
    groups: Iterable[Mapping[str, Any]] = (),
    exact_only: Collection[tuple[str, str]] = frozenset(),
) -> dict[Place, dict[str, Outcome]]:
    """Return what became of each operation of each cell.

    Args:
        records: the repeats of a run's complete blocks.
        subjects: whose records count.
        groups: of the run's preset, as run.json holds them: they tell which operations a cell without room has lost.
        exact_only: (model, writer) pairs of whose times nothing is judged.
    """
    operations = _planned_operations(groups)
    found: dict[Place, dict[str, Outcome]] = {}
    for record in records:
        cell = record.get("cell")
        if not cell or record["subject"] not in subjects or record["operation"].endswith(IN_TURN):
            continue
        outcome = _outcome(record, (cell["model"], cell["writer"]) in exact_only)
        key = _cell(cell)
        lost = operations.get(key, ()) if outcome.fate is Fate.NO_ROOM else ()
        for operation in dict.fromkeys((record["operation"], *lost)):
            by_subject = found.setdefault(Place(key, operation), {})
            before = by_subject.get(record["subject"], outcome)
            by_subject[record["subject"]] = min(before, outcome, key=lambda one: _BEST_FIRST.index(one.fate))
    return found


def places_without_room(groups: Iterable[Mapping[str, Any]], lacking: Mapping[Cell, str]) -> Places:
    """Return the places of a plan as they would become: those of the cells `lacking` room have none, for its reason.

    Args:
        groups: of a preset, as run.json holds them.
        lacking: by cell why it cannot be measured here.
    """
    return {
        Place(cell, operation): {
            "": Outcome(Fate.NO_ROOM, lacking[cell]) if cell in lacking else Outcome(Fate.MEASURED)
        }
        for cell, operations in _planned_operations(groups).items()
        for operation in operations
    }


def shortfall_of_places(places: Places, sides: tuple[str, str] | None = None) -> str | None:
    """Return why too many places do not count, with what to do next; None where enough do.

    Args:
        places: what became of them.
        sides: old and new of a comparison; None where numbers are only shown.
    """
    planned = {
        place: outcomes
        for place, outcomes in places.items()
        if any(one.fate is not Fate.UNSUPPORTED for one in outcomes.values())
        and not (sides and outcomes.get(sides[0], _UNSUPPORTED).fate is Fate.UNSUPPORTED)
    }
    # Where a release supports nothing of what was asked for, that is what has to be told.
    asked = planned or places
    losses = {place: why for place, outcomes in asked.items() if (why := _loss(outcomes, sides)) is not None}
    if 2 * len(losses) <= len(asked):
        return None
    done = "compared" if sides else "measured"
    operations = "operation" if len(asked) == 1 else "operations"
    return f"{len(losses)} of {len(asked)} {operations} could not be {done}{_causes(losses)}"


def shortfall_of_rows(rows: Iterable[Row], old: str, new: str, failures: Sequence[Failure] = ()) -> str | None:
    """Return why a comparison in which no row tells of both sides says nothing; None where one does."""
    known = list(rows)
    if tells_of_both(known):
        return None
    return f"Nothing could be compared: {_side(old, known, failures, is_new=False)}; " + (
        f"{_side(new, known, failures, is_new=True)}. Mend what failed, or widen the selection, and repeat."
    )


def tells_of_both(rows: Iterable[Row]) -> bool:
    """Return whether any row has a value of both sides, or a failure that one side alone has."""
    return any(
        row.verdict is not Verdict.INCONCLUSIVE
        or (row.old is not None and row.new is not None and row.reason not in _NOT_COMPARED)
        for row in rows
    )


def _planned_operations(groups: Iterable[Mapping[str, Any]]) -> dict[Cell, tuple[str, ...]]:
    """Return the operations of each cell of a preset."""
    found: dict[Cell, tuple[str, ...]] = {}
    for group in groups:
        repeats = group.get("repeats", {})
        wanted = [each.operation for name, each in PASSES.items() if repeats.get(name)]
        for cell in group["cells"]:
            key = _cell(cell)
            found[key] = tuple(dict.fromkeys((*found.get(key, ()), *wanted)))
    return found


def _cell(parts: Mapping[str, Any]) -> Cell:
    return Cell(*(str(parts.get(part) or "-") for part in ("device", "model", "writer", "reader")))


def _outcome(record: Record, exact_only: bool) -> Outcome:
    reason = " ".join(str(record.get("reason") or "").split())
    match record["status"]:
        case "ok":
            if _is_calm(record, exact_only):
                return Outcome(Fate.MEASURED)
            return Outcome(Fate.DISTURBED, ", ".join(sorted({described(kind_of(taint)) for taint in record["taints"]})))
        case "unsupported":
            return Outcome(Fate.NO_ROOM if reason.startswith(TOO_LARGE) else Fate.UNSUPPORTED, reason)
        case _:
            return Outcome(Fate.FAILED, reason)


def _is_calm(record: Record, exact_only: bool) -> bool:
    """Whether a repeat has what it is measured for: a judged time without a taint, where it has judged times."""
    taints = record.get("taints") or []
    names = [entry["metric"] for entry in record.get("metrics") or () if entry["metric"] in METRICS]
    judged = [name for name in names if METRICS[name].judged]
    times = [] if exact_only else [name for name in judged if METRICS[name].kind is Kind.TIME]
    return not taints or any(not concerning(taints, name) for name in times or judged or names)


def _loss(outcomes: Mapping[str, Outcome], sides: tuple[str, str] | None) -> tuple[Fate, dict[str, str]] | None:
    """Return why a place does not count, and the reason of each subject concerned; None where it does."""
    if sides is None:
        is_measured = any(one.fate is Fate.MEASURED for one in outcomes.values())
        lost = {} if is_measured else dict(outcomes)
    else:
        old, new = sides
        lost = {side: outcomes[side] for side in sides if side in outcomes and outcomes[side].fate is not Fate.MEASURED}
        # What the new side alone fails at, or does not support, is told of both.
        if old not in lost and lost and lost[new].fate not in _OF_THE_MACHINE:
            lost = {}
    if not lost:
        return None
    worst = min((one.fate for one in lost.values()), key=_CAUSES_FIRST.index)
    return worst, {subject: one.reason for subject, one in lost.items() if one.fate is worst}


_CAUSES = {
    Fate.NO_ROOM: ("for want of room ({})", "Make room, or choose smaller models with --model."),
    Fate.DISTURBED: (
        "because every measurement was disturbed ({})",
        "Repeat the run when the machine is idle: `savedmodel-bench doctor` says what disturbs it.",
    ),
    Fate.FAILED: (
        "because they failed ({})",
        "Mend what failed, then repeat it: the run's folder `logs` has what the workers printed.",
    ),
    Fate.UNSUPPORTED: ("because they are not supported ({})", "Choose other operations or releases."),
}
"""How each cause is told, with its reasons, and what to do next; what can be mended on the machine first."""
_CAUSES_FIRST = tuple(_CAUSES)


def _causes(losses: Mapping[Place, tuple[Fate, Mapping[str, str]]]) -> str:
    """Return causes and remedies.

    Examples: " for want of room (mlp-s: needs about …). Make room, or …", ": 3 for want of room (…), 2 because …".
    """
    causes, remedies = dict[str, int](), list[str]()
    for fate, (cause, remedy) in _CAUSES.items():
        concerned = {place: reasons for place, (found, reasons) in losses.items() if found is fate}
        if concerned:
            causes[cause.format(_reasons(fate, concerned))] = len(concerned)
            remedies.append(remedy)
    told = ": " + ", ".join(f"{number} {cause}" for cause, number in causes.items()) if len(causes) > 1 else ""
    return f"{told or ' ' + next(iter(causes))}. {' '.join(remedies)}"


def _reasons(fate: Fate, by_place: Mapping[Place, Mapping[str, str]]) -> str:
    """Return the reasons, each after what it concerns: the models without room, the subjects that failed."""
    concerned: dict[str, list[str]] = {}
    for place, reasons in by_place.items():
        for subject, reason in reasons.items():
            whom = {Fate.NO_ROOM: place.cell.model, Fate.DISTURBED: ""}.get(fate, subject)
            concerned.setdefault(_shortened(reason), []).append(whom)
    told = [
        ": ".join(filter(None, (", ".join(dict.fromkeys(whom)), reason)))
        for reason, whom in list(concerned.items())[:_MOST_REASONS]
    ]
    others = len(concerned) - len(told)
    return "; ".join([*told, *([f"and {others} more"] if others else [])])


def _side(name: str, rows: Sequence[Row], failures: Sequence[Failure], *, is_new: bool) -> str:
    """Return what one side has to show: "v2.20.0 has no value (import failed: …)"."""
    values = sum((row.new if is_new else row.old) is not None for row in rows if row.metric in METRICS)
    if values:
        return f"{name} alone has {values} {'row' if values == 1 else 'rows'}"
    own = [failure for failure in failures if failure.subject == name]
    why = f" ({own[0].operation} {own[0].status}: {_shortened(own[0].reason)})" if own else ""
    return f"{name} has no value{why}"


def _shortened(reason: str) -> str:
    """Return a reason on one line, without what a report of cells needs before it."""
    flat = " ".join(reason.split()).removeprefix("not-run: ").removeprefix(f"{TOO_LARGE}: ")
    return flat if len(flat) <= _LONGEST_REASON else f"{flat[: _LONGEST_REASON - 1]}…"
