"""Which cells of a budgeted run get more blocks after a look, and which have had enough.

A cell stays open while one of its judged rows is undecided and would be settled, with 80 % power, by the last look.
Settled cells stop, and so do those that would take more blocks than there are looks: their rows say how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.verdict.rows import Row, Verdict

CellKey = tuple[str, str, str, str]
"""Device, model, writer, reader."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the next blocks measure.

    `cells` by the blocks, in all, at which their first row would be settled; `imports` says that a row about the
    import alone is open (every block imports); `rows` counts the undecided rows behind both, `beyond_reach` those that
    would take more blocks than the last look has, or more than any.
    """

    cells: Mapping[CellKey, int]
    imports: bool
    rows: int
    beyond_reach: int

    @property
    def is_done(self) -> bool:
        """Whether no further block would settle anything."""
        return not self.cells and not self.imports


def allocate(rows: Iterable[Row], cells: Sequence[CellKey], last_look: int) -> Allocation:
    """Choose the cells that stay open after a look.

    Args:
        rows: the judged run.
        cells: those measured so far, in the run's order.
        last_look: blocks at the last look.

    A row that no single cell owns (building a model, saving for two readers) is served by the first cell that measures
    it.
    """
    chosen: dict[CellKey, int] = {}
    imports, served, beyond_reach = False, 0, 0
    for row in rows:
        if not row.judged or row.verdict is not Verdict.INCONCLUSIVE:
            continue
        if row.blocks_needed is None or row.blocks_needed > last_look:
            beyond_reach += 1
            continue
        if row.device == "-":
            imports, served = True, served + 1
            continue
        owner = next((cell for cell in cells if _measures(cell, row)), None)
        if owner is not None:
            chosen[owner] = min(chosen.get(owner, row.blocks_needed), row.blocks_needed)
            served += 1
    return Allocation(chosen, imports, served, beyond_reach)


def affordable(
    open_cells: Mapping[CellKey, int], cost_s: Mapping[CellKey, float], *, import_s: float, left_s: float, blocks: int
) -> frozenset[CellKey]:
    """Return the open cells for which the time left reaches the next look, those nearest to a decision first.

    Args:
        open_cells: cells and the blocks at which they would be settled, as in `Allocation`.
        cost_s: seconds a block of each cell; a cell without an entry is taken to be free.
        import_s: seconds of a block before its first cell.
        left_s: seconds left.
        blocks: blocks until the next look.

    At least one cell is kept: blocks that do not reach the look are judged at the end of the budget all the same.
    """
    kept: list[CellKey] = []
    spent_s = import_s * blocks
    for cell in sorted(open_cells, key=lambda cell: (open_cells[cell], cost_s.get(cell, 0.0))):
        spent_s += cost_s.get(cell, 0.0) * blocks
        if kept and spent_s > left_s:
            break
        kept.append(cell)
    return frozenset(kept)


def _measures(cell: CellKey, row: Row) -> bool:
    device, model, writer, reader = cell
    if row.device != device or row.model not in ("-", model):
        return False
    # Whatever the way to call and the batch: they are measured with their cell.
    return row.variant.partition(" ")[0] in ("-", writer, f"{writer}/{reader}")
