"""What `make speed` says: tables for the terminal and for docs/speed.md, and the verdicts on its targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .accounting import Account

BEGIN = "<!-- numbers: written by `make speed ARGS=--write-docs`, from here -->"
END = "<!-- numbers: to here -->"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that was measured, and what it should be."""

    part: str  # a letter; the job, of the history
    title: str
    value: float
    limit: float
    at_most: bool  # else at least
    unit: str  # "%", "x", "s" or "MiB"

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def cells(self) -> tuple[str, ...]:
        """Return the target as a row of text."""
        side = "at most" if self.at_most else "at least"
        limit = f"{side} {self.limit:g} {self.unit}"
        value = f"{self.value:.1f}" if self.value >= 0.1 or self.value == 0 else f"{self.value:.2g}"
        return self.part, self.title, f"{value} {self.unit}", limit, "met" if self.met else "MISSED"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table whose columns also line up in a terminal."""
    texts = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in texts
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def targets_table(targets: Iterable[Target]) -> list[str]:
    """Return the verdicts on all targets."""
    return table(("part", "what", "measured", "target", ""), [target.cells() for target in targets])


def account_tables(found: Account) -> list[str]:
    """Return where the seconds went: by kind, then phase by phase."""
    rest_s = found.without_imports_s
    kinds = [
        (kind, f"{s:.2f}", f"{s / found.total_s:.1%}", "" if kind == "import" else f"{s / rest_s:.1%}")
        for kind, s in found.by_kind().items()
    ]
    phases = [
        (line.operation, line.phase, line.kind, line.count, f"{line.wall_s:.2f}", f"{line.wall_s / found.total_s:.1%}")
        for line in found.lines
    ]
    left = [
        (operation, "unnamed", "", "", f"{s:.2f}", f"{s / found.total_s:.1%}") for operation, s in found.unnamed.items()
    ]
    return [
        f"Wall time {found.total_s:.1f} s, {rest_s:.1f} s of it without imports.",
        "",
        *table(("kind", "seconds", "of all", "without imports"), kinds),
        "",
        *table(("operation", "phase", "kind", "times", "seconds", "of all"), phases + left),
    ]


def account_document(found: Account) -> dict[str, Any]:
    """Return the account as plain data."""
    return {
        "total_s": found.total_s,
        "without_imports_s": found.without_imports_s,
        "unnamed_s": found.unnamed_s,
        "kinds_s": found.by_kind(),
        "lines": [asdict(line) for line in found.lines],
        "unnamed_by_operation_s": dict(found.unnamed),
    }


def write_docs(path: Path, lines: Sequence[str], begin: str = BEGIN) -> None:
    """Put the lines between the mark `begin` of docs/speed.md and the next END."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{path} lacks the lines {begin!r} and {END!r}, between which the numbers stand")
    path.write_text("\n".join([before + begin, "", *lines, "", END]) + after, encoding="utf-8")
