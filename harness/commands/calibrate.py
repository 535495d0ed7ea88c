"""`savedmodel-bench calibrate`: a subject against itself, and what that says about this machine."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.commands import compare, judging
from harness.commands.forecast import describe_plan
from harness.errors import UsageError
from harness.measure.limits import Limits
from harness.metrics import METRICS, Kind
from harness.releases.commands import find_root
from harness.releases.environments import installable, obstacle
from harness.releases.manifest import read_manifest
from harness.report.calibration import BLOCKS, CalibrationReport, advise, render_calibration
from harness.store.calibrations import repeats_by_row, write_calibration
from harness.store.frame import repeats_frame
from harness.store.records import Record, records_of_complete_blocks
from harness.store.runs import RunDirectory
from harness.store.taints import kind_of
from harness.verdict.calibration import (
    FEWEST_BLOCKS,
    Noise,
    Repeats,
    Split,
    best_split,
    calls_spread,
    detectable,
    false_alarms,
    noise_of,
)
from harness.verdict.margins import margin_table
from harness.verdict.rows import Verdict

BUDGETS_S = (600.0, 1800.0, 3600.0)
REPEATS = (1, 2, 3, 5, 8)


def calibrate(options: argparse.Namespace) -> int:
    """Measure a subject against itself, write the calibration of this machine and preset, and tell."""
    root = find_root()
    name = options.subject or _newest(root, options.python)
    if options.dry_run:
        return describe_plan(root, options, [name, name])
    outcome = compare.measure_subjects(root, options, "calibrate", [name, name], Limits(budget_s=options.budget))
    if outcome.interrupted:
        return compare.INTERRUPTED
    if outcome.blocks < FEWEST_BLOCKS:
        raise UsageError(
            f"{outcome.blocks} blocks say nothing about noise: at least {FEWEST_BLOCKS} are needed, as in --blocks 8."
        )
    report = report_of(outcome.run)
    if report.unknown and not report.rows:
        raise UsageError(_useless(outcome.run, root))
    if report.shortfall is not None:
        raise UsageError(f"There is no calibration: {report.shortfall}")
    path = write_calibration(root, report.machine, report.preset, document(outcome.run, report))
    judging.put_out(render_calibration(report, width=judging.terminal_width(), colour=False), options)
    print(f"Plans are made from {path.relative_to(root)} from now on.", file=sys.stderr)
    return 0


def report_of(run: RunDirectory) -> CalibrationReport:
    """Return what a run of a subject against itself says; it holds exactly two sides."""
    old, new = (str(subject["name"]) for subject in run.facts["subjects"])
    preset = run.facts["preset"]
    frame = repeats_frame([run.path])
    by_row = repeats_by_row(frame, (old, new))
    measured = repeats_by_row(frame.assign(tainted=False), (old, new))
    timed = sum(METRICS[metric].kind is Kind.TIME for metric, *_ in measured)
    margins = margin_table(preset["time_margin"], preset.get("margins"))
    rows, memory = list[Noise](), list[Noise]()
    for (metric, device, model, variant), values in by_row.items():
        margin = margins.margin(METRICS[metric].kind, metric, device, model, variant)
        noise = noise_of(Repeats(metric, device, model, variant, margin, values))
        if noise is not None:
            (rows if METRICS[metric].kind is Kind.TIME else memory).append(noise)
    comparison = judging.compare_in_run(run, old, new)
    records = records_of_complete_blocks(run.records()[0])
    kinds = Counter(kind_of(taint) for record in records for taint in record.get("taints") or ())
    return CalibrationReport(
        subject=old,
        machine=run.machine,
        preset=str(preset["name"]),
        blocks=len({record["block"] for record in records}),
        rows=rows,
        memory=memory,
        unknown=timed - len(rows),
        calls=_calls(records),
        called=sum(row.judged and row.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT) for row in comparison.rows),
        splits=_splits(rows, records),
        taints=dict(kinds.most_common()),
        shortfall=comparison.shortfall,
    )


def _useless(run: RunDirectory, root: Path) -> str:
    """Return why a run in which nothing was calm is no calibration."""
    repeats = [record for record in records_of_complete_blocks(run.records()[0]) if record["cell"] is not None]
    kinds = [{kind_of(taint) for taint in record.get("taints") or ()} for record in repeats]
    counted = Counter(kind for found in kinds for kind in found).most_common()
    named = ", ".join(f"{kind} in {number}" for kind, number in counted)
    return (
        f"There is no calibration: {sum(map(bool, kinds))} of {len(repeats)} repeats were left out ({named}), and no "
        f"row in seconds has a calm repeat of both sides in two blocks; the records are kept in "
        f"{run.path.relative_to(root)}; ask `savedmodel-bench doctor` what disturbs, and calibrate again when the "
        "machine is quieter."
    )


def document(run: RunDirectory, report: CalibrationReport) -> dict[str, Any]:
    """Return the calibration as plain data: standard deviations on the log scale, ratios new / old, seconds."""
    alarms, varying = false_alarms(report.rows)
    return {
        "run": run.run,
        "subject": report.subject,
        "plan": run.facts["fingerprint_parts"]["preset"],
        "blocks": report.blocks,
        **asdict(block_costs(records_of_complete_blocks(run.records()[0]))),
        "false_alarms": {"rows": alarms, "of": varying, "level": 0.05, "called": report.called},
        "rows": [_row(row) for row in report.rows],
        "rows_without_noise": report.unknown,
        "memory_rows": [_row(row) for row in report.memory],
        "calls": dict(report.calls),
        "splits": [
            {"budget_s": budget_s, **({} if split is None else asdict(split))}
            for budget_s, split in report.splits.items()
        ],
        "taints": dict(report.taints),
        "advice": advise(report),
    }


@dataclass(frozen=True, slots=True)
class BlockCosts:
    """Mean seconds of a block of both sides: all of it, its imports, and one repeat of everything."""

    block_s: float
    import_s: float
    repeat_s: float


def block_costs(records: Sequence[Record]) -> BlockCosts:
    """Return what blocks cost, from their repeat records; zeros where there are none."""
    import_s = repeated_s = 0.0
    places: dict[str, list[float]] = {}
    blocks = max(1, len({record["block"] for record in records}))
    for record in records:
        seconds = float(record.get("wall_s", 0.0))
        if record["cell"] is None:
            import_s += seconds
            continue
        repeated_s += seconds
        place = f"{record['block']} {record['subject']} {record['cell']} {record['operation']} {record['page_cache']}"
        places.setdefault(place, []).append(seconds)
    once_s = sum(sum(seconds) / len(seconds) for seconds in places.values())
    return BlockCosts((import_s + repeated_s) / blocks, import_s / blocks, once_s / blocks)


def _row(row: Noise) -> dict[str, Any]:
    seen = {str(blocks): {str(repeats): detectable(row, blocks, repeats) for repeats in REPEATS} for blocks in BLOCKS}
    return {**asdict(row), "source": row.source.value, "detectable_ratio_by_blocks_and_repeats": seen}


def _newest(root: Path, python: str | None) -> str:
    manifest = read_manifest(root / "releases.toml")
    stable = tuple(release for release in manifest.releases if release.is_stable)
    usable = installable(stable, python=python)
    if not usable:
        reason = obstacle(stable[-1], python=python) if stable else "releases.toml has no stable release."
        raise UsageError(f"{reason} Or name a SUBJECT that is bound to an interpreter.")
    return usable[-1].name


def _splits(rows: Sequence[Noise], records: Sequence[Record]) -> Mapping[float, Split | None]:
    """Return the best split of some budgets, by what imports and one repeat of every operation cost here."""
    costs = block_costs(records)
    return {
        budget_s: best_split(rows, budget_s=budget_s, block_s=costs.import_s, repeat_s=costs.repeat_s)
        for budget_s in BUDGETS_S
    }


def _calls(records: Sequence[Record]) -> dict[str, float]:
    """Return the spread of single steady calls by "device model variant batch"."""
    windows: dict[str, tuple[list[float], list[float]]] = {}
    for record in records:
        if record["operation"] != "infer" or record["status"] != "ok" or record.get("taints"):
            continue
        cell = record["cell"]
        found: dict[int, dict[str, float]] = {}
        for entry in record["metrics"]:
            if entry["metric"] in ("infer_p50_s", "infer_p90_s"):
                found.setdefault(entry.get("batch", 0), {})[entry["metric"]] = entry["value"]
        for batch, values in found.items():
            if len(values) == 2:
                place = f"{cell['device']} {cell['model']} {cell['writer']}/{cell['reader']} batch {batch}"
                middles, highs = windows.setdefault(place, ([], []))
                middles.append(values["infer_p50_s"])
                highs.append(values["infer_p90_s"])
    spreads = {place: calls_spread(*window) for place, window in windows.items()}
    return {place: spread for place, spread in spreads.items() if spread is not None}
