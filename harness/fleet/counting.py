"""Which delivery of a job counts: of two deliveries of one block the newer attempt's, and nothing is pooled.

A successor goes on from what was delivered before it, in the same run, so its delivery begins with those blocks. An
attempt that Slurm had given up and that goes on all the same, an orphan, measures blocks that its successor measures
as well: the two deliveries begin alike and then differ. Then the newer one counts, whole, as soon as it has completed a
block of its own; the orphan's is kept aside, also where it has more blocks. Where the successor has measured nothing,
the orphan's is the only delivery of its blocks and counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.fleet.delivery import blocks_of
from harness.fleet.folder import FleetFolder, JobPlan
from harness.store.records import Record, complete_blocks, read_records

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery that does not count: a newer attempt's does, or another was merged before. It stays where it is."""

    job: str
    attempt: int
    blocks: int
    path: Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What of a job's deliveries is in the results: a file of records, so far."""

    run: Path
    size: int  # bytes


def counting(fleet: FleetFolder, job: JobPlan, taken: Taken | None = None) -> tuple[Path | None, list[Kept]]:
    """Return the delivery of a job that counts, and those that are kept aside.

    Args:
        fleet: the fleet.
        job: the job.
        taken: what is in the results already: only what has more of the same takes its place.
    """
    found = [(attempt.number, run) for attempt in fleet.attempts(job.name) for run in attempt.delivered()]
    own = [
        (number, run)
        for number, run in found
        if not any(other < number and is_beginning(run, older) for other, older in found)
    ]
    if not own:
        return None, []
    best = own[0][1]
    for _, run in own[1:]:
        best = run if _succeeds(run, best) else best
    if taken is not None and not is_beginning(taken.run, best, taken.size):
        best = taken.run
    aside = [
        Kept(job.name, number, blocks_of(run), run)
        for number, run in own
        if run != best and not is_beginning(run, best)
    ]
    return best, [one for one in aside if one.blocks]


def is_beginning(shorter: Path, longer: Path, size: int | None = None) -> bool:
    """Whether a delivery, or its first `size` bytes, is what another one went on from, which then holds all of it."""
    if (shorter.parent.name, shorter.name) != (longer.parent.name, longer.name):
        return False
    if shorter == longer:
        return True
    first, second = shorter / "records.jsonl", longer / "records.jsonl"
    try:
        left = first.stat().st_size if size is None else size
        if left > second.stat().st_size:
            return False
        with first.open("rb") as one, second.open("rb") as other:
            while left and (data := one.read(min(left, _CHUNK))):
                if other.read(len(data)) != data:
                    return False
                left -= len(data)
    except FileNotFoundError:
        return False
    return True


def _succeeds(newer: Path, older: Path) -> bool:
    """Whether a newer attempt's delivery has completed a block that the older one does not have in it."""
    if is_beginning(older, newer):
        return True
    before = _blocks(older) if newer.name == older.name else {}
    return any(before.get(block) != records for block, records in _blocks(newer).items())


def _blocks(run: Path) -> dict[int, list[Record]]:
    """Return the records of each complete block."""
    records = read_records(run / "records.jsonl")[0]
    complete = complete_blocks(records)
    found: dict[int, list[Record]] = {block: [] for block in complete}
    for one in records:
        if complete.get(one["block"]) == one.get("attempt", 0):
            found[one["block"]].append(one)
    return found
