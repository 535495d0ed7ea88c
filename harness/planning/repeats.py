"""The repeats of a run's later blocks, by the noise of its earlier ones."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.measure.limits import Allot
from harness.measure.passes import PASSES
from harness.measure.plan import compared
from harness.measure.presets import Preset
from harness.measure.progress import Progress
from harness.metrics import METRICS, Kind
from harness.store.frame import ROW_KEY, repeats_of_run
from harness.store.pairs import pairs_frame
from harness.store.records import Record, records_of_complete_blocks
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.differences import middle, middle_variance
from harness.verdict.margins import Asked, MarginTable, margin_table
from harness.verdict.repeats import Repeated, RowNoise, allotted, settling_spread

LEARNT_AFTER = (3, 6, 12, 24, 48)
"""Numbers of blocks after which the repeats of the following ones are chosen, by all blocks until then."""

Place = tuple[int, str]
"""Number of a preset's group, and a pass."""

Places = Mapping[tuple[str, str, str], Place]
"""By cell, operation and page cache, as `repeats_frame` writes them."""


def allot_of(root: Path, progress: Progress, margins: Asked | None = None) -> Allot:
    """Return what `measure` asks before each block: the test plan with the repeats of this block.

    The first blocks go by the newest run of the same plan on this machine, where there is one.

    Args:
        root: the project's root.
        progress: is told when repeats change.
        margins: asked for beside those of the run's preset.
    """
    by_blocks: dict[int, Mapping[Place, int]] = {}

    last: Mapping[Place, int] = {}

    def allot(run: RunDirectory, number: int, preset: Preset) -> Preset:
        nonlocal last
        after = max((blocks for blocks in LEARNT_AFTER if blocks <= number), default=0)
        if after not in by_blocks:
            learnt = (run, after) if after else _earlier(root, run)
            by_blocks[after] = allotted(operations_of(*learnt, margins)) if learnt else {}
            said = _told(preset, by_blocks[after], after)
            if said is not None and by_blocks[after] != last:
                progress.say(said)
            last = by_blocks[after]
        return _with(preset, by_blocks[after])

    return allot


def _earlier(root: Path, run: RunDirectory) -> tuple[RunDirectory, int] | None:
    """Return the newest complete run that measured the same plan here, and how many of its blocks to look at."""
    alike = ("preset", "worker version")
    for one in reversed(runs_of(root, run.machine)[0]):
        facts = one.facts
        same = all(facts["fingerprint_parts"].get(name) == run.facts["fingerprint_parts"].get(name) for name in alike)
        if one.run != run.run and same and facts["state"] == "complete" and len(facts["subjects"]) > 1:
            return one, LEARNT_AFTER[-1]
    return None


def operations_of(run: RunDirectory, blocks: int, margins: Asked | None = None) -> dict[Place, Repeated]:
    """Return what the first blocks of a run of two or more subjects tell of the operations that its rows are judged by.

    Only what has the noise of all these blocks is there; what the preset does once a run, or in a few blocks, is not.
    """
    facts = run.facts
    preset, planned = facts["preset"], int(facts["blocks_planned"])
    table = margin_table(preset["time_margin"], preset.get("margins"), margins)
    records = [one for one in run.records()[0] if one["block"] < blocks]
    pairs = _pairs(run, records)
    rows: dict[Place, list[RowNoise]] = defaultdict(list)
    places = {
        (" ".join(cell.values()), each.recorded, each.page_cache or ""): (number, name)
        for number, group in enumerate(preset["groups"])
        for cell in group["cells"]
        for name, each in PASSES.items()
        if group["repeats"].get(name, 0) and group["blocks"] is None and not group["exact_only"]
    }
    for key, members in pairs.groupby(ROW_KEY):
        metric, device, model, variant = map(str, key)
        found = _noise((metric, device, model, variant), members, planned, table, places)
        if found is not None:
            rows[found[0]].append(found[1])
    seconds = _seconds(records_of_complete_blocks(records), places, len(facts["subjects"]))
    return {
        place: Repeated(preset["groups"][place[0]]["repeats"][place[1]], seconds[place], noises)
        for place, noises in rows.items()
        if seconds.get(place)
    }


def _pairs(run: RunDirectory, records: list[Record]) -> pd.DataFrame:
    """Return the whole pairs of the times that are judged, of the subjects that are compared, else of neighbours."""
    judged = [name for name, metric in METRICS.items() if metric.judged and metric.kind is Kind.TIME]
    frame = repeats_of_run(run, records)
    names = [subject["name"] for subject in run.facts["subjects"]]
    sides = compared(names, against_first=run.facts.get("against_first", False)) or itertools.pairwise(names)
    found = [pairs_frame(frame, old, new).assign(sides=number) for number, (old, new) in enumerate(sides)]
    pairs = pd.concat(found, ignore_index=True)
    pairs = pairs[pairs["whole"] & pairs["metric"].isin(judged) & (pairs["old"] > 0) & (pairs["new"] > 0)]
    what = zip(pairs["cell"], pairs["operation"], pairs["page_cache"], strict=True)
    return pairs.assign(
        log=np.log(pairs["new"]) - np.log(pairs["old"]), what=pd.Series(list(what), index=pairs.index, dtype="object")
    )


def _noise(
    key: tuple[str, str, str, str],
    members: pd.DataFrame,
    planned: int,
    margins: MarginTable,
    places: Places,
) -> tuple[Place, RowNoise] | None:
    """Return the noise of a row, and the operation that gives most of its pairs; None where it cannot be said."""
    most = members["what"].mode().iloc[0]
    place = places.get(most)
    by_sides = [
        [group["log"].to_numpy() for _, group in of_sides.groupby("block")] for _, of_sides in members.groupby("sides")
    ]
    spread = _pooled([np.array([middle(one) for one in logs]) for logs in by_sides])
    if place is None or spread is None:
        return None
    margin = margins.margin(Kind.TIME, *key)
    if margin <= 0:
        return None
    target = settling_spread(planned, margin)
    logs = [one for found in by_sides for one in found]
    if PASSES[place[1]].in_turn:
        processes = statistics.fmean(members.groupby(["sides", "block"])["processes"].nunique())
        within, pairs, others, between = spread / middle_variance(max(1, round(processes))) ** 0.5, processes, 0.0, 0.0
    else:
        own = members["what"] == most
        pairs, others = (float(part.sum()) / len(logs) for part in (own, ~own))
        found = _pooled(logs)
        within = spread if found is None else found
        between = max(0.0, spread**2 - within**2 * middle_variance(max(1, round(pairs + others)))) ** 0.5
    return place, RowNoise(within, between, pairs, others, target)


def _pooled(samples: Sequence[NDArray[np.float64]]) -> float | None:
    """Return the standard deviation about each sample's own mean; None where no sample has two values."""
    freedom = sum(one.size - 1 for one in samples)
    return float(sum(((one - one.mean()) ** 2).sum() for one in samples) / freedom) ** 0.5 if freedom else None


def _seconds(records: list[Record], places: Places, subjects: int) -> dict[Place, float]:
    """Return the seconds of one more repeat of each operation: of all cells of its group, for all subjects."""
    taken: dict[Place, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        cell = " ".join((record["cell"] or {}).values())
        place = places.get((cell, record["operation"], record["page_cache"] or ""))
        if place is not None:
            taken[place][cell].append(float(record.get("wall_s", 0.0)))
    return {
        place: subjects * sum(statistics.fmean(seconds) for seconds in cells.values()) for place, cells in taken.items()
    }


def _with(preset: Preset, repeats: Mapping[Place, int]) -> Preset:
    groups = tuple(
        group.with_repeats(**{name: count for (at, name), count in repeats.items() if at == number})
        for number, group in enumerate(preset.groups)
    )
    return replace(preset, groups=groups)


def _told(preset: Preset, repeats: Mapping[Place, int], after: int) -> str | None:
    """Say which operations a block measures more or less often than planned; None where all are as planned."""
    changed: dict[int, list[str]] = defaultdict(list)
    for (at, name), number in sorted(repeats.items()):
        planned = preset.groups[at].repeats[name]
        if preset.groups[at].cells and planned != number:
            title = PASSES[name].title if number == 1 else PASSES[name].titles or PASSES[name].title
            changed[at].append(f"{number} {title} ({planned} planned)")
    if not changed:
        return None
    groups = (
        f"{', '.join(dict.fromkeys(cell.model for cell in preset.groups[at].cells))}: {', '.join(texts)}"
        for at, texts in changed.items()
    )
    learnt = f"{after} blocks, the next ones" if after else "the run before, the next blocks"
    return f"By the noise of {learnt} repeat otherwise: {'; '.join(groups)}."
