"""A subject measured against itself: the noise of each row, how often it would be called falsely, how to spend time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.answers.judging import compare_in_run
from harness.metrics import METRICS, Kind
from harness.store.calibrations import pairs_by_row
from harness.store.frame import repeats_frame
from harness.store.pairs import pairs_frame
from harness.store.records import Record, records_of_complete_blocks
from harness.store.runs import RunDirectory
from harness.store.taints import kind_of
from harness.verdict.calibration import (
    Noise,
    Rounds,
    Split,
    best_split,
    calls_spread,
    detectable,
    false_alarms,
    noise_of,
)
from harness.verdict.differences import ESTIMATOR
from harness.verdict.margins import margin_table
from harness.verdict.rows import Verdict

BLOCKS = (5, 10, 20)
BUDGETS_S = (600.0, 1800.0, 3600.0)
REPEATS = (1, 2, 3, 5, 8)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a run of a subject against itself says.

    `rows` are times that are judged, `memory` peaks and footprints, most of which are shown only; `unknown` counts the
    times that were measured and of whose noise nothing is known, for lack of calm repeats; `calls` is the spread
    of single calls by row key where steady calls were measured; `splits` the best split by budget in seconds, None
    where it is too small; `taints` counts tainted repeats by kind.
    """

    subject: str
    machine: str
    preset: str
    blocks: int
    rows: Sequence[Noise]
    memory: Sequence[Noise]
    unknown: int
    calls: Mapping[str, float]
    called: int
    splits: Mapping[float, Split | None]
    taints: Mapping[str, int]
    shortfall: str | None = None  # why too little was measured to be a calibration


def calibration_of_run(run: RunDirectory) -> Calibration:
    """Return what a run of a subject against itself says; it holds exactly two sides."""
    old, new = (str(subject["name"]) for subject in run.facts["subjects"])
    preset = run.facts["preset"]
    frame = repeats_frame([run.path])
    by_row = pairs_by_row(pairs_frame(frame, old, new))
    timed = sum(METRICS[metric].kind is Kind.TIME for metric, *_ in by_row)
    margins = margin_table(preset["time_margin"], preset.get("margins"))
    rows, memory = list[Noise](), list[Noise]()
    for (metric, device, model, variant), pairs in by_row.items():
        margin = margins.margin(METRICS[metric].kind, metric, device, model, variant)
        noise = noise_of(Rounds(metric, device, model, variant, margin, pairs))
        if noise is not None:
            (rows if METRICS[metric].kind is Kind.TIME else memory).append(noise)
    comparison = compare_in_run(run, old, new)
    records = records_of_complete_blocks(run.records()[0])
    kinds = Counter(kind_of(taint) for record in records for taint in record.get("taints") or ())
    return Calibration(
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


def calibration_data(run: RunDirectory, found: Calibration, advice: Sequence[str]) -> dict[str, Any]:
    """Return the calibration as plain data: standard deviations on the log scale, ratios new / old, seconds."""
    alarms, varying = false_alarms(found.rows)
    return {
        "run": run.run,
        "subject": found.subject,
        "plan": run.facts["fingerprint_parts"]["preset"],
        "estimator": ESTIMATOR,
        "blocks": found.blocks,
        **asdict(block_costs(records_of_complete_blocks(run.records()[0]))),
        "false_alarms": {"rows": alarms, "of": varying, "level": 0.05, "called": found.called},
        "rows": [_row(row) for row in found.rows],
        "rows_without_noise": found.unknown,
        "memory_rows": [_row(row) for row in found.memory],
        "calls": dict(found.calls),
        "splits": [
            {"budget_s": budget_s, **({} if split is None else asdict(split))}
            for budget_s, split in found.splits.items()
        ],
        "taints": dict(found.taints),
        "advice": list(advice),
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
