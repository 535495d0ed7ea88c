"""`--dry-run`: the cells, the blocks, the minutes expected and the change that could be seen."""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path

from harness.commands import measuring, planning
from harness.measure.passes import PASSES
from harness.measure.presets import Group, Preset, narrow
from harness.metrics import Kind
from harness.store.frame import ROW_KEY, repeats_frame, samples_frame
from harness.store.records import Problem
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.looks import PLANNED, SHARES
from harness.verdict.margins import margin_table
from harness.verdict.power import planned_detectable_ratio
from harness.zoo import families

ASSUMED_IMPORT_S = 4.0
ASSUMED_REPEAT_S = 0.4
ASSUMED_BYTES_PER_S = 250e6
ASSUMED_CUDA_S = 2.5
"""Seconds of an import and of a repeat of a small model, and what comes on top for its parameters, where this machine
has no run to learn from. On two shared cores an import was seen to take 1.5 to 3.6 s, a repeat 0.2 to 0.7 s of small
models and 12 to 26 s of those of 4 GB: an order of magnitude. A repeat on a GPU also starts CUDA and loads its
libraries."""
ASSUMED_SPREAD = 0.05
"""Standard deviation of a block's log difference where nothing was measured here yet."""
FEWEST_TIMED_BLOCKS = 4


def describe_plan(root: Path, options: argparse.Namespace, names: list[str]) -> int:
    """Print what the command would measure; measure and install nothing.

    Raises:
        UsageError: an option or a release's name is wrong.
    """
    preset, absent = measuring.chosen_preset(options)
    looks = options.command == "compare" and options.budget is not None
    calibration = planning.calibration_of(root, options, preset)
    if isinstance(calibration, Problem):
        print(f"{calibration}.")
        calibration = None
    split = planning.split_of_budget(options, calibration) if looks else None
    if split is not None and split.repeats is not None:
        preset = narrow(preset, repeats=split.repeats)
    subjects = [measuring.subject_name(root, name) for name in names]
    print(f"Subjects: {', '.join(subjects)}; preset {preset.name}: {preset.title}.")
    for group in preset.groups:
        of = "every block" if group.blocks is None else f"the first {group.blocks} blocks"
        judged = ", exact rows only" if group.exact_only else ""
        counts = (f"{group.repeats[name]} {each.title}" for name, each in PASSES.items() if group.repeats.get(name))
        print(f"In {of}{judged}: {', '.join(counts)}, of")
        for cell in group.cells:
            print(f"  {cell.model} on {cell.device} by {cell.writer}, read by {cell.reader}")
    for reason in absent:
        print(f"{reason}.")
    known = _run_to_learn_from(root, preset)
    block_s, source = _block_seconds(preset, len(subjects), known, calibration)
    if split is not None:
        block_s = split.seconds / split.blocks
    blocks = preset.blocks if options.budget is None else max(1, int(options.budget / block_s))
    if looks:
        blocks = min(blocks, PLANNED[-1])
    print(f"Blocks: {blocks}, about {block_s / 60:.1f} min each, {blocks * block_s / 60:.0f} min in all ({source}).")
    if looks:
        after = ", ".join(str(look) for look in PLANNED if look <= blocks) or "none"
        print(f"Looks on the way after these blocks: {after}; cells that are settled stop, others get their time.")
    if split is not None and calibration is not None:
        print(planning.split_sentence(split, calibration))
    margins = margin_table(preset.time_margin, preset.margins, vars(options).get("margin"))
    spreads, learnt = _spreads_from(known, calibration, None if split is None else split.repeats)
    _print_detectable(margins.by_kind[Kind.TIME], blocks, spreads, learnt, SHARES[-1] if looks else 1.0)
    return 0


def _run_to_learn_from(root: Path, preset: Preset) -> RunDirectory | None:
    """Return this project's newest run of the same plan, made here, that has at least two blocks."""
    wanted = preset.digest()
    for run in reversed(runs_of(root)[0]):
        same_plan = run.facts.get("fingerprint_parts", {}).get("preset") == wanted
        if same_plan and len(_durations(run)) > 1:
            return run
    return None


def _durations(run: RunDirectory) -> list[float]:
    return [record["duration_s"] for record in run.records()[0] if record["type"] == "block" and record["complete"]]


def _block_seconds(
    preset: Preset, subjects: int, known: RunDirectory | None, calibration: planning.Calibration | None
) -> tuple[float, str]:
    if calibration is not None:
        return float(calibration["block_s"]) / 2 * subjects, f"by the calibration of run {calibration['run']}"
    if known is not None:
        per_subject = statistics.median(_durations(known)) / len(known.facts["subjects"])
        return per_subject * subjects, f"as in run {known.run}"
    groups = [(group, _repeats_s(group)) for group in preset.groups]
    blocks = max(1, preset.blocks)
    in_all = sum(seconds * min(blocks, group.blocks or blocks) for group, seconds in groups)
    return subjects * (ASSUMED_IMPORT_S + in_all / blocks), "a rough guess: this plan has not been measured here yet"


def _repeats_s(group: Group) -> float:
    """Return the assumed seconds of a group's repeats in one block, of one subject."""
    return group.repeats_in_all * sum(
        ASSUMED_REPEAT_S
        + 4 * families.parameters(cell.model) / ASSUMED_BYTES_PER_S
        + (ASSUMED_CUDA_S if cell.device == "gpu" else 0.0)
        for cell in group.cells
    )


def _spreads_from(
    known: RunDirectory | None, calibration: planning.Calibration | None, repeats: int | None
) -> tuple[list[float], str]:
    """Return standard deviations of blocks' log differences, a row each, and where they come from.

    `repeats` are those that the plan has in place of the calibration's, None where it has the same.
    """
    if calibration is not None:
        rows = planning.noise_rows(calibration)
        spreads = [row.floor if repeats is None else row.spread(repeats) for row in rows if row.floor > 0]
        if spreads:
            return spreads, f"the calibration of run {calibration['run']}"
    elif known is not None and (spreads := _spreads(known)):
        return spreads, f"the spread between blocks of run {known.run}"
    return [ASSUMED_SPREAD], f"an assumed spread of {ASSUMED_SPREAD:.0%}"


def _print_detectable(margin: float, blocks: int, spreads: list[float], source: str, share: float) -> None:
    """Print the smallest change in time that `blocks` blocks would call with 80 % power."""
    if blocks < FEWEST_TIMED_BLOCKS:
        print(f"Detectable: no change in time; a verdict takes {FEWEST_TIMED_BLOCKS} blocks, this plan has {blocks}.")
        return
    typical = statistics.median(spreads)
    alone, among = (
        _change(planned_detectable_ratio(typical, blocks, margin, rows, share)) for rows in (1, len(spreads))
    )
    many = f", {among} if it is the only one among {len(spreads)}" if len(spreads) > 1 else ""
    print(
        f"Detectable: in a row of typical noise a change in time of {alone} if it were judged alone{many} "
        f"(80 % power beyond the margin of {margin:.0%}; from {source})."
    )


def _change(ratio: float | None) -> str:
    return "more than tenfold" if ratio is None else f"{ratio - 1:.0%}"


def _spreads(run: RunDirectory) -> list[float]:
    """Return, for each row in seconds, the standard deviation of a block's log difference of two subjects."""
    names = [subject["name"] for subject in run.facts["subjects"]][:2]
    samples = samples_frame(repeats_frame([run.path]))
    timed = samples[(samples["unit"] == "seconds") & (samples["value"] > 0)]
    if len(names) < 2 or timed.empty:
        return []
    table = timed.pivot_table(index=[*ROW_KEY, "block"], columns="subject", values="value")
    if not set(names) <= set(table.columns):
        return []
    differences = table[names[1]].map(math.log) - table[names[0]].map(math.log)
    spreads = differences.groupby(level=ROW_KEY).std().dropna()
    return [float(spread) for spread in spreads if spread > 0]
