"""Two subjects compared: from the results' tables to rows, verdicts and everything that must stand beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from harness.answers.measured import Failure, Measured, failures_of
from harness.answers.memory_timeline import MemoryTimeline
from harness.answers.notes import Note, Unpaired
from harness.answers.shortfall import EXIT_CODE, shortfall_of_rows
from harness.answers.sides import SubjectFacts, differences
from harness.answers.work import Key as WorkKey
from harness.answers.work import Work, works_of
from harness.metrics import CELL_FAILED, FAILURES, METRICS, Kind, Metric, variant_order
from harness.models.families import order
from harness.store.records import Problem
from harness.store.work import CountedSubject
from harness.verdict.judge import judge
from harness.verdict.margins import MarginTable, least_change
from harness.verdict.rows import Row, RowInput, Verdict

_KEY = ["metric", "device", "model", "variant"]
_BLOCK = ["run", "block"]
_KNOWN = {**METRICS, CELL_FAILED.name: CELL_FAILED}
_ORDER = {name: place for place, name in enumerate(_KNOWN)}


@dataclass(frozen=True, slots=True)
class BlockPair:
    """The samples of one block, in the row's unit; None where a side has no undisturbed one there."""

    block: int
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison, ready to be rendered.

    `margin` is the preset's for time (a fraction), `blocks` the number of blocks that hold both sides (the smaller
    side's, where they were measured apart), `further` how many of them hold only what was disturbed in another one,
    `tainted` the repeats left out, `taint_kinds` how many of them have each kind of taint.
    `notes` are to be read before anything else; `failures` concern the two sides only, the new one's first.
    `shortfall` says why too little was measured for an answer (`answers.shortfall`), None where there is enough.
    `pairs` are the samples behind each row, by its key and in the order of the blocks. `block_s` is about how many
    seconds another block of the two sides takes; None where that is not known.
    """

    old: SubjectFacts
    new: SubjectFacts
    machine: Mapping[str, Any]
    preset: str
    margin: float
    blocks: int
    paired: bool
    rows: tuple[Row, ...]
    further: int = 0
    notes: tuple[Note, ...] = ()
    failures: tuple[Failure, ...] = ()
    run_path: Path | None = None
    tainted: int = 0
    taint_kinds: Mapping[str, int] = field(default_factory=dict)
    floors: tuple[Mapping[str, Any], ...] = ()  # of the run, as run.json holds them
    problems: tuple[Problem, ...] = ()  # what could not be read
    shortfall: str | None = None
    pairs: Mapping[tuple[str, str, str, str], tuple[BlockPair, ...]] = field(default_factory=dict)
    timelines: tuple[MemoryTimeline, ...] = ()  # of the memory pass on a GPU
    block_s: float | None = None
    work: Mapping[WorkKey, Work] = field(default_factory=dict)  # of the rows that have counts

    @property
    def measured(self) -> tuple[tuple[Measured, ...], tuple[Measured, ...]]:
        """What was measured of the old and of the new side; each has every row, in the same order."""

        def side(name: str, is_new: bool) -> tuple[Measured, ...]:
            return tuple(
                Measured(name, row.metric, row.unit, row.device, row.model, row.variant, row.new if is_new else row.old)
                for row in self.rows
            )

        return side(self.old.name, False), side(self.new.name, True)

    def exit_code(self, require_decision: bool = False) -> int:
        """Return 1 if any judged row regressed, else 2 if a decision was demanded and one is open, else 3 or 0.

        It is 3 where too little was measured for an answer. Work counts like a regression where time is not judged.
        """
        judged = [row.verdict for row in self.rows if row.judged]
        if Verdict.REGRESSION in judged or any(work.fails for work in self.work.values()):
            return 1
        if require_decision and (Verdict.INCONCLUSIVE in judged or not judged):
            return 2
        return 0 if self.shortfall is None else EXIT_CODE


def compare_subjects(
    samples: pd.DataFrame,
    failures: pd.DataFrame | None,
    old: SubjectFacts,
    new: SubjectFacts,
    *,
    margins: MarginTable,
    machine: Mapping[str, Any],
    preset: str,
    pairs: pd.DataFrame | None = None,
    run_path: Path | None = None,
    floors: Sequence[Mapping[str, Any]] = (),
    exact_only: Collection[tuple[str, str]] = frozenset(),
    tainted: pd.DataFrame | None = None,
    tainted_repeats: int = 0,
    taint_kinds: Mapping[str, int] | None = None,
    further: Collection[int] = (),
    notes: Sequence[Note] = (),
    problems: Sequence[Problem] = (),
    shortfall: str | None = None,
    counts: Mapping[str, CountedSubject] | None = None,
    paired: bool | None = None,
    q_level: float = 0.05,
    looks: Sequence[int] = (),
) -> Comparison:
    """Compare two subjects of the results.

    Args:
        samples: `store.frame.samples_frame`, of one run or of several whose blocks are pooled.
        failures: `store.frame.failures_frame` of the same runs, or None.
        old, new: the two sides; their names select the rows of the tables.
        margins: the preset's margin table.
        machine: the run's machine facts, with at least "name".
        preset: the preset's name.
        pairs: `store.pairs.pairs_frame` of the same runs and sides; without it a block's two samples are its pair.
        run_path: where the records lie.
        floors: the run's floors, as run.json holds them.
        exact_only: (model, writer) pairs of which only exact metrics are judged.
        tainted: `store.frame.tainted_frame`; without it only taints beside a sample are counted.
        tainted_repeats: how many repeats of the two sides are tainted, to be told.
        taint_kinds: how many of these have each kind of taint, most frequent first.
        further: numbers of the blocks that only measured once more what was disturbed in another one.
        notes: more facts that qualify the answer.
        problems: what could not be read.
        shortfall: why too much of the plan could not be compared, where that is known; else the rows tell.
        counts: the work counted of the subjects, by name.
        paired: whether blocks pair the sides; by default they do if any block holds both.
        q_level: accepted false discovery rate.
        looks: blocks after which one run was judged while it was measured, this time included; empty where the number
            of blocks was fixed.

    A metric that `harness.metrics` does not know is shown, not judged.
    """
    blocks = _numbered(_blocks(samples))
    sides = {side.name: samples[samples["subject"] == side.name] for side in (old, new)}
    held = [_blocks(sides[side.name]) for side in (old, new)]
    both = held[0] & held[1]
    is_paired = bool(both) if paired is None else paired
    tables = [_by_row(sides[side.name], blocks) for side in (old, new)]
    taints = [_tainted_by_row(samples if tainted is None else tainted, side.name) for side in (old, new)]
    everything = set().union(*tables, *taints)
    rounds = {} if pairs is None else _pairs_by_row(pairs, blocks)
    inputs = [
        replace(
            _row_input(key, tables, [count.get(key, 0) for count in taints], margins, exact_only, is_paired),
            **rounds.get(key, {}),
        )
        for key in sorted(everything, key=_sort_key)
    ]
    rows = judge([row for row in inputs if not _never_failed(row)], q_level=q_level, looks=looks)
    told = failures_of(failures, (new.name, old.name))
    return Comparison(
        old=old,
        new=new,
        machine=dict(machine),
        preset=preset,
        margin=margins.by_kind[Kind.TIME],
        blocks=len(both) if is_paired else min(len(held[0]), len(held[1])),
        further=sum(block in further for _, block in both),
        paired=is_paired,
        rows=rows,
        notes=(*differences(old, new), *(() if is_paired else (Unpaired(),)), *notes),
        failures=told,
        run_path=run_path,
        floors=tuple(floors),
        tainted=tainted_repeats,
        taint_kinds=dict(taint_kinds or {}),
        problems=tuple(problems),
        shortfall=shortfall or shortfall_of_rows(rows, old.name, new.name, told),
        pairs={row.key: _pairs(*(side.get(row.key, ("", ()))[1] for side in tables)) for row in rows},
        work=works_of(
            rows,
            (counts or {}).get(old.name),
            (counts or {}).get(new.name),
            margins.by_kind[Kind.WORK],
            {row.key for row in rows if _is_exact_only(row.model, row.variant, exact_only)},
        ),
    )


def exact_only_cells(preset: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Return the (model, writer) pairs judged by exact metrics only, from the preset as run.json holds it.

    Of a preset that judges no time at all the pair ("-", "-") is one: that of rows that belong to no model.
    """
    groups = preset.get("groups", ())
    marked = {(c["model"], c["writer"]) for group in groups if group.get("exact_only") for c in group["cells"]}
    whole = {(c["model"], c["writer"]) for group in groups if not group.get("exact_only") for c in group["cells"]}
    return frozenset(marked - whole | ({("-", "-")} if marked and not whole else set()))


_Key = tuple[str, str, str, str]
_Samples = tuple[tuple[int, float], ...]


def _blocks(samples: pd.DataFrame) -> set[tuple[str, int]]:
    return {(str(run), int(block)) for run, block in samples[_BLOCK].drop_duplicates().itertuples(index=False)}


def _numbered(blocks: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Number blocks of several runs through; those of a single run keep their numbers, which its looks refer to."""
    if len({run for run, _ in blocks}) == 1:
        return {key: key[1] for key in blocks}
    return {key: number for number, key in enumerate(sorted(blocks))}


def _by_row(side: pd.DataFrame, blocks: Mapping[tuple[str, int], int]) -> dict[_Key, tuple[str, _Samples]]:
    """Return (unit, samples) by row key; blocks of all runs get one numbering."""
    found: dict[_Key, tuple[str, list[tuple[int, float]]]] = {}
    for *key, unit, run, block, value in side[[*_KEY, "unit", *_BLOCK, "value"]].itertuples(index=False):
        metric, device, model, variant = (str(part) for part in key)
        entry = found.setdefault((metric, device, model, variant), (str(unit), []))
        entry[1].append((blocks[str(run), int(block)], float(value)))
    return {key: (unit, tuple(values)) for key, (unit, values) in found.items()}


def _pairs_by_row(pairs: pd.DataFrame, blocks: Mapping[tuple[str, int], int]) -> dict[_Key, dict[str, Any]]:
    """Return the fields `pairs`, `pairs_dropped` and `process_pairs` of a row's input, by row key."""
    whole, dropped = dict[_Key, list[tuple[int, float, float]]](), Counter[_Key]()
    in_turn: dict[_Key, set[tuple[int, str]]] = {}
    columns = [*_KEY, *_BLOCK, "old", "new", "whole", "processes"]
    for *names, run, block, old, new, is_whole, processes in pairs[columns].itertuples(index=False):
        metric, device, model, variant = (str(part) for part in names)
        key = (metric, device, model, variant)
        found = whole.setdefault(key, [])
        if is_whole:
            number = blocks[str(run), int(block)]
            found.append((number, float(old), float(new)))
            if not pd.isna(processes):
                in_turn.setdefault(key, set()).add((number, str(processes)))
        else:
            dropped[key] += 1
    return {
        key: {
            "pairs": tuple(found),
            "pairs_dropped": dropped[key],
            "process_pairs": len(in_turn[key]) if key in in_turn else None,
        }
        for key, found in whole.items()
    }


def _pairs(old: _Samples, new: _Samples) -> tuple[BlockPair, ...]:
    sides = dict(old), dict(new)
    return tuple(BlockPair(block, *(side.get(block) for side in sides)) for block in sorted({*sides[0], *sides[1]}))


def _tainted_by_row(table: pd.DataFrame, subject: str) -> dict[_Key, int]:
    column = "repeats" if "repeats" in table.columns else "tainted"
    concerned = table[(table["subject"] == subject) & (table[column] > 0)]
    counts: dict[_Key, int] = {}
    for *key, count in concerned[[*_KEY, column]].itertuples(index=False):
        metric, device, model, variant = (str(part) for part in key)
        counts[metric, device, model, variant] = counts.get((metric, device, model, variant), 0) + int(count)
    return counts


def _row_input(
    key: _Key,
    sides: Sequence[Mapping[_Key, tuple[str, _Samples]]],
    tainted: Sequence[int],
    margins: MarginTable,
    exact_only: Collection[tuple[str, str]],
    paired: bool,
) -> RowInput:
    name, device, model, variant = key
    metric = _KNOWN.get(name)
    (old_unit, old), (new_unit, new) = (side.get(key, ("", ())) for side in sides)
    unit = old_unit or new_unit or (metric.unit if metric else "")
    kind = metric.kind if metric else Kind.TIME
    return RowInput(
        metric=name,
        unit=unit,
        kind=kind,
        device=device,
        model=model,
        variant=variant,
        judged=_is_judged(metric, _is_exact_only(model, variant, exact_only)),
        margin=margins.margin(kind, name, device, model, variant),
        old=old,
        new=new,
        tainted=sum(tainted),
        disturbed=all(samples or count for samples, count in zip((old, new), tainted, strict=True)),
        paired=paired,
        least_change=least_change(metric, unit),
        is_failure=name in FAILURES,
        like=like_of(metric),
    )


def like_of(metric: Metric | None) -> str | None:
    """Return which rows have noise like this metric's: judged times of one operation and scope; None: of no other."""
    timed = metric is not None and metric.judged and metric.unit == "seconds"
    return f"{metric.operation} {metric.scope}" if metric is not None and timed else None


def _is_exact_only(model: str, variant: str, exact_only: Collection[tuple[str, str]]) -> bool:
    return (model, variant.partition("/")[0]) in exact_only


def _is_judged(metric: Metric | None, exact_only: bool) -> bool:
    return metric is not None and metric.judged and not (exact_only and metric.kind is not Kind.EXACT)


def _never_failed(row: RowInput) -> bool:
    return row.metric == CELL_FAILED.name and not any(value for _, value in (*row.old, *row.new))


def _sort_key(key: _Key) -> tuple[int, str, str, int, str, tuple[str, int]]:
    """Order rows by metric as listed, then device, model family and size, then variant and batch."""
    metric, device, model, variant = key
    family, rung = order(model)
    return _ORDER.get(metric, len(_ORDER)), metric, f"{device}/{family}", rung, model, variant_order(variant)
