"""The plans that are run: the preset `quick` for one block, and parts of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.measure.narrowing import narrow
from harness.measure.own_plans import with_own_models
from harness.measure.preset_files import read_preset
from harness.measure.presets import Preset
from harness.planning.own_models import Asked, Called, read_model

MODELS = ("mlp-s", "transformer-s")
SMOKE_MODELS = ("mlp-xs",)


def models(smoke: bool) -> tuple[str, ...]:
    """Return the models of the comparison with plain asv."""
    return SMOKE_MODELS if smoke else MODELS


def quick(smoke: bool) -> Preset:
    """Return one block of `quick` on the CPU."""
    return _short(read_preset("quick"), smoke, blocks=1)


def plain(smoke: bool) -> Preset:
    """Return what gives each metric of two models one value a block, two blocks: the samples of the plain suite."""
    whole = _of_models(quick(smoke), models(smoke))
    once = replace(whole.groups[0], repeats=dict.fromkeys(whole.groups[0].repeats, 1))
    return replace(whole, name="plain", groups=(once,), blocks=2)


def given(smoke: bool, folder: Path) -> Preset:
    """Return one block of loads and calls of models that the harness builds, and of their artifacts in `folder`."""
    whole = _of_models(quick(smoke), models(smoke))
    (group,) = whole.groups
    group = group.with_repeats(save=1, cold=3 if smoke else 9, warm=3 if smoke else 9, infer=3, slices=0)
    own = [read_model(Asked(name, folder / name, "", Called())) for name in models(smoke)]
    return with_own_models(replace(whole, name="given", groups=(group,)), own, alone=False)


def device(smoke: bool) -> Preset:
    """Return three blocks of `quick` on the GPU."""
    return narrow(read_preset("quick"), devices=["gpu"], models="mlp-*" if smoke else None, blocks=3)


PLANS = {"quick": quick, "plain": plain, "device": device}
"""Plans that need nothing but their form; `given` needs a folder, too."""


def _short(preset: Preset, smoke: bool, blocks: int) -> Preset:
    whole = narrow(preset, devices=["cpu"], blocks=blocks)
    if not smoke:
        return whole
    first = _of_models(whole, SMOKE_MODELS).groups[0]
    tiny = replace(first.with_repeats(save=2, cold=1, warm=1), window_s=0.1)
    return replace(whole, name=f"{preset.name}-smoke", groups=(tiny,))


def _of_models(preset: Preset, names: tuple[str, ...]) -> Preset:
    first = preset.groups[0]
    like = first.cells[0]
    cells = tuple(replace(like, model=name) for name in names)
    return replace(preset, groups=(replace(first, cells=cells),))
