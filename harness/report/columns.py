"""A plain table of texts: columns as wide as their widest cell, for reports that are not laid out to a width."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len

from harness.report.names import one_line


def aligned(lines: Sequence[Sequence[str]], numbers: Collection[int] = ()) -> list[str]:
    """Return the lines of a table with two blanks between columns.

    Args:
        lines: the headings, then the rows; all have as many cells.
        numbers: places of the columns that are set to the right.
    """
    shown = [[one_line(cell) for cell in line] for line in lines]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(
            " " * (width - cell_len(cell)) + cell if at in numbers else cell + " " * (width - cell_len(cell))
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in shown
    ]
