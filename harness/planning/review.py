"""`--budget` of `compare`: after each look, what is settled stops and what is near a decision gets the blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.answers.judging import Selection, compare_in_run
from harness.measure.limits import Review
from harness.measure.presets import Cell
from harness.measure.progress import Progress
from harness.store.records import Record, records_of_complete_blocks
from harness.store.runs import RunDirectory
from harness.verdict.allocation import Allocation, CellKey, affordable, allocate
from harness.verdict.looks import PLANNED
from harness.verdict.margins import Asked


def review_of(operations: Sequence[str] | None, progress: Progress, margins: Asked | None = None) -> Review:
    """Return the review that `measure` asks after each look.

    Args:
        operations: the operations that are judged; all where None.
        progress: is told what each look decided.
        margins: asked for beside those of the run's preset.
    """

    def review(run: RunDirectory, left_s: float) -> frozenset[Cell] | None:
        old, new = (subject["name"] for subject in run.facts["subjects"])
        rows = compare_in_run(run, old, new, Selection(operations), margins=margins).rows
        records = records_of_complete_blocks(run.records()[0])
        done = run.facts["looks"][-1]
        import_s, cost_s = block_seconds([record for record in records if record["block"] == done - 1])
        # A cell that stopped stays stopped: with a gap in its blocks its next look would not be the planned one.
        allocation = allocate(rows, list(cost_s), PLANNED[-1])
        upcoming = next((blocks for blocks in PLANNED if blocks > done), done)
        kept = affordable(allocation.cells, cost_s, import_s=import_s, left_s=left_s, blocks=upcoming - done)
        progress.say(_told(done, allocation, len(kept), len(cost_s)))
        return None if allocation.is_done else frozenset(Cell(*cell) for cell in kept)

    return review


def block_seconds(records: Iterable[Record]) -> tuple[float, dict[CellKey, float]]:
    """Return the seconds of one block: of its imports, and of each cell, in the order measured.

    Args:
        records: the repeat records of that block.
    """
    import_s, cost_s = 0.0, defaultdict[CellKey, float](float)
    for record in records:
        cell, seconds = record["cell"], float(record.get("wall_s", 0.0))
        if cell is None:
            import_s += seconds
        else:
            cost_s[cell["device"], cell["model"], cell["writer"], cell["reader"]] += seconds
    return import_s, dict(cost_s)


def _told(done: int, allocation: Allocation, kept: int, cells: int) -> str:
    beyond = ""
    if allocation.beyond_reach:
        beyond = f"; {allocation.beyond_reach} would need more than {PLANNED[-1]} blocks or cannot be decided"
    if allocation.is_done:
        return f"After {done} blocks: more blocks would not decide anything else{beyond}."
    return (
        f"After {done} blocks, {allocation.rows} comparison{' is' if allocation.rows == 1 else 's are'} inconclusive: "
        f"{kept} of {cells} test cases are measured further{beyond}."
    )
