"""Seconds that the repeats of a plan will take: by what each pass does, held against what repeats took before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.measure.duet import SIDE_S
from harness.measure.own_models import OwnModel
from harness.measure.passes import PASSES
from harness.measure.presets import Cell, Group, Preset
from harness.measure.room import parameter_bytes_of
from harness.models import families
from harness.store.records import Record
from harness.store.runs import RunDirectory

ASSUMED_IMPORT_S = 3.0
"""Of an import where none was measured here; on two shared cores 1.5 to 3.6 s were seen, from a cold disk 27 s."""
_GRAPHS = {"mlp": 1.0, "conv": 2.0, "transformer": 4.0, "resnet50": 10.0}
"""How much more building, writing, reading or tracing a family's graph takes than the mlp's."""
_OWN_GRAPH = 5.0
_DEEP_LAYERS = 21.0
"""So many layers of a `deep` model take as long as the mlp's whole graph."""
_READ_BYTES_PER_S, _WRITTEN_BYTES_PER_S = 500e6, 250e6
_OPERATIONS_PER_S = {"cpu": 3e11, "gpu": 1e13}
_WARM_UP_S, _WARM_UP_CALLS, _STEADY_CALLS = 0.15, 6, 10
"""Of one batch size: three windows of 0.05 s, or the calls of two windows; the timed window has ten calls or more."""
_CUDA_S = 2.5
"""A process on a GPU also starts CUDA and loads its libraries."""
_PROCESSES = {"calls": 9, "resume": 5, "custom_code": 8}
"""Processes of a repeat, one for each way; every other pass has one."""
_MOST_RUNS = 10


@dataclass(frozen=True, slots=True)
class Durations:
    """What repeats are expected to take, as this machine's runs tell or else as assumed.

    `factors` are measured over assumed seconds by (pass, device); `import_s` is None where no import was measured.
    """

    factors: Mapping[tuple[str, str], float]
    import_s: float | None
    runs: tuple[str, ...]  # that it was learnt from, the newest first

    def block_s(self, preset: Preset, number: int, isolation: str) -> float:
        """Return the expected seconds of one subject's part of block `number` (from 0)."""
        return self.imports_s(preset) + sum(self.models_s(preset, number, isolation).values())

    def imports_s(self, preset: Preset) -> float:
        """Return the expected seconds of one subject's imports in a block."""
        return (1 + preset.import_turns) * self._import_s()

    def models_s(self, preset: Preset, number: int, isolation: str) -> dict[str, float]:
        """Return the expected seconds of one subject's part of block `number` (from 0), for each model."""
        seconds = dict.fromkeys((cell.model for cell in preset.cells), 0.0)
        for group in preset.groups:
            for cell in group.cells if group.is_in(number) else ():
                seconds[cell.model] += self._repeats_s(preset, group, cell, isolation)
        return seconds

    def unknown(self, preset: Preset) -> list[str]:
        """Return the operations of a plan that no run here has measured."""
        missing = _wanted(preset) - self.factors.keys()
        return sorted({PASSES[name].operation for name, _ in missing})

    def _import_s(self) -> float:
        return ASSUMED_IMPORT_S if self.import_s is None else self.import_s

    def _repeats_s(self, preset: Preset, group: Group, cell: Cell, isolation: str) -> float:
        seconds = 0.0
        for name, count in group.repeats.items():
            further_s = self._import_s() if isolation == "spawn" and not PASSES[name].spawned else 0.0
            assumed = assumed_s(name, group, cell, preset.own_model(cell))
            seconds += count * (further_s + self.factors.get((name, cell.device), 1.0) * assumed)
        return seconds


def assumed_s(name: str, group: Group, cell: Cell, own: OwnModel | None = None) -> float:
    """Return the seconds that a repeat of a pass is assumed to take: its fork included, or its import where it has one.

    Fitted to the medians of 30 000 repeats on two shared cores, releases 2.12 to 2.21: most are within a third, the
    models of 4 GB within twice. That is what a dry run needs, and no more.

    Args:
        name: the pass (harness/measure/passes.py).
        group: says the batch sizes, the timed window and the further saves.
        cell: says the model and the device.
        own: the cell's model where that is not of the zoo; a middling graph is assumed of it.
    """
    graph = _OWN_GRAPH if own is not None else _graph(cell.model)
    parameter_bytes = parameter_bytes_of(cell, own)
    read_s, written_s = (parameter_bytes / speed for speed in (_READ_BYTES_PER_S, _WRITTEN_BYTES_PER_S))
    load_s = 0.09 * graph + read_s
    operations = parameter_bytes / 2 if own is not None else families.operations(cell.model)
    steady_s = sum(_steady_s(cell.device, operations * batch, group.window_s) for batch in group.batches)
    work_s = {
        "save": 0.1 + 0.15 * graph + (1 + group.later_saves + group.durable_saves) * (0.05 * graph + written_s),
        "cold": 0.05 + load_s,
        "warm": 0.02 + 0.15 * graph + 2 * read_s,
        "reload": 0.1 + 10 * (0.02 * graph + read_s),
        "infer": 0.05 + load_s + steady_s,
        "first_result": ASSUMED_IMPORT_S + 0.1 + load_s,
        "calls": _PROCESSES["calls"] * (0.03 + 0.13 * graph + read_s + steady_s),
        "memory": 0.1 + 16 * (0.02 * graph + read_s),
        "profile": 0.05 + load_s + 0.3 * len(group.batches),
        "answer": 0.1 + load_s,
        "slices": 0.05 + load_s + steady_s + SIDE_S * len(group.batches),
        "resave": 0.2 + 4 * load_s + 3 * (0.1 * graph + written_s),
        "resume": 1.6 * graph + 3 * written_s,
        "custom_code": 0.4 + 0.7 * graph + 2 * written_s,
        "floor": 0.05,
    }
    for turns, alone in (("save_turns", "save"), ("warm_turns", "warm")):
        work_s[turns] = work_s[alone]
    return work_s[name] + (_CUDA_S * _PROCESSES.get(name, 1) if cell.device == "gpu" else 0.0)


def learn(runs: Sequence[RunDirectory], preset: Preset) -> Durations:
    """Return what a machine's runs tell about the passes of a plan.

    Args:
        runs: of this machine, the oldest first; read from the newest on until every pass was seen, ten at most.
        preset: the plan.
    """
    measured: dict[tuple[str, str], float] = {}
    assumed: dict[tuple[str, str], float] = {}
    imports: list[float] = []
    read: list[str] = []
    missing = _wanted(preset)
    known = set(families.names())
    for run in runs[::-1][:_MOST_RUNS]:
        groups = _groups(run.facts.get("preset"))
        for record in _timed(run.records()[0]):
            if record["cell"] is None:
                imports.append(record["wall_s"])
                continue
            name, cell = _pass_of(record), Cell(**record["cell"])
            group = next((one for one in groups if cell in one.cells and one.repeats.get(name)), None)
            own = preset.own_model(cell)
            if group is None or (own is None and cell.model not in known):
                continue  # of an older layout, or of a model that this plan does not have
            key = (name, cell.device)
            measured[key] = measured.get(key, 0.0) + record["wall_s"]
            assumed[key] = assumed.get(key, 0.0) + assumed_s(name, group, cell, own)
        read.append(run.run)
        missing -= measured.keys()
        if not missing and imports:
            break
    factors = {key: seconds / assumed[key] for key, seconds in measured.items()}
    return Durations(factors, sum(imports) / len(imports) if imports else None, tuple(read))


def _graph(model: str) -> float:
    family, _, rung = model.partition("-")
    return _GRAPHS[family] if family in _GRAPHS else 1 + int(rung) / _DEEP_LAYERS


def _steady_s(device: str, operations: float, window_s: float) -> float:
    """Return the seconds of the warm-up and of the timed window of calls of so many operations."""
    call_s = operations / _OPERATIONS_PER_S[device]
    return max(_WARM_UP_S, _WARM_UP_CALLS * call_s) + max(window_s, _STEADY_CALLS * call_s)


def _wanted(preset: Preset) -> set[tuple[str, str]]:
    """Return the passes of a plan, by name and device."""
    return {
        (name, cell.device)
        for group in preset.groups
        for cell in group.cells
        for name, count in group.repeats.items()
        if count
    }


def _groups(preset: Any) -> list[Group]:
    """Return a run's groups as run.json holds them; none of a run of an older layout."""
    try:
        return [
            Group(**{**group, "cells": tuple(Cell(**cell) for cell in group["cells"])}) for group in preset["groups"]
        ]
    except (KeyError, TypeError):
        return []


def _timed(records: Iterable[Record]) -> Iterable[Record]:
    """Yield the repeats that went well and stand for what a plan measures: imports, forks, first results."""
    for record in records:
        if record["type"] != "repeat" or record["status"] != "ok" or "wall_s" not in record:
            continue
        if record["isolation"] == "fork" or record["operation"] in ("import", "first-result"):
            yield record


def _pass_of(record: Record) -> str:
    """Return the name of the pass that a repeat belongs to."""
    found = (each for each in PASSES.values() if each.recorded == record["operation"])
    return next((each.name for each in found if each.page_cache in (record["page_cache"], None)), "")
