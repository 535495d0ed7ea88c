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
from harness.verdict.differences import ESTIMATOR, Pair

SCHEMA = 1


def calibration_path(root: Path, machine: str, preset: str) -> Path:
    """Return where the calibration of a machine and preset lies."""
    return results_path(root) / "calibration" / machine / f"{preset}.json"


def write_calibration(root: Path, machine: str, preset: str, document: Mapping[str, Any]) -> Path:
    """Write a calibration, replacing an earlier one, and return its path."""
    path = calibration_path(root, machine, preset)
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {"schema": SCHEMA, "machine": machine, "preset": preset, "estimator": ESTIMATOR}
    write_json_atomically(path, {**named, **document})
    return path


def read_calibration(root: Path, machine: str, preset: str, digest: str) -> dict[str, Any] | Problem | None:
    """Read the calibration of a plan.

    Args:
        root: the project's root.
        machine: the machine's name.
        preset: the preset's name.
        digest: the plan's digest: a calibration of another plan of this name does not count.

    Returns:
        The document; None where there is none of this plan; a problem where it cannot be read, or where its noise is
        that of differences made by another estimator than this harness's.
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
    if document.get("plan") != digest:
        return None
    if document.get("estimator") != ESTIMATOR:
        told = "took differences by another estimator: run `savedmodel-bench calibrate` again to plan by it"
        return Problem(path, None, told)
    return document


def pairs_by_row(pairs: pd.DataFrame) -> dict[tuple[str, str, str, str], tuple[Pair, ...]]:
    """Return the whole pairs of every known metric with noise: times that are judged, memory.

    Args:
        pairs: `store.pairs.pairs_frame` of one run and its two sides.

    Returns:
        By row key, in the order of the records; empty where a row has rounds but none is a whole pair.
    """
    noisy = {
        name
        for name, metric in METRICS.items()
        if (metric.judged and metric.unit == "seconds") or metric.kind in (Kind.HOST_MEMORY, Kind.ALLOCATOR)
    }
    found: dict[tuple[str, str, str, str], list[Pair]] = {}
    kept = pairs.loc[pairs["metric"].isin(noisy), [*ROW_KEY, "block", "old", "new", "whole"]]
    for *key, block, old, new, is_whole in kept.itertuples(index=False):
        metric, device, model, variant = (str(part) for part in key)
        entry = found.setdefault((metric, device, model, variant), [])
        if is_whole:
            entry.append((int(block), float(old), float(new)))
    return {key: tuple(values) for key, values in found.items()}
