"""Collecting, over a simulated Slurm whose jobs the test runs itself: what is submitted, and what counts."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_slurm
import pytest
from fleet_scenarios import do
from fleets import make_fleet, make_type, measured, stub
from stored_runs import NEW, OLD

import harness.fleet.work as working
from harness.cli import main
from harness.errors import UsageError
from harness.fleet import collecting, slurm
from harness.fleet.answer import answer
from harness.fleet.assignment import assign, assignment_path, jobs_of
from harness.fleet.collecting import cancel, collect
from harness.fleet.confirmation import confirming
from harness.fleet.folder import FleetFolder
from harness.fleet.starting import start
from harness.fleet.status import State, statuses
from harness.fleet.submission import sbatch_arguments
from harness.machine.findings import problem
from harness.machine.measuring_lock import MachineBusyError
from harness.measure.narrowing import narrow
from harness.measure.preset_files import read_preset
from harness.report.fleet import report_status
from harness.report.fleet_answer import report_fleet


@pytest.fixture
def quick(by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, without a process for each question."""
    monkeypatch.setattr(slurm, "_run", lambda words: fake_slurm.run_here(by_hand, list(words)))
    return by_hand


@pytest.fixture
def fleet(by_hand: Path, tmp_path: Path) -> FleetFolder:
    """A fleet of one job of four blocks."""
    return one_job(tmp_path)


def one_job(tmp_path: Path, **fields: Any) -> FleetFolder:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return make_fleet(tmp_path / "project", {"h100": make_type("h100", scratch=str(scratch), **fields)})


def after(blocks: int, failure: BaseException) -> Callable[..., Any]:
    """Return a worker that ends in this way after some blocks."""

    class Ending:
        def __init__(self, progress: Any) -> None:
            self._progress, self._left = progress, blocks

        def block_done(self, *told: Any) -> None:
            self._progress.block_done(*told)
            self._left -= 1
            if not self._left:
                raise failure

    return lambda root, node, progress: stub(root, node, Ending(progress))


def only(fleet: FleetFolder) -> Any:
    (status,) = collect(fleet).jobs
    return status


def test_the_intention_is_on_disk_before_sbatch_and_refusals_are_kept(fleet: FleetFolder, by_hand: Path) -> None:
    (attempt,) = fleet.attempts("h100-1")
    assert attempt.submitted.slurm_id == "1"
    assert (attempt.path / "job.json").stat().st_mode & 0o777 == 0o600
    assert (fleet.path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert only(fleet).state is State.WAITING


def test_what_was_interrupted_goes_on_where_it_stopped(fleet: FleetFolder, by_hand: Path, tmp_path: Path) -> None:
    assert do(by_hand, measure=after(2, KeyboardInterrupt())) == 0
    assert collect(fleet).submitted == ["h100-1"]
    assert "--nodelist=n1" in fake_slurm.jobs(by_hand)[-1]["words"]
    do(by_hand)
    assert only(fleet).state is State.FINISHED
    attempts = [attempt for _, _, _, block, attempt, _ in sorted(measured(fleet.root), key=lambda one: one[3])]
    assert attempts == [1, 1, 1, 1, 2, 2, 2, 2]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_more_than_tries(by_hand: Path, tmp_path: Path) -> None:
    fleet = one_job(tmp_path, tries=2)
    for again in (["h100-1"], []):
        do(by_hand, measure=after(1, KeyboardInterrupt()), ends="TIMEOUT")
        assert collect(fleet).submitted == again
    status = only(fleet)
    assert status.state is State.FAILED
    assert "all 2 tries are used" in str(status.reason)
    assert len(measured(fleet.root)) == 4  # two blocks of two subjects: what was delivered is merged


def test_a_node_that_is_unfit_is_excluded(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    both = make_type("h100", scratch=str(scratch), constraint=None)
    fleet = make_fleet(tmp_path / "project", {"any": both})
    with monkeypatch.context() as patch:
        patch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
        assert do(by_hand) == 0
    assert collect(fleet).submitted == ["any-1"]
    assert "--exclude=n1" in fake_slurm.jobs(by_hand)[-1]["words"]
    do(by_hand)
    status = only(fleet)
    assert (status.state, status.node) == (State.FINISHED, "n2")


def test_more_than_half_of_a_types_nodes_unfit_ends_it(
    fleet: FleetFolder, by_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "host_findings", lambda: [problem("memory", "1 GB of memory", "Add some.")])
    do(by_hand)
    done = collect(fleet)  # n1 is the only h100
    assert done.submitted == []
    assert "more than half of its nodes" in done.said[0]
    assert done.jobs[0].state is State.FAILED
    assert collect(fleet).is_done


def test_a_wrong_question_is_told_from_a_bad_node(fleet: FleetFolder, by_hand: Path) -> None:
    def refuses(*_: object) -> None:
        raise UsageError("There is no such release.")

    do(by_hand, measure=refuses)
    status = only(fleet)
    assert (status.state, status.reason) == (State.FAILED, "There is no such release.")
    assert collect(fleet).submitted == []


def test_a_full_quota_keeps_scratch_and_says_where(
    fleet: FleetFolder, by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(122, "Disk quota exceeded", "records.jsonl")

    monkeypatch.setattr(working, "deliver", full)
    assert do(by_hand, ends="FAILED") == 3
    (status,) = statuses(fleet, slurm.listed())
    (scratch,) = (tmp_path / "scratch").iterdir()
    assert status.state is State.LOST  # once there is room, a successor measures
    assert f"on n1 in {scratch}" in str(status.reason)
    assert list(scratch.rglob("records.jsonl"))


def test_no_answer_submits_nothing(fleet: FleetFolder, by_hand: Path) -> None:
    do(by_hand, measure=after(1, KeyboardInterrupt()))
    (by_hand / "silent").touch()
    done = collect(fleet)
    assert (done.submitted, done.merged) == ([], [])
    with pytest.raises(UsageError, match="nothing was cancelled"):
        cancel(fleet)


def test_forgotten_by_slurm_is_lost_only_if_it_answers(fleet: FleetFolder, by_hand: Path) -> None:
    fake_slurm.change(by_hand, "1", state="COMPLETED")
    (by_hand / "forget").touch()
    assert collect(fleet).submitted == ["h100-1"]


def test_who_waits_too_long_for_a_node_is_measured_elsewhere(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = one_job(tmp_path, patience="1h", constraint=None)
    job = fleet.plan.jobs[0]
    collecting.submit(fleet, job, node="n1")
    monkeypatch.setattr(collecting, "now", lambda: fleet.attempts("h100-1")[-1].submitted.submitted_at + 4000)
    done = collect(fleet)
    assert "waited 1h for n1" in done.said[0]
    words = fake_slurm.jobs(by_hand)[-1]["words"]
    assert "--exclude=n1" in words
    assert not [word for word in words if word.startswith("--nodelist")]


CHANGING = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "fake_slurm.run")
"""Audit events of what changes a disk, or asks Slurm; `open` is one where it is to write."""


def collect_until(fleet: FleetFolder, step: int) -> bool:
    """Collect in a process that kills itself before its `step`th change of anything; return whether it did."""
    child = os.fork()
    if not child:
        left = [step]

        def watch(event: str, given: tuple[Any, ...]) -> None:
            if event in CHANGING or (event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            collect(fleet)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.slow
def test_killed_at_any_step_the_next_collect_goes_on(quick: Path, tmp_path: Path) -> None:
    """One job has ended and is merged, another one is lost and submitted again; killed before each step of both."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    kinds = {name: make_type(name, scratch=str(scratch)) for name in ("h100", "a100")}
    fleet = make_fleet(tmp_path / "project", kinds, blocks=2)
    do(quick, "1")
    do(quick, "2", measure=after(1, KeyboardInterrupt()))
    for name in ("project", "slurm"):
        shutil.copytree(tmp_path / name, tmp_path / f"{name}-before", symlinks=True)
    for step in itertools.count(1):
        for name in ("project", "slurm"):
            shutil.rmtree(tmp_path / name)
            shutil.copytree(tmp_path / f"{name}-before", tmp_path / name, symlinks=True)
        was_killed = collect_until(fleet, step)
        collect(fleet)
        (waiting,) = (job["id"] for job in fake_slurm.jobs(quick) if job["state"] == "PENDING")  # never twice
        do(quick, waiting)
        assert collect(fleet).is_done
        found = measured(fleet.root)
        assert len(found) == len(set(found)) == 8
        assert list((tmp_path / "project" / "results").rglob("*.tmp")) == []
        if not was_killed:
            break
    assert step > 20


HOSTILE = ["a space", 'a "quote"', "$(touch X)", "new\nline", "%j", "-leading", "a;b", "ünï"]


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_names_go_through_no_shell(by_hand: Path, tmp_path: Path, name: str) -> None:
    fleet = make_fleet(tmp_path / name / "project", {"h100": make_type("h100", scratch=str(tmp_path))})
    (job,) = fake_slurm.jobs(by_hand)
    assert Path(job["output"]) == fleet.path / "jobs" / "h100-1" / "1" / "log"
    assert Path(job["arguments"][-1]).is_file()
    do(by_hand)
    assert only(fleet).state is State.FINISHED
    assert len(measured(fleet.root)) == 8
    assert not (tmp_path / "X").exists()


def test_what_is_asked_of_sbatch(fleet: FleetFolder) -> None:
    words = sbatch_arguments(fleet, fleet.plan.jobs[0], Path("/a%b"), 1, exclude=["n7"])
    assert {"--export=NONE", "--no-requeue", "--exclusive", "--time=5", "--signal=B:TERM@10", "--exclude=n7"} <= {
        *words
    }
    assert "--output=/a%%b/log" in words
    assert all(word.startswith("--") for word in words)


def two_types(by_hand: Path, tmp_path: Path, **slower: float) -> FleetFolder:
    root = tmp_path / "project"
    root.mkdir()
    (root / "stub.json").write_text(json.dumps({"slower": slower}))
    (tmp_path / "scratch").mkdir()
    kinds = {name: make_type(name, scratch=str(tmp_path / "scratch"), nodes=1) for name in ("h100", "a100")}
    fleet = make_fleet(root, kinds, blocks=6)
    for job in fake_slurm.jobs(by_hand):
        do(by_hand, job["id"])
    return fleet


def test_one_answer_says_what_changed_where(by_hand: Path, tmp_path: Path) -> None:
    fleet = two_types(by_hand, tmp_path, a100=1.5)
    found = answer(fleet, collect(fleet).jobs, None, None)
    report = report_fleet(found, require_coverage=0.9)
    row, *others = report.data["rows"]
    assert row["fleet"]["verdict"] == "regression only on a100"
    assert {one["metric"] for one in others} == {"import_s", "load_cold_s"}  # staging is off
    assert {type_["verdict"] for one in others for type_ in one["types"].values()} == {"n/a"}
    assert all(one.keys() == row.keys() and "staging is off" in one["types"]["h100"]["reason"] for one in others)
    assert {name: one["verdict"] for name, one in row["types"].items()} == {"h100": "same", "a100": "regression"}
    assert (row["types"]["h100"]["node"], row["types"]["a100"]["node"]) == ("n1", "n2")
    assert report.data["coverage"] == {"h100": 1.0, "a100": 1.0}
    assert report.exit_code == 1
    assert json.loads(json.dumps(report.data)) == report.data


def test_a_report_over_nights_judges_what_was_not_reported_yet(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = two_types(by_hand, tmp_path, a100=1.5)
    collect(fleet)
    (fleet.root / "releases.toml").touch()
    monkeypatch.chdir(fleet.root)
    capsys.readouterr()  # what the jobs printed
    for reads_records in (True, False):
        assert main(["fleet", "report", "--nights", "2", "--format", "json"]) == 0
        printed = capsys.readouterr()
        (row,) = json.loads(printed.out)["rows"]
        assert {name: one["verdict"] for name, one in row["types"].items()} == {"a100": "regression"}
        assert ("Judging" in printed.err) is reads_records


def test_who_names_no_fleet_collects_all(
    by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    older, newer = sorted((one_job(tmp_path), one_job(tmp_path)), key=lambda fleet: fleet.plan.fleet)
    for job in fake_slurm.jobs(by_hand):
        do(by_hand, job["id"])
    (older.root / "releases.toml").touch()
    monkeypatch.chdir(older.root)
    capsys.readouterr()  # what the jobs printed
    assert main(["fleet", "collect", "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert f"Fleet {older.plan.fleet}: 1 run merged, 0 jobs submitted." in printed.err
    assert [job["fleet"] for job in json.loads(printed.out)["jobs"]] == [newer.plan.fleet]
    assert len(list((older.root / "results" / "runs").glob("*/*/run.json"))) == 2
    assert main(["fleet", "collect"]) == 0
    assert "merged" not in capsys.readouterr().err


def test_a_type_without_an_answer_is_said_first_and_ends_with_3(by_hand: Path, tmp_path: Path) -> None:
    fleet = two_types(by_hand, tmp_path)
    for run in fleet.attempts("h100-1")[0].delivered():
        shutil.rmtree(run)
    report = report_fleet(answer(fleet, collect(fleet).jobs, None, None), require_coverage=0.9)
    assert report.exit_code == 3
    assert report.data["coverage"] == {"h100": 0.0, "a100": 1.0}
    assert "h100-1 has no results" in report.notes[0]
    assert "Too little was measured on h100" in str(report.shortfall)


@pytest.mark.slow
def test_the_results_are_the_plan_less_what_the_report_names(by_hand: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    kinds = {name: make_type(name, scratch=str(tmp_path / "scratch"), tries=1) for name in ("h100", "a100")}
    fleet = make_fleet(tmp_path / "project", kinds, models=("mlp-s", "conv-s"))
    ends = {"a100-1": after(2, KeyboardInterrupt()), "a100-2": after(1, KeyboardInterrupt()), "h100-2": fails}
    for job, one in zip(fleet.plan.jobs, fake_slurm.jobs(by_hand), strict=True):
        do(by_hand, one["id"], measure=ends.get(job.name, stub))
    report = report_fleet(answer(fleet, collect(fleet).jobs, None, None), require_coverage=0.9)
    missing = {"h100-2": set(range(4)), "a100-1": {2, 3}, "a100-2": {1, 2, 3}}
    said = "; ".join(report.data["missing"])
    assert "h100-2 has no results" in said
    assert "a100-1 has 2 of 4 blocks" in said
    assert "a100-2 has 1 of 4 blocks" in said
    assert "h100-1" not in said
    node_of = {"h100": "n1", "a100": "n2"}
    planned = {
        (node_of[job.type], model, subject, block)
        for job in fleet.plan.jobs
        for model in {cell["model"] for group in job.preset["groups"] for cell in group["cells"]}
        for subject in (OLD, NEW)
        for block in set(range(4)) - missing.get(job.name, set())
    }
    found = measured(fleet.root)
    assert len(found) == len(planned)
    assert {(node, model, subject, block) for node, model, subject, block, _, _ in found} == planned
    # Each model has one row here: one of two on one type; on the other a half and a quarter of one.
    assert report.data["coverage"] == {"h100": 0.5, "a100": 0.375}
    assert report.exit_code == 3
    assert "Missing: " in report.notes[0]


def test_the_status_as_data(fleet: FleetFolder, by_hand: Path) -> None:
    do(by_hand, measure=after(2, KeyboardInterrupt()))
    report = report_status(fleet.plan.fleet, statuses(fleet, slurm.listed()))
    (job,) = report.data["jobs"]
    assert datetime.datetime.fromisoformat(job.pop("since")).tzinfo is not None
    assert job == {
        "fleet": fleet.plan.fleet, "job": "h100-1", "type": "h100", "node": "n1", "slurm_id": "1", "attempt": 1,
        "state": "lost", "blocks_done": 2, "blocks_planned": 4, "reason": "it was told to end",
    }  # fmt: skip


def test_models_stay_on_their_nodes() -> None:
    first = assign([], {"a": 3.0, "b": 2.0, "c": 1.0}, 2, ["n1", "n2"])
    assert [(slot.node, slot.models) for slot in first] == [("n1", ["a"]), ("n2", ["b", "c"])]
    joined = assign(first, {"a": 3.0, "b": 2.0, "c": 1.0, "d": 9.0}, 3, ["n1", "n2", "n3"])
    assert [(slot.node, slot.models) for slot in joined] == [("n1", ["a"]), ("n2", ["b", "c"]), ("n3", ["d"])]
    fewer = assign(joined, {"a": 3.0, "b": 2.0, "c": 1.0, "d": 9.0}, 2, ["n1", "n2"])
    assert sorted(model for slot in fewer[:2] for model in slot.models) == ["a", "b", "c", "d"]
    assert fewer[0].models[0] == "a"


@pytest.mark.slow
def test_two_hundred_jobs_each_once(quick: Path, tmp_path: Path) -> None:
    models = [model for model in read_model_names() for _ in (0, 1)]
    (tmp_path / "scratch").mkdir()
    kinds = {f"t{number}": make_type("h100", scratch=str(tmp_path / "scratch")) for number in range(200 // len(models))}
    fleet = make_fleet(tmp_path / "project", kinds, models=models, blocks=1)
    assert len(fake_slurm.jobs(quick)) == 200
    failing = set(range(1, 201, 7))
    for number in range(1, 201):
        do(quick, str(number), measure=fails if number in failing else stub)
    done = collect(fleet)
    assert len(done.submitted) == len(failing)
    for job in fake_slurm.jobs(quick)[200:]:
        do(quick, job["id"])
    assert collect(fleet).is_done
    found = measured(fleet.root)
    assert len(found) == len(set(found)) == 400


def fails(*_: object) -> None:
    raise KeyboardInterrupt


def read_model_names() -> list[str]:
    return list(dict.fromkeys(cell.model for cell in read_preset("quick").cells))


def test_each_node_has_its_models_and_keeps_them(by_hand: Path, tmp_path: Path) -> None:
    kind, preset = make_type(nodes=2, constraint=None), narrow(read_preset("quick"), blocks=4)
    jobs = jobs_of(tmp_path, "any", kind, preset)
    parts = [{cell["model"] for group in job.preset["groups"] for cell in group["cells"]} for job in jobs]
    assert [job.node for job in jobs] == ["n1", "n2"]
    assert parts[0] | parts[1] == {cell.model for cell in preset.cells}
    assert not parts[0] & parts[1]
    assert jobs_of(tmp_path, "any", kind, preset) == jobs
    assignment_path(tmp_path, "any").write_text("[")
    with pytest.raises(UsageError, match="to assign all models anew"):
        jobs_of(tmp_path, "any", kind, preset)


def test_what_slurm_calls_invalid_is_told_before_anything_is_submitted(by_hand: Path) -> None:
    assert slurm.complaint(["--output=/x", "--constraint=none"], Path("job.sh")) is not None
    assert slurm.complaint(["--output=/x", "--constraint=h100"], Path("job.sh")) is None
    assert fake_slurm.jobs(by_hand) == []


def test_what_changed_is_measured_again_on_its_node(by_hand: Path, tmp_path: Path) -> None:
    fleet = two_types(by_hand, tmp_path, a100=1.5)
    jobs = collect(fleet).jobs
    plan = confirming(fleet, answer(fleet, jobs, None, None), {one.job.name: one.node for one in jobs})
    assert [(job.name, job.node) for job in plan.jobs] == [("a100-1", "n2")]
    assert (plan.seed, plan.confirms) == (fleet.plan.seed + 1, fleet.plan.fleet)
    second, refused = start(plan, {}, fleet.project)
    assert refused == []
    do(by_hand)
    found = answer(second, collect(second).jobs, None, None)
    assert [row.statement.verdict for row in found.rows] == ["regression everywhere"]
    same = answer(fleet, jobs, None, [(None, 0.9)])
    with pytest.raises(UsageError, match="nothing to confirm"):
        confirming(fleet, same, {})


def test_a_busy_machine_is_tried_again(fleet: FleetFolder, by_hand: Path) -> None:
    def busy(*_: object) -> None:
        raise MachineBusyError("Another run is measuring on this machine.")

    do(by_hand, measure=busy)
    assert collect(fleet).submitted == ["h100-1"]
