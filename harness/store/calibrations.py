"""Calibrations: what runs of a subject against itself said about a machine, one document a machine and preset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.metrics import METRICS, Kind
from harness.store.frame import ROW_KEY
from harness.store.records import Problem
from harness.store.runs import results_path, write_json_atomically

SCHEMA = 1


def calibration_path(root: Path, machine: str, preset: str) -> Path:
    """Return where the calibration of a machine and preset lies."""
    return results_path(root) / "calibration" / machine / f"{preset}.json"


def write_calibration(root: Path, machine: str, preset: str, document: Mapping[str, Any]) -> Path:
    """Write a calibration, replacing an earlier one, and return its path."""
    path = calibration_path(root, machine, preset)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(path, {"schema": SCHEMA, "machine": machine, "preset": preset, **document})
    return path


def read_calibration(root: Path, machine: str, preset: str, digest: str) -> dict[str, Any] | Problem | None:
    """Read the calibration of a plan.

    Args:
        root: the project's root.
        machine: the machine's name.
        preset: the preset's name.
        digest: the plan's digest: a calibration of another plan of this name does not count.

    Returns:
        The document; None where there is none of this plan; a problem where it cannot be read.
    """
    path = calibration_path(root, machine, preset)
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return Problem(path, None, f"is no calibration that can be read: {error}")
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or not isinstance(document.get("rows"), list):
        return Problem(path, None, f"is no calibration of this layout (schema {SCHEMA})")
    return document if document.get("plan") == digest else None


def repeats_by_row(
    repeats: pd.DataFrame, subjects: tuple[str, str]
) -> dict[tuple[str, str, str, str], tuple[tuple[int, int, float], ...]]:
    """Return the untainted repeats in complete blocks of every known metric with noise: times that are judged, memory.

    Args:
        repeats: `store.frame.repeats_frame` of one run.
        subjects: the two sides.

    Returns:
        By row key: (side 0 or 1, block, value), in the order of the records.
    """
    noisy = {
        name
        for name, metric in METRICS.items()
        if (metric.judged and metric.unit == "seconds") or metric.kind in (Kind.HOST_MEMORY, Kind.ALLOCATOR)
    }
    kept = repeats[repeats["complete_block"] & (repeats["status"] == "ok") & ~repeats["tainted"]]
    kept = kept[kept["metric"].isin(noisy) & kept["subject"].isin(subjects)]
    found: dict[tuple[str, str, str, str], list[tuple[int, int, float]]] = {}
    for *key, subject, block, value in kept[[*ROW_KEY, "subject", "block", "value"]].itertuples(index=False):
        metric, device, model, variant = (str(part) for part in key)
        entry = found.setdefault((metric, device, model, variant), [])
        entry.append((subjects.index(str(subject)), int(block), float(value)))
    return {key: tuple(values) for key, values in found.items()}
