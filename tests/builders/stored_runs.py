"""Writes small runs for the tests of the store, through the store's own doors."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.releases.manifest import read_manifest
from harness.store.records import Record
from harness.store.runs import RunDirectory, create_run
from harness.worker import WORKER_VERSION

PROJECT = Path(__file__).parents[2]
MACHINE = "calm-machine"
CELL = {"device": "cpu", "model": "mlp-s", "writer": "tf-module", "reader": "tf-load"}
OLD, NEW = "v2.20.0", "v2.21.0"


def project_root(path: Path) -> Path:
    """Make a folder that is a project as far as asv and the store can tell."""
    path.mkdir(parents=True, exist_ok=True)
    for name in ("asv.conf.json", "releases.toml"):
        shutil.copy(PROJECT / name, path / name)
    (path / "locks").symlink_to(PROJECT / "locks")
    shutil.copytree(PROJECT / "benchmarks", path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    return path


def tensorflow_project(path: Path, plan: str) -> Path:
    """Make a project that measures real releases: with the environments of this one, and a test plan `tiny.toml`."""
    root = project_root(path)
    (root / ".environments").symlink_to(PROJECT / ".environments")
    (root / "tiny.toml").write_text(plan)
    return root


def repeat(
    value: float | None = 1.0,
    *,
    metric: str = "load_warm_s",
    subject: str = NEW,
    block: int = 0,
    number: int = 0,
    cell: Mapping[str, Any] | None = CELL,
    operation: str = "load",
    status: str = "ok",
    batch: int | None = None,
    **more: Any,
) -> Record:
    """Return the record of one repeat with one metric, none where `value` is None."""
    entry = {"metric": metric, "value": value, **({} if batch is None else {"batch": batch})}
    return {
        "type": "repeat", "block": block, "subject": subject, "cell": None if cell is None else dict(cell),
        "operation": operation, "page_cache": None, "repeat": number, "isolation": "fork", "status": status,
        "reason": None, "metrics": [] if value is None else [entry], "absent": [], "taints": [], **more,
    }  # fmt: skip


def block_end(block: int = 0, **more: Any) -> Record:
    """Return the record that closes a block."""
    return {"type": "block", "block": block, "duration_s": 1.0, "complete": True, **more}


def blocks(values: Mapping[str, Sequence[float]], **named: Any) -> list[Record]:
    """Return complete blocks with one repeat a subject: `values[subject][block]`."""
    records = []
    for block in range(max(len(series) for series in values.values())):
        records += [
            repeat(series[block], subject=subject, block=block, **named)
            for subject, series in values.items()
            if block < len(series)
        ]
        records.append(block_end(block))
    return records


def store_run(
    root: Path,
    records: Sequence[Record],
    *,
    machine: str = MACHINE,
    subjects: Sequence[str] = (OLD, NEW),
    state: str = "complete",
    preset: str = "quick",
    kind: str = "compare",
    lock: str = "sha256:one",
    parts: Mapping[str, Any] | None = None,
    **facts: Any,
) -> RunDirectory:
    """Write a whole run of the given records; further `facts` go to its run.json."""
    releases = {release.name: release for release in read_manifest(PROJECT / "releases.toml").releases}
    run = create_run(
        root,
        machine,
        {
            "kind": kind,
            "preset": {"name": preset},
            "subjects": [
                {
                    "name": name, "release": name, "release_id": releases[name].ident, "policy": "today",
                    "wheel": "cpu", "environment": f"tf-{name[1:]}-cpu-today-py311", "python": "3.11",
                    "tensorflow": name[1:], "lock_digest": lock,
                }
                for name in subjects
            ],
            "machine": {
                "name": machine, "cpu": "Some CPU", "logical_cpus": 2, "memory_bytes": 2**34, "kernel": "6.1",
                "arch": "x86_64",
            },
            "worker_version": WORKER_VERSION,
            "fingerprint_parts": dict(parts or {"seed": 1}),
            **facts,
        },
    )  # fmt: skip
    with run.writer() as writer:
        for record in records:
            writer.append(record)
    return run.updated(state=state)
