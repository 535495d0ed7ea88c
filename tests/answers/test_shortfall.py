"""Nothing measured is never a success: what every command makes of plans that came to nothing, or to too little."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import CELL, MACHINE, NEW, OLD, block_end, project_root, repeat, store_run

from harness.cli import main
from harness.commands import bench, calibrate
from harness.commands import run as run_command
from harness.commands.shared import confirm
from harness.machine.identity import describe_machine
from harness.measure import run as measure_run
from harness.measure import sitting
from harness.measure.failures import FailureCount
from harness.measure.limits import Limits
from harness.measure.narrowing import narrow
from harness.measure.plan import Plan
from harness.measure.preset_files import read_preset
from harness.measure.progress import Silent
from harness.measure.sitting import Outcome
from harness.planning import plans
from harness.planning.request import Request
from harness.releases.environments import Environment
from harness.releases.manifest import read_manifest
from harness.store.calibrations import calibration_path
from harness.store.records import Record
from harness.store.runs import RunDirectory, load_run

NO_IMPORT = "crashed: killed by SIGILL during the import"
FULL = "too-large: needs about 8 MiB of disk, 3 MiB are free on /results"
STEAL = ["steal: 12 % of CPU time"]
OTHER = {**CELL, "model": "conv-s"}


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path)
    monkeypatch.chdir(root)
    return root


def imported(subject: str, block: int, **more: Any) -> Record:
    return repeat(
        4.0 + block / 100, metric="import_s", cell=None, operation="import", subject=subject, block=block, **more
    )


def worked(subject: str, block: int, cell: Mapping[str, str] = CELL, taints: Sequence[str] = ()) -> list[Record]:
    """Return a save and a load that went well; a taint of the clock leaves the artifact's bytes as they are."""
    named: dict[str, Any] = {"subject": subject, "block": block, "cell": cell, "taints": list(taints)}
    save = repeat(0.5 + block / 1000, metric="save_first_s", operation="save", **named)
    save["metrics"].append({"metric": "artifact_bytes", "value": 4e6})
    return [save, repeat(0.1 + block / 10000, **named)]


def failed(subject: str, block: int, cell: Mapping[str, str] | None = CELL, why: str = NO_IMPORT) -> list[Record]:
    operations = ("import",) if cell is None else ("save", "load")
    return [
        repeat(None, subject=subject, block=block, cell=cell, operation=operation, status="failed", reason=why)
        for operation in operations
    ]


def broken(subject: str, block: int) -> list[Record]:
    return [*failed(subject, block, None), *failed(subject, block), *failed(subject, block, OTHER)]


def whole(subject: str, block: int, taints: Sequence[str] = ()) -> list[Record]:
    cells = (worked(subject, block, cell, taints) for cell in (CELL, OTHER))
    return [imported(subject, block), *(record for records in cells for record in records)]


def full(subject: str, block: int, cells: Iterable[Mapping[str, str]] = (CELL, OTHER)) -> list[Record]:
    """Return an import that went well, and cells for which there was no room: one record each."""
    without = {"metric": "save_first_s", "operation": "save", "status": "unsupported", "reason": FULL}
    lost = (repeat(None, subject=subject, block=block, cell=cell, **without) for cell in cells)
    return [imported(subject, block), *lost]


Side = Callable[[str, int], list[Record]]


def stored(root: Path, old: Side, new: Side, *, blocks: int = 2, **facts: Any) -> RunDirectory:
    records: list[Record] = []
    for block in range(blocks):
        records += [*old(OLD, block), *new(NEW, block), block_end(block)]
    return store_run(root, records, **facts)


def judged(run: RunDirectory, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any], str]:
    code = main(["compare", OLD, NEW, "--run", str(run.path), "--format", "json", *options])
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["exit_code"] == code
    return code, document, shown.err


def test_two_sides_that_failed_everywhere_are_not_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = stored(root, broken, broken)
    code, document, told = judged(run, capsys)
    assert code == 3
    assert {(row["verdict"], row["reason"], row["ratio"]) for row in document["rows"]} == {
        ("inconclusive", "failed", None)
    }
    assert document["shortfall"].startswith(
        f"4 of 4 operations could not be compared because they failed ({OLD}, {NEW}: {NO_IMPORT})."
    )
    assert told == f"savedmodel-bench: {document['shortfall']}\n"
    assert judged(run, capsys, "--require-decision")[0] == 2
    assert main(["compare", OLD, NEW, "--run", str(run.path)]) == 3
    assert capsys.readouterr().out.startswith("4 of 4 operations could not be compared because they failed")
    assert main(["compare", OLD, NEW, "--run", str(run.path), "--verbose"]) == 3
    text = capsys.readouterr().out
    assert "\n4 of 4 operations could not be compared" in text
    assert "Inconclusive: failed on both sides" in text
    assert "3 comparisons failed in both releases: repair what Failed says, then repeat." in " ".join(text.split())


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_side_that_fails_where_the_other_did_not_is_a_regression(
    root: Path, blocks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails_one(subject: str, block: int) -> list[Record]:
        return [imported(subject, block), *worked(subject, block), *failed(subject, block, OTHER, "raised: no")]

    for new in (broken, fails_one):
        code, document, _ = judged(stored(root, whole, new, blocks=blocks), capsys)
        assert code == 1
        called = {row["model"] for row in document["rows"] if row["verdict"] == "regression"}
        assert called == ({"-", "mlp-s", "conv-s"} if new is broken else {"conv-s"})


def test_a_baseline_that_failed_is_no_baseline(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document, _ = judged(stored(root, broken, whole), capsys)
    assert code == 3
    assert {row["verdict"] for row in document["rows"] if row["metric"] == "cell_failed"} == {"improvement"}


def test_what_fails_on_both_sides_beside_what_is_measured_is_open(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def side(subject: str, block: int) -> list[Record]:
        return [imported(subject, block), *worked(subject, block), *failed(subject, block, OTHER)]

    code, document, told = judged(stored(root, side, side), capsys)
    assert (code, document["shortfall"], told) == (0, None, "")
    (row,) = (row for row in document["rows"] if row["metric"] == "cell_failed")
    assert (row["verdict"], row["detail"]) == ("inconclusive", "failed on both sides")


def test_a_way_to_call_that_fails_on_both_sides_is_not_the_same(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def side(subject: str, block: int) -> list[Record]:
        calls = repeat(None, metric="call_failed", operation="calls", subject=subject, block=block)
        calls["metrics"] = [
            {"metric": "call_failed", "value": value, "way": way} for way, value in (("xla", 1), ("direct", 0))
        ]
        return [*whole(subject, block), calls]

    _, document, _ = judged(stored(root, side, side), capsys)
    ways = {row["variant"].split()[-1]: row["verdict"] for row in document["rows"] if row["metric"] == "call_failed"}
    assert ways == {"xla": "inconclusive", "direct": "same"}


def test_a_plan_without_room_is_no_success_and_one_model_too_large_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = {"repeats": {"save": 1, "cold": 1, "warm": 1, "infer": 1}, "cells": [CELL, OTHER]}
    run = stored(root, full, full).updated(preset={"name": "quick", "groups": [group]})
    code, document, _ = judged(run, capsys)
    assert code == 3
    assert document["shortfall"].startswith(
        "6 of 6 operations could not be compared for want of room "
        "(mlp-s, conv-s: needs about 8 MiB of disk, 3 MiB are free on /results). Make room"
    )

    def one(subject: str, block: int) -> list[Record]:
        return [*full(subject, block, [OTHER]), *worked(subject, block)]

    code, document, _ = judged(stored(root, one, one), capsys)
    assert (code, document["shortfall"]) == (0, None)
    assert {failure["status"] for failure in document["failures"]} == {"unsupported"}
    assert judged(stored(root, one, one), capsys, "--model", "conv-s")[0] == 3


def test_a_machine_that_disturbed_every_repeat_is_not_green(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def disturbed(subject: str, block: int) -> list[Record]:
        return whole(subject, block, STEAL)

    # One side suffices: there is nothing to compare with.
    for old, new in ((disturbed, disturbed), (disturbed, whole), (whole, disturbed)):
        code, document, told = judged(stored(root, old, new), capsys)
        assert code == 3
        assert "because every measurement was disturbed (the hypervisor took the CPU away)" in told
        assert {row["verdict"] for row in document["rows"] if row["metric"] == "artifact_bytes"} == {"same"}

    def half(subject: str, block: int) -> list[Record]:
        return [*worked(subject, block), *worked(subject, block, OTHER, STEAL)]

    assert judged(stored(root, half, half), capsys)[0] == 0


@pytest.fixture(name="measuring_gives")
def _measuring_gives(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[RunDirectory], None]:
    """Return what makes the commands that measure find this run measured."""
    both = tuple(map(read_manifest(root / "releases.toml").find, (OLD, NEW)))
    monkeypatch.setattr(bench, "installable", lambda _, python: both)

    def gives(run: RunDirectory) -> None:
        outcome = Outcome(run, 2, 0, 2, interrupted=False, stopped_by=None)
        for command in (bench, run_command):
            monkeypatch.setattr(command, "measure_request", lambda *_: outcome)

    return gives


@pytest.mark.parametrize(
    ("side", "why", "form"),
    [
        (broken, NO_IMPORT, "markdown"),
        (full, "3 MiB are free on /results", "json"),
        (lambda *at: whole(*at, STEAL), "`savedmodel-bench doctor`", "table"),
    ],
)
def test_a_run_of_nothing_ends_with_3_and_says_why(
    root: Path,
    side: Side,
    why: str,
    form: str,
    measuring_gives: Callable[[RunDirectory], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    measuring_gives(stored(root, side, side))
    assert main(["run", OLD, NEW, "--format", form]) == 3
    shown = capsys.readouterr()
    assert why in shown.err.splitlines()[-1]
    assert "operations could not be measured" in " ".join(shown.out.split())


def test_a_bench_of_nothing_ends_with_3_and_one_that_found_a_regression_with_0(
    root: Path, measuring_gives: Callable[[RunDirectory], None], capsys: pytest.CaptureFixture[str]
) -> None:
    measuring_gives(stored(root, broken, broken))
    assert main(["bench"]) == 3
    assert NO_IMPORT in capsys.readouterr().err.splitlines()[-1]
    measuring_gives(stored(root, whole, broken))
    assert main(["bench"]) == 0
    assert main(["run", OLD, NEW]) == 0  # one of its releases was measured


def test_where_there_is_a_run_for_each_python_one_that_fell_short_does_not_end_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = {OLD: stored(root, broken, broken), NEW: stored(root, whole, whole)}
    measured: list[str] = []

    def measure(request: Request, *_: Any) -> Outcome:
        (name,) = request.subjects
        measured.append(f"{request.python} {name}")
        return Outcome(sides[name], 2, 0, 2, interrupted=False, stopped_by=None)

    monkeypatch.setattr(run_command, "measure_request", measure)
    monkeypatch.setattr(run_command, "groups_of_subjects", lambda *_: [("3.11", [OLD]), ("3.13", [NEW])])
    assert main(["run", OLD, NEW]) == 3
    assert measured == [f"3.11 {OLD}", f"3.13 {NEW}"]
    assert NO_IMPORT in capsys.readouterr().err


def test_a_plan_without_room_is_refused_before_anything_is_installed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free = shutil.disk_usage(root)._replace(free=3 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    monkeypatch.setattr(plans, "installed", lambda *_, **__: pytest.fail("a release was installed"))
    commands = (["run", NEW], ["compare", OLD, NEW], ["calibrate", NEW], ["run", NEW, "--dry-run"])
    for arguments in commands:
        assert main([*arguments, "--model", "mlp-s", "--device", "cpu"]) == 3
        shown = capsys.readouterr()
        assert (
            "could not be measured for want of room (mlp-s: needs about 8 MiB of disk, 3 MiB are free on /" in shown.err
        )
        assert shown.out == ""
    assert not (root / "results").exists()


def test_a_calibration_of_failures_is_refused_and_not_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def side(subject: str, block: int) -> list[Record]:
        return [imported(subject, block), *failed(subject, block)]

    run = stored(root, side, side, blocks=5, kind="calibrate")
    run = run.updated(preset={"name": "quick", "time_margin": 0.1})
    outcome = Outcome(run, 5, 0, 5, interrupted=False, stopped_by=None)
    monkeypatch.setattr(calibrate, "measure_request", lambda *_: outcome)
    assert main(["calibrate", NEW]) == 3
    assert "Calibration failed: 2 of 2 operations could not be compared because they failed" in capsys.readouterr().err
    assert not calibration_path(root, MACHINE, "quick").exists()


def test_a_confirmation_that_measured_nothing_is_no_all_clear(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", MACHINE)
    names = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(2)
    records: list[Record] = []
    for block in range(3):
        for place, name in enumerate(names):
            level = 2.0 if place >= len(names) - 3 else 1.0
            records.append(repeat(level * math.exp(random.normal(0, 0.01)), subject=name, block=block))
        records.append(block_end(block))
    store_run(root, records, subjects=names)

    def measured(request: Request, kind: str, *_: Any) -> Outcome:
        records = [record for name in request.subjects for record in broken(name, 0)]
        run = store_run(request.root, [*records, block_end()], subjects=request.subjects, kind=kind)
        return Outcome(run, 1, 0, 1, interrupted=False, stopped_by=None)

    monkeypatch.setattr(confirm, "measure_request", measured)
    assert main(["history", "--confirm", "5m"]) == 3
    shown = capsys.readouterr()
    told = " ".join(shown.out.split())
    assert "unconfirmed: 4 of 4 operations could not be compared because they failed (" in told
    assert NO_IMPORT in shown.err.splitlines()[-1]
    assert main(["history"]) == 0


def test_who_adds_blocks_to_a_run_that_failed_has_it_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who adds blocks may have mended what failed; in a run that goes on, two blocks have shown that it fails."""
    known: list[int] = []

    class FailingBlock:
        def __init__(
            self, conditions: Any, number: int, attempt: int, writer: Any, failures: FailureCount, *_: Any
        ) -> None:
            known.append(failures.blocks(FailureCount.key(NEW, CELL, "save")))
            self._records = [*failed(NEW, number), block_end(number)]
            self._writer, self._attempt = writer, attempt

        def measure(self) -> list[float]:
            for record in self._records:
                self._writer.append({**record, "attempt": self._attempt})
            return [0.0, 0.0]

    monkeypatch.setattr(sitting, "Block", FailingBlock)
    monkeypatch.setattr(measure_run, "with_floors", lambda run, _: run)
    release = read_manifest(root / "releases.toml").find(NEW)
    environment = Environment(NEW, release, Path("python"), "cpu", "today", "3.11", "sha256:1", "3", True)
    preset = narrow(read_preset("quick"), devices=["cpu"], models="conv-s", blocks=2)
    plan = Plan("bench", preset, {NEW: environment}, describe_machine(MACHINE), 1, "fork")
    measure_run.measure(root, plan, Limits(extend=True), Silent())
    measure_run.measure(root, plan, Limits(extend=True), Silent())
    assert known == [0, 0, 0, 0]
    (path,) = (root / "results" / "runs").glob("*/*")
    load_run(path).updated(state="interrupted", blocks_planned=6)  # type: ignore[union-attr]
    preset = dataclasses.replace(preset, blocks=6)
    measure_run.measure(root, dataclasses.replace(plan, preset=preset), Limits(), Silent())
    assert known[4:] == [4, 4]
