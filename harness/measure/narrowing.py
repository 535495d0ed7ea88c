"""A preset made smaller: to devices, models and operations, or without some of its passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.measure.passes import ORIGINS, PASSES
from harness.measure.preset_files import shipped
from harness.measure.presets import Group, Preset, globs_of, matches


def narrow(
    preset: Preset,
    *,
    devices: Sequence[str] | None = None,
    models: str | None = None,
    operations: Sequence[str] | None = None,
    blocks: int | None = None,
    repeats: int | None = None,
) -> Preset:
    """Return the preset limited to devices, models (globs with commas between) and operations, with other numbers.

    Without save there still is one save a cell and block: the load repeats need its artifact. Groups that have none of
    the operations are left out.
    Raises UsageError where nothing is left to measure, a glob matches no model of the preset, or one of the operations
    is not among what is left.
    """
    for glob in globs_of(models):
        if not any(matches(cell.model, glob) for cell in preset.cells):
            raise UsageError(f"Test plan {preset.name!r} has no model that matches {glob!r}: it has {_models(preset)}.")
    groups = []
    for group in preset.groups:
        cells = tuple(
            cell for cell in group.cells if (devices is None or cell.device in devices) and matches(cell.model, models)
        )
        if not cells:
            continue
        group = replace(group, cells=cells)
        if repeats is not None:
            group = group.with_repeats(**{name: repeats for name, count in group.repeats.items() if count})
        groups.append(group)
    if not groups:
        raise UsageError(
            f"Test plan {preset.name!r} has nothing that matches --device and --model: it has {_models(preset)}."
        )
    if operations is not None:
        lacking = [name for name in operations if name not in _operations(groups)]
        if lacking:
            is_elsewhere = set(lacking) <= _operations(preset.groups)
            raise UsageError(_lacks(preset.name, lacking, is_elsewhere, _presets_with(operations, devices, models)))
        groups = [_limit_operations(group, operations) for group in groups if _operations([group]) & set(operations)]
    counts = preset.work and (operations is None or bool({"save", "load"} & set(operations)))
    turns = preset.import_turns if operations is None else 0
    return replace(preset, groups=tuple(groups), blocks=blocks or preset.blocks, work=counts, import_turns=turns)


def without_pass(preset: Preset, *names: str) -> Preset:
    """Return the preset without some of its passes; a group that has no other keeps its save."""
    groups = (
        replace(group, repeats={each: count for each, count in group.repeats.items() if each not in names})
        for group in preset.groups
    )
    return replace(preset, groups=tuple(groups))


def without_turns(preset: Preset) -> Preset:
    """Return the preset without what two subjects' processes do in turn."""
    return replace(without_pass(preset, *(each.name for each in PASSES.values() if each.in_turn)), import_turns=0)


def _models(preset: Preset) -> str:
    return ", ".join(dict.fromkeys(cell.model for cell in preset.cells))


def _operations(groups: Iterable[Group]) -> set[str]:
    return {PASSES[name].operation for group in groups for name, count in group.repeats.items() if count}


def _presets_with(operations: Iterable[str], devices: Sequence[str] | None, models: str | None) -> list[str]:
    """Return the shipped presets that measure all these operations on such devices and models."""
    found = []
    for preset in shipped():
        try:
            left = narrow(preset, devices=devices, models=models)
        except UsageError:
            continue
        if set(operations) <= _operations(left.groups):
            found.append(preset.name)
    return found


def _lacks(name: str, lacking: Sequence[str], is_elsewhere: bool, others: Sequence[str]) -> str:
    what = f"the operation{'' if len(lacking) == 1 else 's'} {', '.join(lacking)}"
    where = " on the devices and models that are left" if is_elsewhere else ""
    instead = f"these do: {', '.join(others)}" if others else "no test plan of this project measures all of that"
    return f"Test plan {name!r} does not measure {what}{where}; {instead}."


def _limit_operations(group: Group, operations: Sequence[str]) -> Group:
    counts = {name: count for name, count in group.repeats.items() if PASSES[name].operation in operations}
    if "save" in operations and counts.get("save"):
        return replace(group, repeats=counts)
    # Whatever reads needs an artifact, or an answer to compare with.
    origins = {name: 1 for name in ORIGINS if name in group.repeats}
    return replace(group, repeats={**origins, **counts}, later_saves=0, durable_saves=0)
