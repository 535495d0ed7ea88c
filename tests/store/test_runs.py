"""Run directories: the lock, resuming, and what of a results folder is no run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stored_runs import MACHINE, block_end, repeat, store_run

from harness.errors import UsageError
from harness.store.records import Problem
from harness.store.resuming import find_resumable, why_not_resumable
from harness.store.runs import (
    ResultsLock,
    RunDirectory,
    create_run,
    fingerprint,
    load_run,
    runs_of,
)

HOLD = (
    "import sys, time; from pathlib import Path; from harness.store.runs import ResultsLock\n"
    "with ResultsLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
)
RACE = (
    "import sys, time; from pathlib import Path; from harness.errors import UsageError\n"
    "from harness.store.runs import ResultsLock\n"
    "print('ready', flush=True); sys.stdin.readline()\n"
    "try:\n"
    "    with ResultsLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.readline()\n"
    "except UsageError as error: print(error, flush=True)\n"
)
PARTS = {
    "subjects": ["v2.20.0", "v2.21.0"],
    "locks": {"v2.20.0": "sha256:a", "v2.21.0": "sha256:b"},
    "preset": "sha256:a",
    "seed": 1,
    "isolation": "fork",
    "worker version": 1,
    "machine": MACHINE,
    "boot": "one",
}


def start(script: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_second_run_is_refused_with_the_holder_named_until_that_one_is_gone(tmp_path: Path) -> None:
    holder = start(HOLD, tmp_path)
    try:
        assert line(holder) == "held"
        with pytest.raises(UsageError, match=rf"process {holder.pid}\b.*wait until it ends"), ResultsLock(tmp_path):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with ResultsLock(tmp_path):
        pass


def test_of_two_processes_at_once_exactly_one_gets_the_results(tmp_path: Path) -> None:
    for attempt in range(3):
        racers = [start(RACE, tmp_path / str(attempt)) for _ in range(2)]
        assert [line(racer) for racer in racers] == ["ready", "ready"]
        for racer in racers:
            tell(racer)
        answers = sorted((line(racer) for racer in racers), key=lambda answer: answer != "held")
        for racer in racers:
            racer.communicate("\n", timeout=20)
        assert answers[0] == "held"
        assert answers[1].startswith("Another command (")


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ResultsLock(tmp_path):
        raise RuntimeError
    with ResultsLock(tmp_path):
        pass


def test_a_run_keeps_its_facts_and_is_listed_oldest_first(tmp_path: Path) -> None:
    made = []
    for seed in range(3):
        made.append(store_run(tmp_path, [repeat(), block_end()], parts={"seed": seed}))
        time.sleep(0.002)
    runs, problems = runs_of(tmp_path, MACHINE)
    assert problems == []
    assert runs == made
    assert load_run(made[0].path) == made[0]
    assert made[0].path.parent == tmp_path / "results" / "runs" / MACHINE
    assert made[0].logs_path.is_dir()
    assert runs_of(tmp_path, "another") == ([], [])


def test_what_is_no_run_is_named_and_left_alone(tmp_path: Path) -> None:
    good = store_run(tmp_path, [repeat()])
    folder = good.path.parent
    (folder / "notes.txt").write_text("mine")
    for name, content in {
        "cut": '{"schema": 1, "ru', "foreign": '{"commit_hash": "abc"}', "list": "[]",
        "newer": json.dumps({**good.facts, "schema": 2}), "nameless": json.dumps({**good.facts, "machine": {}}),
    }.items():  # fmt: skip
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(content)
    (folder / "empty").mkdir()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    runs, problems = runs_of(tmp_path)
    assert runs == [good]
    assert {Path(problem.path).relative_to(folder).parts[0] for problem in problems} == {
        "notes.txt", "cut", "foreign", "list", "newer", "nameless", "empty",
    }  # fmt: skip
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_changed_facts_are_on_disk_and_no_temporary_file_stays(tmp_path: Path) -> None:
    run = store_run(tmp_path, [], state="running").updated(state="interrupted", blocks=3)
    assert load_run(run.path) == run
    assert sorted(path.name for path in run.path.iterdir()) == ["logs", "records.jsonl", "run.json"]


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_an_unfinished_run_under_equal_conditions_is_resumed(tmp_path: Path, state: str) -> None:
    run = store_run(tmp_path, [repeat(), block_end()], state=state, parts=PARTS)
    assert find_resumable(tmp_path, MACHINE, fingerprint(dict(reversed(PARTS.items())))) == run
    assert why_not_resumable(tmp_path, MACHINE, "compare", "quick", PARTS) is None


def test_a_complete_run_is_continued_only_where_that_is_asked_for(tmp_path: Path) -> None:
    run = store_run(tmp_path, [repeat(), block_end()], parts=PARTS)
    assert find_resumable(tmp_path, MACHINE, fingerprint(PARTS)) is None
    assert why_not_resumable(tmp_path, MACHINE, "compare", "quick", {**PARTS, "seed": 2}) is None
    assert find_resumable(tmp_path, MACHINE, fingerprint(PARTS), states=("complete",)) == run


def test_the_newest_of_several_is_resumed(tmp_path: Path) -> None:
    store_run(tmp_path, [], state="interrupted", parts=PARTS)
    time.sleep(0.002)
    newest = store_run(tmp_path, [], state="interrupted", parts=PARTS)
    assert find_resumable(tmp_path, MACHINE, fingerprint(PARTS)) == newest


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"boot": "two"}, "the machine has been started anew"),
        ({"isolation": "spawn"}, "isolation was fork and is spawn"),
        ({"locks": {"v2.20.0": "sha256:a", "v2.21.0": "sha256:c"}}, "the lock of v2.21.0 has changed"),
        (
            {"preset": "sha256:b", "worker version": 2},
            "the preset's contents differ (its file, or --device, --model, --operation or --repeats); "
            "worker version was 1 and is 2",
        ),
        (
            {"installed TensorFlow": {"v2.21.0": "sha256:d"}, "installed Keras": {"v2.21.0": "3.15.1"}},
            "the Keras installed for v2.21.0 was not recorded; the TensorFlow installed for v2.21.0 was not recorded",
        ),
    ],
)
def test_a_changed_condition_starts_anew_and_is_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    run = store_run(tmp_path, [], state="interrupted", parts=PARTS)
    changed = {**PARTS, **change}
    assert find_resumable(tmp_path, MACHINE, fingerprint(changed)) is None
    told = why_not_resumable(tmp_path, MACHINE, "compare", "quick", changed)
    assert told == f"Run {run.run} cannot be continued: {named}."


def test_runs_of_other_subjects_or_another_preset_are_no_reason(tmp_path: Path) -> None:
    store_run(tmp_path, [], state="interrupted", parts=PARTS)
    others = {**PARTS, "subjects": ["v2.19.1", "v2.21.0"]}
    assert why_not_resumable(tmp_path, MACHINE, "compare", "quick", others) is None
    assert why_not_resumable(tmp_path, MACHINE, "compare", "full", {**PARTS, "preset": "sha256:b"}) is None


def test_a_newer_run_of_another_preset_hides_no_reason(tmp_path: Path) -> None:
    run = store_run(tmp_path, [], state="interrupted", parts=PARTS)
    time.sleep(0.002)
    store_run(tmp_path, [], state="interrupted", parts=PARTS, preset="full")
    told = why_not_resumable(tmp_path, MACHINE, "compare", "quick", {**PARTS, "seed": 2})
    assert told == f"Run {run.run} cannot be continued: seed was 1 and is 2."


def test_runs_of_another_kind_or_machine_are_no_reason(tmp_path: Path) -> None:
    store_run(tmp_path, [], state="interrupted", parts=PARTS, kind="bench")
    store_run(tmp_path, [], state="interrupted", parts=PARTS, machine="another")
    assert why_not_resumable(tmp_path, MACHINE, "compare", "quick", {**PARTS, "seed": 2}) is None


def test_reference_runs_are_kept_apart(tmp_path: Path) -> None:
    run = store_run(tmp_path, [repeat()])
    reference = tmp_path / "results" / "reference" / MACHINE
    reference.parent.mkdir()
    run.path.parent.rename(reference)
    assert runs_of(tmp_path) == ([], [])
    (loaded,), problems = runs_of(tmp_path, reference=True)
    assert isinstance(loaded, RunDirectory)
    assert loaded.is_reference
    assert problems == []


def test_a_missing_run_is_a_problem_not_an_exception(tmp_path: Path) -> None:
    assert isinstance(load_run(tmp_path / "nowhere"), Problem)


def test_numbers_of_the_stand_in_driver_are_never_stored(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stand-in"):
        create_run(tmp_path, MACHINE, {"kind": "run", "machine": {"name": MACHINE, "driver": "000.00.fake"}})
    assert list(tmp_path.iterdir()) == []
