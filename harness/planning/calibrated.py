"""What this machine's calibration says about a plan: how noisy its rows are, and how to spend a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from harness.measure.presets import Preset
from harness.planning.request import Request
from harness.store.calibrations import read_calibration
from harness.store.machines import this_machine
from harness.store.records import Problem
from harness.verdict.calibration import Noise, Split, plan_budget
from harness.verdict.looks import PLANNED

Calibration = Mapping[str, Any]


def calibration_of(request: Request, preset: Preset) -> Calibration | Problem | None:
    """Return this machine's calibration of the very same plan, None where `calibrate` has not measured it."""
    return read_calibration(
        request.root, this_machine(request.root, request.machine).name, preset.name, preset.digest()
    )


def noise_rows(calibration: Calibration) -> list[Noise]:
    """Return the noise of every judged time that a calibration holds."""
    names = [field.name for field in fields(Noise)]
    return [Noise(**{name: row[name] for name in names}) for row in calibration["rows"]]


def split_of_budget(request: Request, calibration: Calibration | None) -> Split | None:
    """Return how `compare --budget` spends its time by the calibration; None where nothing says so.

    `--repeats` settles it otherwise, and so does a calibration of an older layout, which lacks what a repeat costs.
    """
    if calibration is None or request.budget_s is None or request.repeats is not None or "repeat_s" not in calibration:
        return None
    return plan_budget(
        noise_rows(calibration),
        budget_s=request.budget_s,
        as_measured_s=float(calibration["block_s"]),
        block_s=float(calibration["import_s"]),
        repeat_s=float(calibration["repeat_s"]),
        at_least=PLANNED[0],
        at_most=PLANNED[-1],
    )
