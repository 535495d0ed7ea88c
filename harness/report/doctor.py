"""What `doctor` found out about this machine, and the floors of its hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from harness.machine.findings import GPU, Finding, Severity
from harness.machine.floors import Floor
from harness.report.document import (
    Cell,
    Column,
    Document,
    Lines,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tone,
    table,
)
from harness.report.numbers import rate, work

IMPOSSIBLE = 3

_SIGNS = {Severity.OK: "ok", Severity.ADVICE: "advice", Severity.PROBLEM: "PROBLEM"}
_TONES = {Severity.OK: Tone.PLAIN, Severity.ADVICE: Tone.WARNING, Severity.PROBLEM: Tone.WORSE}


def report_doctor(findings: Sequence[Finding], floors: Sequence[Floor] | None = None) -> Report:
    """Return the findings in the order they were made, each with its advice, and what they come to in a sentence.

    The exit code is 3 if a problem keeps everything from being measured; `floors` are None where they were not
    measured.
    """
    rows = tuple(Row((_SIGNS[one.severity], one.code, _told(one)), _TONES[one.severity]) for one in findings)
    columns = tuple(map(Column, ("", "what", "found, and what to do")))
    parts: list[Part] = [Table(columns, rows)]
    if floors is not None:
        parts.append(Section("Hardware lower bounds", (_floor_table(floors),)))
    parts += [Paragraph(""), Paragraph(f"Result: {answer(findings)}", Tone.STRONG)]
    is_fit = all(finding.severity is not Severity.PROBLEM for finding in findings)
    data = {
        "fit": is_fit,
        "findings": [{**asdict(finding), "severity": finding.severity.value} for finding in findings],
        "floors": None if floors is None else [floor.as_record() for floor in floors],
    }
    return Report("doctor", Document(None, tuple(parts)), data, 0 if is_fit else IMPOSSIBLE)


def answer(findings: Sequence[Finding]) -> str:
    """Return what the findings come to, in a sentence."""
    problems = [finding for finding in findings if finding.severity is Severity.PROBLEM]
    advised = [finding for finding in findings if finding.severity is Severity.ADVICE]
    if problems:
        codes = ", ".join(finding.code for finding in problems)
        if codes == GPU:
            return f"the GPU cannot be measured until this is solved: {codes}; --device cpu measures the CPU alone."
        return f"nothing can be measured here until this is solved: {codes}."
    if advised:
        them = "recommendation" if len(advised) == 1 else f"{len(advised)} recommendations"
        return f"this machine can be used. Following the {them} above would make its results more precise."
    return "this machine is suitable for benchmarking."


def _told(finding: Finding) -> Cell:
    return finding.text if finding.advice is None else Lines((finding.text, f"-> {finding.advice}"))


def _floor_table(floors: Sequence[Floor]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for floor in floors:
        times = (Quantity(one, "seconds") for one in (floor.wall_s, max(floor.tries_s, default=floor.wall_s)))
        amounts: tuple[Cell, ...] = (work(floor.amount, floor.unit), *times, rate(floor.rate, floor.unit))
        rows.append((floor.name, floor.reason or floor.how, *amounts))
    return table(("what", "how"), ("amount", "fastest", "slowest", "rate"), rows)
