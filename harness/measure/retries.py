"""Blocks that the machine disturbed: which they are, and how many may be measured once more.

A block is spoilt where an operation of a cell has no whole pair of two subjects: in every round that gave numbers of
both, one or the other is tainted by something that passes. Such rows then have no difference from this block (no
sample, where a subject is measured alone). Its disturbed cells are measured once more, as a further block under a
number of its own: the records stay, tainted repeats stay out of every sample, and the further block says whose place it
takes. What counts is the taint, never the value, so that nothing is measured again until it pleases. An import alone is
not worth a block.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from harness.store.records import IN_TURN, Record, complete_blocks, records_of_complete_blocks

RETRIES_VARIABLE = "SAVEDMODEL_BENCH_RETRIES"
"""0 leaves disturbed blocks as they are: for tests, which share the machine and ask for no calm number."""

RETRY_SHARE = 0.25
"""Further blocks per planned block, at least one: a machine that needs more is not fit, and waiting does not help."""

PASSING = ("foreign-load", "steal", "swap-in", "throttle", "foreign-gpu", "jit-compiled", "governor")
"""Kinds of taint that may be gone a block later. A page cache that cannot be emptied, or a disk that is full, would
only spoil the next block as well."""


_Place = tuple[tuple[tuple[str, str], ...], str, str | None]  # cell, operation, page cache
_Taints = dict[int, list[str]]  # of one subject at a place, by repeat


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What a block lacks: how many operations of cells have no undisturbed pair, and the first reason."""

    places: int
    reason: str
    cells: tuple[Mapping[str, str], ...] = ()  # in which they are


def spoilt_blocks(records: Iterable[Record]) -> dict[int, Spoilt]:
    """Return the complete blocks in which an operation of a cell lacks an undisturbed pair, by number.

    Failed and unsupported repeats do not spoil a block: another try would not change them.
    """
    blocks: dict[int, dict[_Place, dict[str, _Taints]]] = {}
    for record in records_of_complete_blocks(records):
        cell = record.get("cell")
        if cell and record["status"] == "ok" and not record["operation"].endswith(IN_TURN):
            place = (tuple(cell.items()), record["operation"], record.get("page_cache"))
            taints = [taint for taint in record.get("taints") or () if taint.partition(":")[0] in PASSING]
            subjects = blocks.setdefault(record["block"], {}).setdefault(place, {})
            subjects.setdefault(record["subject"], {})[record.get("repeat", 0)] = taints
    found = {}
    for block, places in sorted(blocks.items()):
        without = {place: why for place, subjects in places.items() if (why := _without_pair(subjects)) is not None}
        if without:
            cells = tuple(dict(cell) for cell in dict.fromkeys(cell for cell, *_ in without))
            found[block] = Spoilt(len(without), next(iter(without.values())), cells)
    return found


def _without_pair(subjects: Mapping[str, _Taints]) -> str | None:
    """Return the first taint where two subjects have rounds together and none undisturbed, None where no two have.

    A subject that alone gave numbers has nothing to pair with: its own repeats tell.
    """
    sides = list(subjects.values())
    for old, new in combinations(sides, 2) if len(sides) > 1 else [(sides[0], sides[0])]:
        rounds = [old[repeat] + new[repeat] for repeat in old if repeat in new]
        if rounds and all(rounds):
            return rounds[0][0]
    return None


def stands_for(records: Iterable[Record]) -> dict[int, int]:
    """Return whose place each further block takes, by its number; complete blocks only."""
    kept = list(records)
    completed = complete_blocks(kept)
    return {
        record["block"]: record["stands_for"]
        for record in kept
        if record["type"] == "block" and isinstance(record.get("stands_for"), int) and record["block"] in completed
    }


def next_retry(spoilt: Mapping[int, Spoilt], further: Mapping[int, int], planned: int) -> int | None:
    """Return the block to be measured once more, None where none is to be or no further block is left.

    Args:
        spoilt: the spoilt blocks, further ones included.
        further: whose place each further block takes.
        planned: how many blocks the run wants.

    A further block that is spoilt itself is tried again, after those that had no second chance yet.
    """
    if os.environ.get(RETRIES_VARIABLE) == "0" or len(further) >= max(1, math.floor(planned * RETRY_SHARE)):
        return None
    settled = {original for block, original in further.items() if block not in spoilt}
    tries = {original: list(further.values()).count(original) for original in spoilt}
    waiting = [block for block in spoilt if block not in further and block not in settled]
    return min(waiting, key=lambda block: (tries[block], block), default=None)


def disturbance_text(spoilt: Mapping[int, Spoilt], further: Mapping[int, int]) -> str | None:
    """Return one sentence on what the machine's disturbances cost a run, None where they cost nothing."""
    if not spoilt:
        return None
    settled = {original for block, original in further.items() if block not in spoilt}
    left = [block for block in spoilt if block not in settled and block not in further]
    count = "1 block was" if len(spoilt) == 1 else f"{len(spoilt)} blocks were"
    kinds = ", ".join(sorted({one.reason.partition(":")[0] for one in spoilt.values()}))
    text = f"{count} disturbed so much that some rows have no undisturbed measurement there ({kinds})"
    if further:
        text += f"; {len(further)} measured once more"
    return text + (f"; {len(left)} without a calm second try" if left else "")
