"""What changed on which machine type, in the order in which it is read: what is missing, what changed, the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from harness.answers.shortfall import EXIT_CODE
from harness.fleet.answer import FleetAnswer, FleetRow, TypeRow
from harness.report.comparison_data import comparison_data
from harness.report.document import Document, Note, Paragraph, Part, Report, Section, Tone, items, table
from harness.report.notes import is_of_sides, notes_text
from harness.report.numbers import change, count, percent
from harness.report.paths import shown_path
from harness.report.wording import Places, left_out_text, shared_reason_text, title
from harness.verdict.confirmation import Standing
from harness.verdict.rows import Reason, Row, Verdict

_HOW_TO_READ = (
    'Each machine type is an answer of its own: its verdict is that of `compare` on it alone. "Everywhere" needs a '
    'change on every type, "only on" a change there and unchanged on all others. The statement over all types is '
    "corrected for multiple testing at its own level (q)."
)


_NAMES = ("metric", "device", "model", "variant")
_ABSENT = "n/a"


def report_fleet(answer: FleetAnswer, *, require_coverage: float, require_decision: bool = False) -> Report:
    """Return the one answer of a fleet.

    Args:
        answer: what its jobs measured.
        require_coverage: the share of each type's plan that an answer needs; with less the exit code is 3.
        require_decision: whether open rows make the exit code 2.
    """
    code = answer.exit_code(require_coverage, require_decision=require_decision)
    shares = ", ".join(f"{name} {percent(share)}" for name, share in answer.coverage.items())
    counts = Counter(row.statement.verdict for row in answer.rows)
    changed = [row for row in answer.rows if row.statement.called]
    notes = [f"Missing: {'; '.join(answer.missing)}."] if answer.missing else []
    if answer.unstaged:
        notes.append(
            f"On {', '.join(answer.unstaged)} import and cold loads are n/a: staging is off, so they would measure the "
            "shared file system."
        )
    if answer.waves:
        notes.append(_confirmed(answer))
    for name, found in answer.comparisons.items():
        notes += [f"{name}: {one.shortfall}" for one in found if one.shortfall is not None]
        notes += [f"{name}: {left_out_text(one.tainted, one.taint_kinds)}." for one in found if one.tainted]
    notes += _of_sides(answer)
    if answer.arms:
        each = ", ".join(f"{one.called} of {one.judged} on {one.node or one.job}" for one in answer.arms)
        notes.append(f"{answer.new} was measured twice on each node; rows in which it differs from itself: {each}.")
    lacking = [
        name for name, share in answer.coverage.items() if share < require_coverage or not answer.comparisons.get(name)
    ]
    shortfall = None
    if code == EXIT_CODE:
        shortfall = (
            f"Too little was measured on {', '.join(lacking)}: `savedmodel-bench fleet status` says why."
            if lacking
            else next(iter(notes), "Too little was measured.")
        )
    # What is missing comes first: a reader must not take the rest for the whole.
    parts: list[Part] = [
        *(Note(note) for note in notes),
        Paragraph(
            f"{answer.old} to {answer.new} on {count(len(answer.comparisons), 'machine type')}: of "
            f"{count(len(answer.rows), 'row')}, {len(changed)} changed on some type, {counts[Verdict.SAME.value]} are "
            f"unchanged on all, and {counts[Verdict.INCONCLUSIVE.value]} are inconclusive. Measured of the plan: "
            f"{shares}."
        ),
    ]
    if changed:
        parts.append(Section("What changed, and where", (_table(answer, changed),)))
    own = [row for row in answer.rows if not row.statement.called and _is_called_alone(row)]
    if own:
        parts.append(Section("Changed on a type alone, not at the level of all types", (_table(answer, own),)))
    parts.append(Section("Of each type alone", (_per_type(answer),)))
    undecided = list(_undecided(answer))
    if undecided:
        parts.append(Section("Inconclusive, by type", (items(undecided, "row"),), True))
    parts.append(Paragraph(_HOW_TO_READ, Tone.QUIET))
    return Report("fleet", Document(None, tuple(parts)), _data(answer), code, tuple(notes), shortfall=shortfall)


def _is_called_alone(row: FleetRow) -> bool:
    return any(one.row.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT) for one in row.types.values())


def _table(answer: FleetAnswer, rows: list[FleetRow]) -> Part:
    places = Places.of([row.any for row in answer.rows])
    lines = []
    for row in rows:
        each = "; ".join(f"{name} {change(one.row.ratio)} ({_said(one)})" for name, one in row.types.items())
        lines.append((title(row.any.metric), places.place(row.any), row.statement.verdict, each, _q(row.statement.q)))
    return table(("metric", "where", "verdict", "on each type"), ("q",), lines)


def _said(one: TypeRow) -> str:
    is_settled = one.standing not in (None, Standing.UNCONFIRMED)
    return f"{one.row.verdict.value}, {one.standing}" if is_settled else one.row.verdict.value


def _confirmed(answer: FleetAnswer) -> str:
    """Return what second waves say of all that was called on some type."""
    found = Counter(one.standing for row in answer.rows for one in row.types.values() if one.standing is not None)
    said = ", ".join(f"{found[standing]} {standing.value}" for standing in Standing if found[standing]) or "nothing"
    return f"Of {count(found.total(), 'call')} on single types, measured again by {', '.join(answer.waves)}: {said}."


def _of_sides(answer: FleetAnswer) -> list[str]:
    """Return what else than TensorFlow differs between the releases; said once where it is so on all types."""
    said: dict[str, list[str]] = {}
    for name, found in answer.comparisons.items():
        for text in {text: None for one in found for text in notes_text(filter(is_of_sides, one.notes))}:
            said.setdefault(text, []).append(name)
    return [text if len(on) == len(answer.comparisons) else f"{', '.join(on)}: {text}" for text, on in said.items()]


def _undecided(answer: FleetAnswer) -> Iterator[str]:
    """Yield the rows that a type leaves open, those of one reason together."""
    places = Places.of([row.any for row in answer.rows])
    for name, found in answer.comparisons.items():
        by_reason: dict[Reason, list[Row]] = {}
        for row in (row for one in found for row in one.rows):
            if row.judged and row.verdict is Verdict.INCONCLUSIVE:
                by_reason.setdefault(row.reason, []).append(row)
        for rows in by_reason.values():
            which = "; ".join(places.row(row) for row in rows)
            yield f"{name}: {shared_reason_text(rows)}: {which}"


def _q(q: float) -> str:
    return "<0.001" if q < 0.001 else f"{q:.3f}"


def _per_type(answer: FleetAnswer) -> Part:
    lines = []
    for name, found in answer.comparisons.items():
        verdicts = Counter(row.verdict for one in found for row in one.rows if row.judged)
        runs = ", ".join(shown_path(one.run_path) for one in found if one.run_path is not None)
        lines.append((name, runs or "no results", *(str(verdicts[verdict]) for verdict in Verdict)))
    return table(("type", "runs"), ("regressions", "improvements", "unchanged", "inconclusive"), lines)


def _data(answer: FleetAnswer) -> dict[str, Any]:
    """Return the answer as data: rows as `compare` has them on the first type, then each type's, then the fleet's."""
    by_key: dict[tuple[str, ...], dict[str, Any]] = {}
    for found in answer.comparisons.values():
        for comparison in found:
            for row in comparison_data(comparison)["rows"]:
                key = tuple(row[name] for name in _NAMES)
                by_key.setdefault(key, row)
    return {
        "fleet": answer.fleet,
        "confirmed_by": list(answer.waves),
        "old": answer.old,
        "new": answer.new,
        "rows": [
            {
                **by_key[row.any.key],
                "types": {
                    name: {
                        "verdict": one.row.verdict.value,
                        "ratio": one.row.ratio,
                        "low": one.row.low,
                        "high": one.row.high,
                        "q": one.row.q,
                        "standing": None if one.standing is None else one.standing.value,
                        "node": one.node,
                        "run": shown_path(one.run),
                        "reason": one.row.reason.value,
                    }
                    for name, one in row.types.items()
                }
                | _absent(answer.absent.get(row.any.key, {})),
                "fleet": {"verdict": row.statement.verdict, "q": row.statement.q},
            }
            for row in answer.rows
        ]
        + [
            {
                **dict.fromkeys(next(iter(by_key.values()), {})),
                **dict(zip(_NAMES, key, strict=True)),
                "types": _absent(reasons),
                "fleet": {"verdict": _ABSENT, "q": None},
            }
            for key, reasons in answer.absent.items()
            if key not in {row.any.key for row in answer.rows}
        ],
        "coverage": dict(answer.coverage),
        "missing": list(answer.missing),
        "unstaged": list(answer.unstaged),
        "aa": [asdict(one) for one in answer.arms],
    }


def _absent(reasons: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what is said of types that cannot have a row."""
    nothing = dict.fromkeys(("ratio", "low", "high", "q", "node", "run"))
    return {name: {"verdict": _ABSENT, **nothing, "reason": reason} for name, reason in reasons.items()}
