"""`--dry-run`: the cells, the blocks, the minutes expected and the change that could be seen."""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path

from harness.commands import measuring, planning
from harness.commands.durations import Durations, learn
from harness.measure.passes import PASSES
from harness.measure.presets import Preset, narrow
from harness.metrics import Kind
from harness.releases.environments import Environment
from harness.report.numbers import count
from harness.store.frame import ROW_KEY, repeats_frame, samples_frame
from harness.store.machines import this_machine
from harness.store.records import Problem
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.looks import PLANNED, SHARES
from harness.verdict.margins import margin_table
from harness.verdict.power import planned_detectable_ratio

ASSUMED_SPREAD = 0.05
"""Standard deviation of a block's log difference where nothing was measured here yet."""
FEWEST_TIMED_BLOCKS = 4


def describe_plan(root: Path, options: argparse.Namespace, names: list[str]) -> int:
    """Print what the command would measure; measure and install nothing.

    Raises:
        UsageError: an option or a release's name is wrong, or most of the plan has no room on this machine.
    """
    preset, absent = measuring.chosen_preset(options)
    measuring.require_room(root, preset, this_machine(root, options.machine).name)
    looks = options.command == "compare" and options.budget is not None
    calibration = planning.calibration_of(root, options, preset)
    if isinstance(calibration, Problem):
        print(f"{calibration}.")
        calibration = None
    split = planning.split_of_budget(options, calibration) if looks else None
    if split is not None and split.repeats is not None:
        preset = narrow(preset, repeats=split.repeats)
    choice, subjects = measuring.described_subjects(root, options, names)
    print(f"Subjects: {', '.join(name for name, _ in subjects)}; preset {preset.name}: {preset.title}.")
    for name, environment in dict(subjects).items():
        print(f"  {name}: {_had_from(environment)}")
    if choice is not None:
        print(f"{measuring.python_sentence(choice, len(subjects))}.")
    unlocked = {environment.name for _, environment in subjects if environment.is_unlocked}
    if unlocked:
        print(f"Makes {count(len(unlocked), 'lock')} first, which the package index is asked for.")
    missing = {environment.name for _, environment in subjects if not environment.installed}
    if missing:
        print(f"Installs {count(len(missing), 'release')} first, about a minute each.")
    for group in preset.groups:
        first = "the first block" if group.blocks == 1 else f"the first {group.blocks} blocks"
        of = "every block" if group.blocks is None else first
        judged = ", exact rows only" if group.exact_only else ""
        repeats = ((group.repeats.get(name, 0), each) for name, each in PASSES.items())
        counts = (count(number, each.title, each.titles or each.title) for number, each in repeats if number)
        print(f"In {of}{judged}: {', '.join(counts)}, of")
        for cell in group.cells:
            print(f"  {cell.model} on {cell.device} by {cell.writer}, read by {cell.reader}")
    for reason in absent:
        print(f"{reason}.")
    known = _run_to_learn_from(root, preset)
    block_s, source = _block_seconds(root, options, preset, len(subjects), known, calibration)
    if split is not None:
        block_s = split.seconds / split.blocks
    blocks = preset.blocks if options.budget is None else max(1, int(options.budget / block_s))
    if looks:
        blocks = min(blocks, PLANNED[-1])
    in_all = "" if blocks == 1 else f" each, {_time(blocks * block_s)} in all"
    print(f"Blocks: {blocks}, about {_time(block_s)}{in_all} ({source}).")
    if looks:
        after = ", ".join(str(look) for look in PLANNED if look <= blocks) or "none"
        print(f"Looks on the way after these blocks: {after}; cells that are settled stop, others get their time.")
    if split is not None and calibration is not None:
        print(planning.split_sentence(split, calibration))
    margins = margin_table(preset.time_margin, preset.margins, vars(options).get("margin"))
    spreads, learnt = _spreads_from(known, calibration, None if split is None else split.repeats)
    _print_detectable(margins.by_kind[Kind.TIME], blocks, spreads, learnt, SHARES[-1] if looks else 1.0)
    return 0


def _had_from(environment: Environment) -> str:
    """Return where a subject's TensorFlow comes from: "cpu wheel, policy today"."""
    if environment.wheel is None:
        return f"the interpreter {environment.python}, whose dependencies are not locked"
    return f"{environment.wheel} wheel, policy {environment.policy}"


def _run_to_learn_from(root: Path, preset: Preset) -> RunDirectory | None:
    """Return this project's newest run of the same plan, made here, that has at least two blocks."""
    wanted = preset.digest()
    for run in reversed(runs_of(root)[0]):
        same_plan = run.facts.get("fingerprint_parts", {}).get("preset") == wanted
        if same_plan and len(_durations(run)) > 1:
            return run
    return None


def _durations(run: RunDirectory) -> list[float]:
    """Return the seconds of the planned blocks; one that only measured again what was disturbed is none."""
    blocks = (record for record in run.records()[0] if record["type"] == "block" and record["complete"])
    return [record["duration_s"] for record in blocks if record.get("stands_for") is None]


def _block_seconds(
    root: Path,
    options: argparse.Namespace,
    preset: Preset,
    subjects: int,
    known: RunDirectory | None,
    calibration: planning.Calibration | None,
) -> tuple[float, str]:
    """Return the seconds that a block of the plan takes on average, and how that is known."""
    if calibration is not None:
        return float(calibration["block_s"]) / 2 * subjects, f"by the calibration of run {calibration['run']}"
    if known is not None:
        per_subject = statistics.median(_durations(known)) / len(known.facts["subjects"])
        return per_subject * subjects, f"as in run {known.run}"
    found = learn(runs_of(root, this_machine(root, options.machine).name)[0], preset)
    blocks = range(max(1, preset.blocks))
    seconds = statistics.fmean(found.block_s(preset, number, options.isolation) for number in blocks)
    return subjects * seconds, _learnt(found, preset)


def _learnt(found: Durations, preset: Preset) -> str:
    """Return from what expected seconds come."""
    unknown = found.unknown(preset)
    if not found.factors:
        return "a rough guess by what each repeat does: nothing like it has been measured here yet"
    measured = f"by what repeats took in {count(len(found.runs), 'earlier run')} here"
    return f"{measured}; a rough guess for {', '.join(unknown)}" if unknown else measured


def _time(seconds: float) -> str:
    """Return seconds as a person says them: "24 s", "4.2 min", "3.1 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


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
