"""What a fleet that measured no time found out: what is missing, where types differ, then the answer of each type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.answers.check import Cell, Check
from harness.answers.inspection import Inspection, difference
from harness.answers.shortfall import EXIT_CODE
from harness.fleet.chunk_answer import ChunkAnswer
from harness.report.check import report_check, state_text
from harness.report.document import Document, Note, Paragraph, Part, Report, Section, Tone, table
from harness.report.inspection import report_inspection
from harness.report.numbers import count
from harness.report.screens.check import with_check_screen


def report_chunks(answer: ChunkAnswer) -> Report:
    """Return the one answer of a fleet that was asked to check or to inspect.

    Types of equal answers are told together. The exit code is that of `check`: 1 if a model is broken on any type, 3 if
    something is missing.
    """
    notes = tuple(f"Missing: {one}." for one in answer.missing)
    reports = {name: with_check_screen(report_check(one), one) for name, one in answer.checks.items()}
    reports |= {name: _inspected(one) for name, one in answer.inspections.items()}
    groups: dict[str, list[str]] = {}
    for name in reports:
        same = next((first for first in groups if _same(reports[first].data, reports[name].data)), name)
        groups.setdefault(same, []).append(name)
    above: list[Part] = [Note(note) for note in notes]
    differing = _differing(answer.checks)
    if differing:
        types = list(answer.checks)
        rows = [(model, *(texts.get(name, "") for name in types)) for model, texts in differing.items()]
        above.append(Section("Machine types differ", (table(("model", *types), (), rows),)))
    parts, screen = [*above], [*above]
    for first, names in groups.items():
        titled: list[Part] = []
        if len(reports) > 1 or answer.missing:
            titled = [Paragraph(f"On {' and '.join(names)}:", Tone.STRONG)]
        parts += [*titled, *reports[first].document.parts]
        screen += [*titled, *(reports[first].screen or reports[first].document).parts]
    code = answer.exit_code
    shortfall = None
    if code == EXIT_CODE:
        shortfall = f"{answer.arrived} of {count(answer.asked, 'answer')} arrived; the report says what is missing."
    data: dict[str, Any] = {
        "fleet": answer.fleet,
        "types": {name: dict(report.data) for name, report in reports.items()},
        "differing": differing,
        "answers": {"asked": answer.asked, "arrived": answer.arrived},
        "missing": list(answer.missing),
    }
    document = Document(None, tuple(parts))
    is_check = bool(answer.checks)
    return Report(
        "fleet",
        document,
        data,
        code,
        notes,
        shortfall=shortfall,
        screen=Document(None, tuple(screen)) if is_check else None,
    )


def _inspected(found: tuple[Inspection, ...]) -> Report:
    return report_inspection(found[0], difference(*found) if len(found) > 1 else None)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two types' answers are equal; NaN is equal to itself here."""
    return repr(one) == repr(other)


def _differing(checks: Mapping[str, Check]) -> dict[str, dict[str, str]]:
    """Return the models that do something else on one machine type than on another, and what they do on each."""
    cells: dict[str, dict[str, Cell]] = {}
    for name, one in checks.items():
        for checked in one.models:
            cell = one.decisive(checked)
            if cell is not None:
                cells.setdefault(checked.model.called, {})[name] = cell
    return {
        model: {name: state_text(cell) for name, cell in found.items()}
        for model, found in cells.items()
        if len({cell.state for cell in found.values()}) > 1
    }
