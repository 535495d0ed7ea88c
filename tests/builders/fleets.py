"""Fleets of a stub worker: everything is real but the measuring, which writes true records in no time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from saved_model_files import saved_model
from stored_runs import NEW, OLD, block_end, project_root, repeat

from harness.answers.check import Cell, Check, CheckedModel, Error, Question, State, Unread
from harness.commands.fleet import collected
from harness.errors import UsageError
from harness.fleet.chain import collect_as_job
from harness.fleet.chunk_work import check_chunk
from harness.fleet.chunks import check_plan
from harness.fleet.folder import FleetFolder, FleetPlan, JobPlan, new_name
from harness.fleet.starting import start
from harness.fleet.tasks import Measure
from harness.fleet.types import MachineType
from harness.fleet.work import NodeWork, machine_of, work
from harness.machine.measuring_lock import FOLDER_VARIABLE, MeasuringLock
from harness.measure.narrowing import narrow
from harness.measure.own_models import SAVED_MODEL, OwnModel
from harness.measure.preset_files import read_preset
from harness.measure.progress import Progress
from harness.measure.sitting import Outcome
from harness.planning.checks import CheckRequest, Resolved
from harness.planning.fixed import FixedSubject
from harness.planning.own_models import Called
from harness.releases.manifest import read_manifest
from harness.store.records import complete_blocks, next_attempt
from harness.store.runs import create_run, fingerprint, runs_of
from harness.worker import WORKER_VERSION

HERE = Path(__file__).parent


def stub_python(folder: Path) -> Path:
    """Write what takes the interpreter's place in a fleet's plan: its worker is `stub`."""
    program = folder / "stub-python"
    paths = [str(HERE), str(HERE.parents[1])]
    program.write_text(
        f"#!{sys.executable} -I\nimport sys\nsys.path[:0] = {paths!r}\nimport fleets\nsys.exit(fleets.main())\n"
    )
    program.chmod(0o755)
    return program


def main() -> int:
    file = Path(sys.argv[-1])
    code = collect_as_job(file, collected)
    return work(file, stub) if code is None else code


def stub_check(root: Path, node: NodeWork, progress: Progress) -> None:
    """Answer about models as a check does: what `stub.json` calls `broken` on a type is refused by the new release."""
    wanted = _wanted(node)
    broken = wanted.get("broken", {}).get(node.job.type, ())

    def ask(question: Question, say: Any) -> Check:
        (model,) = question.models
        assert (Path(model.path) / "saved_model.pb").is_file()
        assert not (root / "models").exists()  # nothing of them is copied to the node
        given = {name: list(values) for name, values in (question.expected or {}).items()}
        assert given == wanted.get("expects", {})
        time.sleep(float(wanted.get("pause_s", 0.0)))
        if model.called in wanted.get("refused", ()):
            raise UsageError(f"{model.path} cannot be tried.")
        old = Cell(OLD, "tf-load", None, State.ANSWERS)
        new = Cell(NEW, "tf-load", None, State.EQUAL, None, OLD, 0.0, 0.0)
        if model.called in broken:
            new = Cell(NEW, "tf-load", None, State.REFUSED, Error("OSError", f"{model.path} is odd"))
        return Check((OLD, NEW), question.reader, (CheckedModel(model, (old, new), ()),))

    with patch("harness.fleet.chunk_work.environments_of", return_value=[]):
        check_chunk(root, node, progress, ask)


def make_check_fleet(
    root: Path,
    types: dict[str, MachineType],
    names: Sequence[str],
    *,
    size_bytes: int = 1,
    unread: Sequence[str] = (),
    expected: Path | None = None,
) -> FleetFolder:
    """Start a fleet that checks small models by the stub; `size_bytes` is what they are said to have."""
    if not (root / "releases.toml").exists():
        project_root(root)
    models = []
    for name in names:
        path = saved_model(root / "models" / name)
        facts: dict[str, Any] = {"digest": f"{name}0123", "size_bytes": size_bytes, "signature": "serving_default"}
        models.append(OwnModel(f"{name}@01234567", SAVED_MODEL, str(path), inputs=(), inputs_told="none", **facts))
    said = tuple(Unread(path, f"{path} is no model.") for path in unread)
    subjects = tuple(FixedSubject(name, None, "cpu", None, "3.11", None, ()) for name in (OLD, NEW))
    words = ["check", *(str(model.path) for model in models)]
    request = CheckRequest(root, tuple(words[1:]), Called(), expected=expected)
    plan = check_plan(request, Resolved(tuple(models), said, (), (), ()), subjects, words, types)
    plan = replace(plan, python=str(stub_python(root)))
    fleet, refused = start(plan, {model.name: model for model in models})
    assert refused == [], refused
    return fleet


def _wanted(node: NodeWork) -> dict[str, Any]:
    path = node.fleet.root / "stub.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def stub(root: Path, node: NodeWork, progress: Progress) -> Outcome | None:
    """Write a run's records block by block, going on from the blocks that are there.

    `stub.json` beside the fleet's `releases.toml` says how: `pause_s` a block, `slower` the new release's factor by
    machine type, `pad` bytes to make each record larger.
    """
    if not node.job.task.is_timed:
        stub_check(root, node, progress)
        return None
    wanted = _wanted(node)
    machine = machine_of(node)
    slower = float(wanted.get("slower", {}).get(node.job.type, 1.0))
    planned = int(node.job.preset["blocks"])
    models = list(dict.fromkeys(cell["model"] for group in node.job.preset["groups"] for cell in group["cells"]))
    parts = {"machine": machine.name, "boot": machine.boot_id, "models": models, "seed": node.fleet.plan.seed}
    with MeasuringLock(wait_s=60):
        found = [run for run in runs_of(root)[0] if run.facts["fingerprint"] == fingerprint(parts)]
        run = found[-1] if found else create_run(root, machine.name, _facts(node, machine.as_record(), parts, planned))
        records = run.records()[0]
        done, interrupted = set(complete_blocks(records)), False
        try:
            with run.writer() as writer:
                for block in range(planned):
                    if block in done:
                        continue
                    attempt = next_attempt(records, block)
                    for model in models:
                        cell = {"device": "cpu", "model": model, "writer": "tf-module", "reader": "tf-load"}
                        for subject, factor in ((OLD, 1.0), (NEW, slower)):
                            value = factor * Random(f"{block} {model} {subject}").uniform(1.0, 1.005)
                            extra = {"attempt": attempt, "stub": [node.attempt.number, machine.node]}
                            extra["pad"] = "x" * int(wanted.get("pad", 0))
                            writer.append(repeat(value, subject=subject, block=block, cell=cell, **extra))
                    time.sleep(float(wanted.get("pause_s", 0.0)))
                    writer.append(block_end(block, attempt=attempt))
                    done.add(block)
                    progress.block_done(block, planned, 0.0)
        except KeyboardInterrupt:
            interrupted = True
        run = run.updated(state="interrupted" if interrupted else "complete", blocks=len(done))
    return Outcome(run, len(done), 0, planned, interrupted, None)


def _facts(node: NodeWork, machine: dict[str, Any], parts: dict[str, Any], planned: int) -> dict[str, Any]:
    releases = {release.name: release for release in read_manifest(node.fleet.root / "releases.toml").releases}
    subjects = [
        {"name": name, "release": name, "release_id": releases[name].ident, "tensorflow": name[1:], "wheel": "cpu"}
        for name in (OLD, NEW)
    ]
    return {
        "kind": "compare", "preset": node.job.preset, "subjects": subjects, "machine": machine,
        "worker_version": WORKER_VERSION, "fingerprint_parts": parts, "blocks_planned": planned,
    }  # fmt: skip


def make_type(feature: str = "h100", **fields: Any) -> MachineType:
    """Return a machine type whose jobs take turns on this host."""
    chosen = {"constraint": feature, "licenses": "host:1", "stage": False, "wall_time": "5m", "notice": "10s"}
    return MachineType(**{**chosen, "scratch": "/tmp", **fields})


def make_fleet(
    root: Path,
    types: dict[str, MachineType],
    *,
    models: Sequence[str] = ("mlp-s",),
    blocks: int = 4,
    collects: bool = False,
) -> FleetFolder:
    """Start a fleet of the stub worker: a job for each type and model."""
    if not (root / "releases.toml").exists():
        project_root(root)
    preset = read_preset("quick")
    jobs = tuple(
        JobPlan(f"{name}-{number}", name, None, Measure(narrow(preset, models=model, blocks=blocks).as_dict()))
        for name in types
        for number, model in enumerate(models, start=1)
    )
    plan = FleetPlan(
        fleet=new_name(), created_at="now", root=str(root), python=str(stub_python(root)),
        words=("compare", OLD, NEW), command="compare", seed=1, isolation="fork", machine_types=types,
        subjects=dict.fromkeys(types, ()), jobs=jobs, collects=collects,
        variables={name: os.environ[name] for name in (FOLDER_VARIABLE,) if name in os.environ},
    )  # fmt: skip
    fleet, refused = start(plan, {})
    assert refused == [], refused
    return fleet


def measured(root: Path) -> list[tuple[str, str, str, int, int, str]]:
    """Return (node, model, subject, block, attempt of the fleet, run) of each measurement of a complete block."""
    found = []
    for run in runs_of(root)[0]:
        records, problems = run.records()
        assert problems == []
        complete = complete_blocks(records)
        for record in records:
            if record["type"] == "repeat" and complete.get(record["block"]) == record["attempt"]:
                number, node = record["stub"]
                found.append((node, record["cell"]["model"], record["subject"], record["block"], number, run.run))
    return found
