"""The doctor's findings and the floors, for a terminal and as JSON (schema 1: fields may be added)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.machine.findings import GPU, Finding, Severity
from harness.machine.floors import Floor
from harness.report.numbers import count, quantity, rate, work
from harness.report.table import to_text

SCHEMA = 1

_SIGNS = {Severity.OK: "ok", Severity.ADVICE: "advice", Severity.PROBLEM: "PROBLEM"}


def render_fitness_table(findings: Sequence[Finding], floors: Sequence[Floor] | None = None, *, width: int) -> str:
    """Return the findings in the order they were made, each with its advice, then the answer in a sentence."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        text = finding.text if finding.advice is None else f"{finding.text}\n-> {finding.advice}"
        table.add_row(_SIGNS[finding.severity], finding.code, text)
    parts: list[RenderableType] = [table, Text()]
    if floors is not None:
        parts += [_floor_table(floors), Text()]
    parts.append(Text(f"Answer: {answer(findings)}"))
    return to_text(parts, width=width, colour=False)


def answer(findings: Sequence[Finding]) -> str:
    """Return what the findings come to, in a sentence."""
    problems = [finding for finding in findings if finding.severity is Severity.PROBLEM]
    advised = [finding for finding in findings if finding.severity is Severity.ADVICE]
    if problems:
        codes = ", ".join(finding.code for finding in problems)
        if codes == GPU:
            return f"the GPU cannot be measured before this is solved: {codes}; --device cpu measures the CPU alone."
        return f"nothing can be measured here before this is solved: {codes}."
    if advised:
        return f"this machine can measure; {count(len(advised), 'finding')} would make its numbers better."
    return "this machine is fit for measuring."


def render_fitness_json(findings: Sequence[Finding], floors: Sequence[Floor] | None = None) -> str:
    """Return one JSON document; `floors` is null where they were not measured."""
    document = {
        "schema": SCHEMA,
        "fit": all(finding.severity is not Severity.PROBLEM for finding in findings),
        "findings": [{**asdict(finding), "severity": finding.severity.value} for finding in findings],
        "floors": None if floors is None else [floor.as_record() for floor in floors],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _floor_table(floors: Sequence[Floor]) -> Table:
    table = Table(
        box=None, padding=(0, 2, 0, 0), title="Floors: the least that this hardware allows", title_justify="left"
    )
    for name in ("what", "amount", "fastest", "slowest", "rate"):
        table.add_column(name, justify="left" if name == "what" else "right")
    table.add_column("how")
    for floor in floors:
        times = (quantity(one, "seconds") for one in (floor.wall_s, max(floor.tries_s, default=floor.wall_s)))
        amounts = (work(floor.amount, floor.unit), *times, rate(floor.rate, floor.unit))
        table.add_row(floor.name, *amounts, floor.reason or floor.how)
    return table
