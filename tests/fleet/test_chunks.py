"""`fleet start -- check` and `-- inspect`: chunks that any node takes, an answer for each model, one for the fleet."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_slurm
import numpy as np
import pytest
from faulty_releases import PROJECT, tensorflow_python
from fleet_scenarios import collected, do, forgotten_by_slurm, until
from fleet_scenarios import types as types_of
from fleets import make_check_fleet, make_type, stub
from real_slurm import Slurm
from saved_model_files import Graph, node, saved_model
from stored_runs import project_root

import harness.fleet.work as working
from harness.answers.inspection import difference, inspect
from harness.cli import main
from harness.errors import UsageError
from harness.fleet import slurm as commands
from harness.fleet.chunk_answer import chunk_answer
from harness.fleet.chunks import CHUNK_S, check_s, cut, plan_inspect
from harness.fleet.collecting import collect
from harness.fleet.folder import FleetFolder, open_fleet
from harness.fleet.matrix import matrix_of
from harness.fleet.starting import costs, start
from harness.fleet.status import State, statuses
from harness.measure.own_models import SAVED_MODEL, OwnModel
from harness.report.document import Report
from harness.report.fleet import report_status
from harness.report.fleet_chunks import report_chunks
from harness.report.inspection import report_inspection

LARGE = 10 << 30
"""Bytes of a model that takes more than ten minutes to try."""


def checking(tmp_path: Path, names: str, *kinds: str, **more: Any) -> FleetFolder:
    """Start a fleet that checks models of one letter each."""
    return make_check_fleet(tmp_path / "project", types_of(tmp_path, *(kinds or ("h100",))), list(names), **more)


def do_all(folder: Path, *, act: Any = stub) -> None:
    """Run all jobs that wait."""
    for job in fake_slurm.jobs(folder):
        if job["state"] == "PENDING":
            do(folder, job["id"], measure=act)


def ends_at(name: str) -> Callable[..., Any]:
    """Return what ends the job when a model's turn comes, as a crash of the node would."""

    class Ending:
        def __init__(self, progress: Any) -> None:
            self.block_done = progress.block_done

        def say(self, line: str) -> None:
            if line == f"{name}:":
                raise KeyboardInterrupt

    return lambda root, work, progress: stub(root, work, Ending(progress))


def reported(fleet: FleetFolder) -> Report:
    return report_chunks(chunk_answer(fleet, collect(fleet).jobs))


def shown(report: Report) -> list[str]:
    """Return the texts of a report's first parts."""
    return [str(vars(part)) if hasattr(part, "__dict__") else repr(part) for part in report.document.parts]


def model(name: str, size_bytes: int = 1) -> OwnModel:
    return OwnModel(name, SAVED_MODEL, f"/{name}", "0", size_bytes, (), "none")


def test_chunks_take_about_ten_minutes_and_a_large_model_is_alone() -> None:
    models = [model(f"m{number}") for number in range(100)]
    times = [check_s(one, 2) for one in models]
    parts = cut(models, times)
    assert [one for part in parts for one in part] == models
    assert all(len(part) * times[0] <= CHUNK_S < (len(part) + 1) * times[0] for part in parts[:-1])
    assert [len(part) for part in cut([models[0], model("big", LARGE), models[1]], [1.0, 9e9, 1.0])] == [1, 1, 1]
    assert check_s(model("big", LARGE), 4) == 2 * check_s(model("big", LARGE), 2)


def test_a_chunk_goes_to_any_node_for_a_time_by_its_forecast(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "ab", size_bytes=LARGE)
    assert [job.name for job in fleet.plan.jobs] == ["h100-1", "h100-2"]
    assert [job.node for job in fleet.plan.jobs] == [None, None]
    kind = make_type(wall_time="4h")
    assert fleet.plan.jobs[0].task.limited(kind).wall_minutes < 60
    (small,) = checking(tmp_path, "c").plan.jobs
    assert small.task.limited(kind).wall_minutes == 11
    assert small.task.limited(make_type(wall_time="5m")).wall_minutes == 5
    (cost,) = costs(fleet.plan)
    assert (cost.jobs, cost.node_hours) == (2, 2 * 3 * 5 / 60)


def test_a_check_is_answered_once_for_types_that_do_the_same(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "ab", "h100", "a100", size_bytes=LARGE)
    assert len(fake_slurm.jobs(by_hand)) == 4
    do_all(by_hand)
    report = reported(fleet)
    assert (report.exit_code, report.data["missing"], report.data["differing"]) == (0, [], {})
    assert [one["name"] for one in report.data["types"]["a100"]["models"]] == ["a", "b"]
    texts = shown(report)
    assert "On h100 and a100:" in texts[0]
    assert "All 2 models load and answer the same in v2.21.0" in texts[1]
    assert json.loads(json.dumps(report.data)) == report.data
    assert list((tmp_path / "scratch").iterdir()) == []


def test_types_that_differ_are_told_first(by_hand: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "stub.json").write_text(json.dumps({"broken": {"a100": ["b"]}}))
    fleet = checking(tmp_path, "ab", "h100", "a100")
    do_all(by_hand)
    report = reported(fleet)
    assert report.exit_code == 1
    assert report.data["differing"] == {"b": {"h100": "equal", "a100": "refused"}}
    assert "Machine types differ" in shown(report)[0]
    cell = report.data["types"]["a100"]["models"][1]["cells"][1]
    assert cell["error"]["message"] == f"{root}/models/b is odd"  # where the user has it, not where the job had it


def test_a_successor_answers_about_what_is_left(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "abcd")
    do(by_hand, measure=ends_at("b"))
    (status,) = statuses(fleet, commands.listed())
    assert (status.state, status.blocks_done, status.blocks_planned) == (State.LOST, 1, 4)
    assert collect(fleet).submitted == ["h100-1"]
    do(by_hand)
    assert collect(fleet).jobs[0].state is State.FINISHED
    numbers = {
        attempt.number: {path.stem for path in attempt.path.glob("answers/*")} for attempt in fleet.attempts("h100-1")
    }
    assert numbers == {1: {"0"}, 2: {"1", "2", "3"}}
    assert reported(fleet).exit_code == 0


def test_a_model_that_ends_its_job_each_time_costs_no_others_answer(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "abcd")
    for _ in range(3):
        do(by_hand, measure=ends_at("b"))
        collect(fleet)
    report = reported(fleet)
    assert report.exit_code == 3
    assert "h100-1 has 3 of 4 models (it was told to end; all 3 tries are used)" in report.notes[0]
    assert report.notes[0] in shown(report)[0]
    (missing,) = report.data["types"]["h100"]["not_tried"]
    assert missing["path"] == f"{fleet.root}/models/b"
    assert report.shortfall == "3 of 4 answers arrived; the report says what is missing."


def test_what_is_no_model_is_told_and_the_others_are_checked(by_hand: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "stub.json").write_text(json.dumps({"refused": ["a"]}))
    fleet = checking(tmp_path, "ab", unread=["/nowhere"])
    do_all(by_hand)
    report = reported(fleet)
    assert report.exit_code == 3
    assert [one["path"] for one in report.data["types"]["h100"]["not_tried"]] == [f"{root}/models/a", "/nowhere"]
    assert f"{root}/models/a cannot be tried." in str(report.data)
    (root / "stub.json").write_text(json.dumps({"refused": ["a"]}))
    alone = checking(tmp_path, "a")
    do_all(by_hand)
    assert "No model could be tried." in str(reported(alone).document)


def test_an_answer_that_cannot_be_read_is_missing(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "ab")
    with pytest.raises(UsageError, match=r"has arrived yet: h100-1 has 0 of 2 models \(it waits: Resources\)"):
        reported(fleet)
    do_all(by_hand)
    folder = fleet.attempts("h100-1")[0].path / "answers"
    (folder / "1.json").write_bytes((folder / "0.json").read_bytes())  # about another model
    report = reported(fleet)
    assert (report.exit_code, report.data["answers"]) == (3, {"asked": 2, "arrived": 1})
    (folder / "1.json").write_text("{")
    assert reported(fleet).data["answers"]["arrived"] == 1


def test_of_two_answers_the_newer_attempts_counts_and_the_other_is_named(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "ab")
    (first,) = fleet.attempts("h100-1")
    with forgotten_by_slurm():  # while it goes on, beside its successor
        assert collect(fleet).submitted == ["h100-1"]
    do(by_hand, "2")
    (second,) = (one for one in fleet.attempts("h100-1") if one.number == 2)
    answers = (second.path / "answers").rename(tmp_path / "hidden")
    do(by_hand, "1")
    answers.rename(second.path / "answers")
    (kept,) = collect(fleet).aside
    assert (kept.attempt, kept.blocks, kept.path) == (1, 2, first.path / "answers")
    assert {path.parents[1].name for path in fleet.answers(fleet.plan.jobs[0]).values()} == {"2"}
    assert reported(fleet).exit_code == 0


def test_the_right_outputs_go_with_the_job(by_hand: Path, tmp_path: Path) -> None:
    root, file = tmp_path / "project", tmp_path / "the right.npz"
    np.savez(file, y=np.ones(3))
    fleet = checking(tmp_path, "a", expected=file)
    file.unlink()
    (root / "stub.json").write_text(json.dumps({"expects": {"y": [1.0, 1.0, 1.0]}}))
    do_all(by_hand)
    assert reported(fleet).exit_code == 0


def test_the_status_counts_models_and_a_matrix_is_refused(by_hand: Path, tmp_path: Path) -> None:
    fleet = checking(tmp_path, "ab")
    do_all(by_hand)
    report = report_status(fleet.plan.fleet, statuses(fleet, commands.listed()))
    assert "models" in str(report.document)
    assert [(one["blocks_done"], one["blocks_planned"]) for one in report.data["jobs"]] == [(2, 2)]
    with pytest.raises(UsageError, match="`check` has no results to merge"):
        matrix_of(fleet.plan, {})


def test_inspect_as_a_job_gives_what_inspect_gives(by_hand: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    paths = [saved_model(root / name, Graph(nodes=[node("v", op)])) for name, op in (("a", "NoOp"), ("b", "Add"))]
    (root / "releases.toml").write_bytes((Path(__file__).parents[2] / "releases.toml").read_bytes())
    (root / "locks").mkdir()
    plan, own = plan_inspect(root, paths, None, ["inspect", *map(str, paths)], types_of(tmp_path, "h100"), print)
    fleet, _ = start(plan, own)
    do(by_hand, measure=working.do_here)
    report = reported(fleet)
    found = [inspect(path) for path in paths]
    assert report.data["types"]["h100"] == json.loads(json.dumps(report_inspection(found[0], difference(*found)).data))
    assert report.exit_code == 0
    with pytest.raises(UsageError, match="give one of the SavedModels below it"):
        plan_inspect(root, [tmp_path], None, ["inspect"], types_of(tmp_path, "h100"), print)


def test_a_check_survives_a_job_that_is_cancelled(slurm: Path | Slurm, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "stub.json").write_text(json.dumps({"pause_s": 1.0, "broken": {"a100": ["c"]}}))
    fleet = checking(tmp_path, "abcdef", "h100", "a100")
    until(lambda: any(one.blocks_done for one in statuses(fleet, commands.listed())))
    job = next(one for one in statuses(fleet, commands.listed()) if one.blocks_done)
    commands.cancel([str(job.slurm_id)])
    done = collected(fleet)
    assert {one.state for one in done.jobs} == {State.FINISHED}
    assert {one.job.name: one.attempt for one in done.jobs}[job.job.name] == 2
    report = report_chunks(chunk_answer(fleet, done.jobs))
    assert (report.exit_code, report.data["missing"]) == (1, [])
    assert report.data["differing"] == {"c": {"h100": "equal", "a100": "refused"}}
    for one in fleet.plan.jobs:
        delivered = [path.stem for attempt in fleet.attempts(one.name) for path in attempt.path.glob("answers/*")]
        assert sorted(delivered) == list("012345")  # each once
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_command_asks_collects_and_answers(
    slurm: Path | Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, path = tmp_path / "project", saved_model(tmp_path / "a model", Graph(nodes=[node("v", "NoOp")]))
    project_root(root)
    (tmp_path / "scratch").mkdir()
    (root / "fleet.toml").write_text(
        f'[h100]\nconstraint = "h100"\nlicenses = "host:1"\nscratch = "{tmp_path}/scratch"\nwall_time = "5m"\n'
    )
    monkeypatch.chdir(root)
    start_words = ["fleet", "start", "--on", "h100", "--wait", "--format", "json", "--"]
    assert main([*start_words, "inspect", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["types"]["h100"] == json.loads(json.dumps(report_inspection(inspect(path)).data))
    (status,) = statuses(open_fleet(root), commands.listed())
    assert (status.state, status.node) == (State.FINISHED, "n1")
    assert main(["fleet", "confirm"]) == 3
    assert "measured no time" in capsys.readouterr().err
    assert main(["fleet", "clean"]) == 0
    for words in (["check", str(tmp_path / "nothing")], ["inspect", str(tmp_path)], ["check"], ["check", "a", "--bad"]):
        assert main([*start_words, *words]) == 3, words
    assert list((root / "results" / "fleet").iterdir()) == []  # nothing was submitted


WRITE = """
import sys
import tensorflow as tf

class Module(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def call(self, x):
        return {"y": x + 1.0}

module = Module()
tf.saved_model.save(module, sys.argv[1], signatures=module.call)
"""


@pytest.mark.tensorflow
def test_two_releases_are_asked_by_a_job(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, path = tmp_path / "project", tmp_path / "a model"
    subprocess.run([str(tensorflow_python()), "-c", WRITE, str(path)], check=True, capture_output=True)
    project_root(root)
    (root / ".environments").symlink_to(PROJECT / ".environments")
    (root / "locks").unlink()
    shutil.copytree(PROJECT / "locks", root / "locks")  # that of tf_keras is added
    (tmp_path / "scratch").mkdir()
    (root / "fleet.toml").write_text(f'[h100]\nconstraint = "h100"\nscratch = "{tmp_path}/scratch"\nwall_time = "9m"\n')
    monkeypatch.chdir(root)
    words = ["check", str(path), "--releases", "2.20,2.21"]
    assert main(["fleet", "start", "--on", "h100", "--wait", "--format", "json", "--", *words]) == 0
    asked = json.loads(capsys.readouterr().out)["types"]["h100"]
    assert main([*words, "--format", "json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert asked == {name: alone[name] for name in asked}
    assert [one["state"] for one in asked["models"][0]["cells"] if one["reader"] == "tf-load"] == ["answers", "equal"]
    assert list((tmp_path / "scratch").iterdir()) == []
