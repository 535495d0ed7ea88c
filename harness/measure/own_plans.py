"""A preset with models that are not of the zoo: what it measures of those that it names is measured of them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.measure.own_models import AS_IS, KERAS_FILE, OwnModel
from harness.measure.passes import PASSES
from harness.measure.presets import Cell, Group, Preset


def with_own_models(preset: Preset, models: Sequence[OwnModel], *, alone: bool) -> Preset:
    """Return a preset that measures models of a user's own as it measures the zoo's, with what fits each.

    What is saved as the harness saves it has the cells of the preset's writers and readers. An artifact is read by the
    preset's readers; in place of each save, what was loaded is saved again.

    Args:
        preset: the plan.
        models: the models.
        alone: whether they take the place of the preset's own models.

    Raises:
        UsageError: nothing that the preset measures fits one of them.
    """
    groups: list[Group] = [] if alone else list(preset.groups)
    for model in models:
        found = [own for group in preset.groups for own in _own_groups(group, model)]
        if not found:
            raise UsageError(
                f"Test plan {preset.name!r} measures nothing that fits {model.called}, which is "
                f"{'a file that Keras wrote' if model.kind == KERAS_FILE else 'not built by the harness'}: "
                "it trains or saves; choose another test plan, for example quick or full."
            )
        groups += _without_repetition(found)
    return replace(preset, groups=tuple(groups), models=tuple(dict.fromkeys([*preset.models, *models])))


def with_registered_models(preset: Preset, models: Mapping[str, OwnModel]) -> Preset:
    """Return a preset whose own groups name models of a user's own, with what fits each in their place.

    Args:
        preset: as `read_preset` gives it.
        models: all that it names, by that name.
    """
    groups: list[Group] = []
    for group in preset.groups:
        rest = tuple(cell for cell in group.cells if cell.model not in models)
        groups += [replace(group, cells=rest)] if rest else []
        for name, model in models.items():
            own = tuple(cell for cell in group.cells if cell.model == name)
            groups += _own_groups(replace(group, cells=own), model) if own else []
    return replace(preset, groups=tuple(groups), models=tuple(models.values()))


_OF_OWN = frozenset(PASSES) - {"answer", "save", "save_turns", "resave", "resume", "custom_code"}
"""The passes that an artifact of somebody else fits."""


def _own_groups(group: Group, model: OwnModel) -> list[Group]:
    """Return what a group measures of a model that is not of the zoo; none where nothing of it fits."""
    group = replace(group, batches=model.batches(group.batches))
    if model.is_built:
        repeats = {name: count for name, count in group.repeats.items() if name != "custom_code"}
        cells = tuple(dict.fromkeys(replace(cell, model=model.name) for cell in group.cells))
        return [replace(group, cells=cells, repeats=repeats)]
    is_file = model.kind == KERAS_FILE
    repeats = {
        name: count
        for name, count in group.repeats.items()
        if name in _OF_OWN and count and not (is_file and name == "calls")
    }
    if not repeats:
        return []
    places = dict.fromkeys((cell.device, "keras-load" if is_file else cell.reader) for cell in group.cells)
    cells = tuple(Cell(device, model.name, AS_IS, reader) for device, reader in places)
    read = replace(group, cells=cells, repeats={"answer": 1, **repeats}, later_saves=0, durable_saves=0)
    if not group.repeats.get("save"):
        return [read]
    # What is saved again was loaded by `tf-load`.
    saved = tuple(cell for cell in cells if cell.reader == "tf-load")
    parts = (
        replace(read.with_repeats(resave=1), cells=saved),
        replace(read, cells=tuple(cell for cell in cells if cell not in saved)),
    )
    return [part for part in parts if part.cells]


def _without_repetition(groups: Sequence[Group]) -> list[Group]:
    """Return groups in which each cell stands once, in the group that measures the most passes of it."""
    kept: list[Group] = []
    seen: set[Cell] = set()
    for group in sorted(groups, key=lambda one: (-len(one.repeats), -one.repeats_in_all)):
        cells = tuple(cell for cell in group.cells if cell not in seen)
        if cells:
            kept.append(replace(group, cells=cells))
            seen.update(cells)
    return kept
