"""Every block's number as a tidy table, for pandas and whatever else reads CSV, JSON or Parquet (docs/export.md)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from harness.errors import UsageError
from harness.metrics import CELL_FAILED, METRICS
from harness.store.frame import blocks_frame, repeats_of_run
from harness.store.output_encoding import ERRORS
from harness.store.records import Problem, Record, versions_said
from harness.store.runs import RunDirectory, runs_of

FORMATS = ("csv", "json", "parquet")

SAMPLE_COLUMNS = {
    "run": "the run's id",
    "created_at": "when the run began, UTC",
    "reference": "true for a committed reference run",
    "machine": "the machine's name",
    "driver": "version of NVIDIA's driver; missing without one",
    "gpu_uuid": "UUID of the GPU that TensorFlow uses; missing without one",
    "worker_version": "of what measured it; numbers of two versions can mean different things",
    "preset": "the plan that was measured",
    "isolation": "how repeats were kept apart: fork or spawn",
    "block": "number of the block, from 0; blocks pair the subjects of one run",
    "subject": "what was measured: v2.21.0",
    "release": "the subject's release",
    "tensorflow": "version of TensorFlow",
    "keras": "version of Keras",
    "python": "version of Python",
    "policy": "which dependencies the lock pins: today or at-release",
    "wheel": "cpu or cuda",
    "lock_digest": "digest of the release's lock",
    "profile": "the profile it was measured under; missing without one",
    "variables": "what the profile sets, as JSON",
    "pinned": "what the run pins for every worker, as JSON",
    "device": "cpu or gpu; - where the metric has none",
    "model": "family and size: mlp-s; - where the metric has none",
    "variant": "writer, reader and batch: tf-module/tf-load b32; - where the metric has none",
    "metric": "name of the metric",
    "unit": "of value: " + ", ".join(dict.fromkeys(metric.unit for metric in (*METRICS.values(), CELL_FAILED))),
    "value": "the sample, in unit: the median of the block's untainted repeats; missing where all are tainted",
    "n": "untainted repeats behind value",
    "tainted": "repeats of this block that were left out",
    "taints": "what these had, by kind, and how many of them: foreign-load 2; steal 1; missing where there are none",
}
"""Columns of `record_samples`, in order, with what they hold."""


def record_samples(
    root: Path,
    problems: list[Problem] | None = None,
    *,
    without: Collection[str] = ("speed",),
    references: bool = True,
) -> pd.DataFrame:
    """Return every block's number of every run and reference run (columns: SAMPLE_COLUMNS); complete blocks only.

    A row whose repeats were all tainted has no value, and says so by `n` 0.

    Args:
        root: the project root.
        problems: what could not be read is appended here.
        without: kinds of run to leave out; those of kind "speed" measure the harness itself.
        references: whether reference runs are among them.
    """
    told = problems if problems is not None else []
    parts = []
    for reference in (False, True) if references else (False,):
        runs, found = runs_of(root, reference=reference)
        told.extend(found)
        for run in (one for one in runs if one.facts["kind"] not in without):
            records, unreadable = run.records(without=("phases",))
            told.extend(unreadable)
            rows = blocks_frame(repeats_of_run(run, records))
            if len(rows):
                parts.append(rows.merge(_subjects(run, records), on="subject", how="left").assign(**_of_run(run)))
    if not parts:
        return pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    table = pd.concat(parts, ignore_index=True)[list(SAMPLE_COLUMNS)]
    return table.astype({"worker_version": "Int64", "driver": "string", "gpu_uuid": "string"})


def write_samples(table: pd.DataFrame, form: str, output: Path | None) -> None:
    """Write a table as one of FORMATS, to a file or to standard output.

    Missing values are empty in CSV, null in JSON and Parquet.

    Raises:
        UsageError: the file cannot be written; Parquet without a file, or without the package that writes it.
    """
    if form == "parquet":
        _write_parquet(table, output)
        return
    writers: dict[str, Callable[[IO[str]], Any]] = {
        "csv": lambda file: table.to_csv(file, index=False),
        "json": lambda file: table.to_json(file, orient="records", lines=False, date_format="iso", double_precision=15),
    }
    if output is None:
        writers[form](sys.stdout)
        print(end="" if form == "csv" else "\n")
        return
    try:
        with output.open("w", encoding="utf-8", newline="", errors=ERRORS) as file:
            writers[form](file)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror}): give another --output.") from error


def _write_parquet(table: pd.DataFrame, output: Path | None) -> None:
    if output is None:
        raise UsageError("Parquet cannot be printed: name a file, for example with --output samples.parquet.")
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise UsageError(
            "Parquet needs the package pyarrow: install savedmodel-bench[parquet], or choose --format csv."
        ) from None
    try:
        table.to_parquet(output, engine="pyarrow", index=False)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror}): give another --output.") from error


def _of_run(run: RunDirectory) -> dict[str, Any]:
    return {
        "created_at": pd.Timestamp(run.facts["created_at"]),
        "reference": run.is_reference,
        "driver": run.facts["machine"].get("driver"),
        "gpu_uuid": (run.facts.get("gpu") or {}).get("uuid"),
        "worker_version": run.worker_version,
        "preset": run.facts.get("preset", {}).get("name"),
        "isolation": str(run.facts.get("isolation", "fork")),
        "pinned": json.dumps(run.facts.get("pinned_variables", {}), sort_keys=True),
    }


def _subjects(run: RunDirectory, records: Sequence[Record]) -> pd.DataFrame:
    """Return what run.json says of each subject; of versions, what the workers imported, where they said it."""
    names = ("release", "tensorflow", "keras", "python", "policy", "wheel", "lock_digest")
    profiled = ("profile", "variables")
    said = versions_said(records)
    rows = []
    for subject in run.facts["subjects"]:
        variables = json.dumps(subject["variables"], sort_keys=True) if subject.get("variables") else None
        known = {name: subject.get(name) for name in (*names, "profile")} | said.get(subject["name"], {})
        rows.append({"subject": subject["name"], **known, "variables": variables})
    return pd.DataFrame(rows, columns=["subject", *names, *profiled]).astype("string").drop_duplicates("subject")
