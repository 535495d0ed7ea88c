"""What asv's benchmark processes call: measure one cell of one release, and return its records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.measure.limits import Limits
from harness.measure.narrowing import narrow
from harness.measure.own_plans import with_own_models
from harness.measure.plan import Plan, name_subjects
from harness.measure.preset_files import read_preset
from harness.measure.presets import Preset
from harness.measure.progress import Silent
from harness.measure.run import measure
from harness.planning.own_models import read_model, registered
from harness.releases.beside import with_packages
from harness.releases.environments import describe, identified
from harness.store.known_releases import known_releases
from harness.store.machines import this_machine
from harness.store.records import Record, records_of_complete_blocks


def measure_cell(
    root: Path, release_name: str, python: Path, device: str, model: str | None, python_minor: str | None = None
) -> list[Record]:
    """Measure a model on a device with the preset `asv`, in a run of its own.

    Args:
        root: the project's root.
        release_name: a release of releases.toml.
        python: the interpreter that has it, as asv's environment names it.
        device: "cpu" or "gpu".
        model: the model's name, of the zoo or of models.toml; None for the import alone.
        python_minor: the interpreter's minor version; None: the one that the release is measured under by itself.

    Returns:
        The records of all complete blocks.

    Raises:
        UsageError: the release or model is unknown, or another run holds the results.
    """
    release = known_releases(root).find(release_name)
    environment = dataclasses.replace(identified(describe(release, root, python=python_minor)), python=python)
    whole = read_preset("asv")
    preset = _narrowed(root, whole, device, model) if model else dataclasses.replace(whole, groups=())
    if preset.packages:
        environment = with_packages(environment, preset.packages, root).environment
    plan = Plan(
        kind="asv",
        preset=preset,
        subjects=name_subjects([environment]),
        machine=this_machine(root),
        seed=1,
        isolation="fork",
    )
    outcome = measure(root, plan, Limits(), Silent())
    if outcome.interrupted:
        raise KeyboardInterrupt
    return records_of_complete_blocks(outcome.run.records()[0])


def _narrowed(root: Path, whole: Preset, device: str, model: str) -> Preset:
    """Return the preset with one model, which may be one of `models.toml` ("basic-pitch@3fa91c2b")."""
    called = model.partition("@")[0]
    asked = registered(root).get(called)
    if asked is not None:
        whole = with_own_models(whole, [read_model(asked)], alone=True)
    return narrow(whole, devices=[device], models=model)
