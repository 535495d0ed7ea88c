"""Runs from elsewhere: what is taken, what is refused by name, and that doing it again changes nothing."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stored_runs import MACHINE, NEW, OLD, block_end, blocks, store_run

import harness.store.merging as merging
from harness.store.intake import IntakeLimits
from harness.store.merging import Fate, Merged, merge
from harness.store.runs import RunDirectory, load_run, runs_of

RECORDS = blocks({OLD: [1.0, 1.1], NEW: [1.2, 1.3]})
SMALL = IntakeLimits(
    facts_bytes=4000, records_bytes=4000, line_bytes=2000, log_bytes=1000, entries=20, folders=50, depth=3
)


@pytest.fixture
def elsewhere(tmp_path: Path) -> RunDirectory:
    """A run in the results of somebody else."""
    return store_run(tmp_path / "theirs", RECORDS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ours"


def only(root: Path, folder: Path, limits: IntakeLimits | None = None) -> Merged:
    (merged,) = merge(root, [folder], limits)
    return merged


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def change_facts(run: RunDirectory, /, **facts: Any) -> None:
    (run.path / "run.json").write_text(json.dumps({**run.facts, **facts}))


@pytest.mark.parametrize("above", [0, 1, 2, 3])
def test_a_run_is_found_at_any_depth_and_taken_with_its_logs(root: Path, elsewhere: RunDirectory, above: int) -> None:
    (elsewhere.logs_path / "worker.log").write_text("said")
    (elsewhere.path / "page.html").write_text("<script>")
    folder = [elsewhere.path, *elsewhere.path.parents][above]
    assert only(root, folder).fate is Fate.ADDED
    (taken,), problems = runs_of(root)
    assert problems == []
    assert taken.facts == elsewhere.facts
    assert taken.records() == elsewhere.records()
    assert (taken.logs_path / "worker.log").read_text() == "said"
    assert not (taken.path / "page.html").exists()


def test_doing_it_again_changes_nothing(root: Path, elsewhere: RunDirectory) -> None:
    merge(root, [elsewhere.path])
    before = everything(root)
    assert only(root, elsewhere.path).fate is Fate.PRESENT
    assert everything(root) == before


def settle(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files of a run be older than what may still change unseen."""
    monkeypatch.setattr(merging, "_SETTLED_NS", -(10**10))
    for path in (run.records_path, run.path / "run.json"):
        os.utime(path, ns=(10**18, 10**18))


def test_the_same_files_are_read_once(root: Path, elsewhere: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(elsewhere, monkeypatch)
    merge(root, [elsewhere.path])
    before = everything(root)
    with monkeypatch.context() as patch:
        patch.setattr(merging.Intake, "records", None)
        assert only(root, elsewhere.path).fate is Fate.PRESENT
    assert everything(root) == before


@pytest.mark.parametrize("whose", ["theirs", "own"])
def test_files_that_changed_since_are_read_again(
    root: Path, elsewhere: RunDirectory, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    settle(elsewhere, monkeypatch)
    merge(root, [elsewhere.path])
    changed = elsewhere if whose == "theirs" else runs_of(root)[0][0]
    other_value(changed)
    os.utime(changed.records_path, ns=(10**18, 10**18 + (whose == "own")))  # as long, and not newer
    assert "not the same" in str(only(root, elsewhere.path).reason)


def test_a_packed_run_equals_a_plain_one(root: Path, elsewhere: RunDirectory) -> None:
    merge(root, [elsewhere.path])
    elsewhere.packed_path.write_bytes(gzip.compress(elsewhere.records_path.read_bytes()))
    elsewhere.records_path.unlink()
    assert only(root, elsewhere.path).fate is Fate.PRESENT
    assert only(root.parent / "others", elsewhere.path).fate is Fate.ADDED
    assert runs_of(root.parent / "others")[0][0].records() == runs_of(root)[0][0].records()


def test_more_of_the_same_replaces_and_less_does_not(root: Path, elsewhere: RunDirectory, tmp_path: Path) -> None:
    shorter = tmp_path / "shorter" / MACHINE / elsewhere.run
    shutil.copytree(elsewhere.path, shorter)
    lines = elsewhere.records_path.read_bytes().splitlines(keepends=True)
    (shorter / "records.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:20])  # killed in a line
    (shorter / "run.json").write_text(json.dumps({**elsewhere.facts, "state": "running"}))
    assert only(root, shorter).fate is Fate.ADDED
    assert only(root, elsewhere.path).fate is Fate.REPLACED
    whole = everything(root)
    assert only(root, shorter).fate is Fate.PRESENT
    assert everything(root) == whole
    (taken,), _ = runs_of(root)
    assert (taken.facts["state"], len(taken.records()[0])) == ("complete", len(RECORDS))


def test_of_equal_records_the_run_that_ended_counts(root: Path, elsewhere: RunDirectory) -> None:
    change_facts(elsewhere, state="running")
    merge(root, [elsewhere.path])
    change_facts(elsewhere, state="complete", blocks=2)
    assert only(root, elsewhere.path).fate is Fate.REPLACED
    assert runs_of(root)[0][0].facts["blocks"] == 2


def test_records_written_otherwise_are_the_same(root: Path, elsewhere: RunDirectory) -> None:
    merge(root, [elsewhere.path])
    spaced = [json.dumps(dict(reversed(record.items())), indent=None) for record in elsewhere.records()[0]]
    elsewhere.records_path.write_text("\n\n".join(spaced))
    assert only(root, elsewhere.path).fate is Fate.PRESENT


def other_value(run: RunDirectory) -> None:
    run.records_path.write_text(run.records_path.read_text().replace("1.3", "1.4"))


def other_seed(run: RunDirectory) -> None:
    change_facts(run, seed=7)


@pytest.mark.parametrize(("change", "said"), [(other_value, "not the same"), (other_seed, "they differ in seed")])
def test_a_run_that_differs_is_refused_and_the_results_stay(
    root: Path, elsewhere: RunDirectory, change: Callable[[RunDirectory], None], said: str
) -> None:
    merge(root, [elsewhere.path])
    before = everything(root)
    change(elsewhere)
    refused = only(root, elsewhere.path)
    assert (refused.fate, refused.run) == (Fate.REFUSED, elsewhere.run)
    assert said in str(refused.reason)
    assert everything(root) == before


def link_to_secret(run: RunDirectory) -> None:
    (run.path.parent / "secret").write_text("token")
    run.records_path.unlink()
    run.records_path.symlink_to(run.path.parent / "secret")


def link_in_logs(run: RunDirectory) -> None:
    (run.logs_path / "log").symlink_to("/etc/passwd")


def pipe(run: RunDirectory) -> None:
    run.records_path.unlink()
    os.mkfifo(run.records_path)


def bomb(run: RunDirectory) -> None:
    run.records_path.unlink()
    run.packed_path.write_bytes(gzip.compress(b" " * 1_000_000))


def cut_archive(run: RunDirectory) -> None:
    run.packed_path.write_bytes(gzip.compress(run.records_path.read_bytes())[:-20])
    run.records_path.unlink()


HOSTILE: dict[str, tuple[Callable[[RunDirectory], object], str]] = {
    "a link as records": (link_to_secret, "'records.jsonl' in it is a link"),
    "a link in logs": (link_in_logs, "'logs/log' in it is a link"),
    "a pipe": (pipe, "'records.jsonl' in it is no file"),
    "a machine above": (
        lambda run: change_facts(run, machine={**run.facts["machine"], "name": "../../x"}),
        "'../../x'",
    ),
    "a machine that is hidden": (lambda run: change_facts(run, machine={"name": ".x"}), "'.x' cannot be a machine"),
    "a run above": (lambda run: change_facts(run, run="../20261126T020132-9382"), "cannot be a run's name"),
    "a run that is none": (lambda run: change_facts(run, run="records"), "'records' cannot be a run's name"),
    "a release above": (
        lambda run: change_facts(run, subjects=[{"name": "v2", "release": "a/../../b"}]),
        "cannot be the release of a subject",
    ),
    "a time without a zone": (lambda run: change_facts(run, created_at="yesterday"), "'yesterday' is no time"),
    "no JSON": (lambda run: (run.path / "run.json").write_text("[" * 100_000), "has 100000 bytes"),
    "nested JSON": (lambda run: (run.path / "run.json").write_text("[" * 3_000), "cut off or not JSON"),
    "a number that is none": (
        lambda run: (run.path / "run.json").write_text(json.dumps({**run.facts, "seed": float("nan")})),
        "cut off or not JSON",
    ),
    "the stand-in driver": (
        lambda run: change_facts(run, machine={**run.facts["machine"], "driver": "000.00.fake"}),
        "stand-in",
    ),
    "the stand-in driver of a GPU": (
        lambda run: change_facts(run, machine={**run.facts["machine"], "gpus": [{"driver": "000.00.fake"}]}),
        "stand-in",
    ),
    "the stand-in driver in records": (
        lambda run: run.records_path.write_text('{"type":"block","block":0,"complete":true,"x":"000.00.fake"}\n'),
        "stand-in",
    ),
    "facts too large": (lambda run: change_facts(run, more="x" * 5000), "4000 are the limit"),
    "records too large": (lambda run: run.records_path.write_text("\n" * 5000), "4000 are the limit"),
    "records too large unpacked": (bomb, "once they are unpacked"),
    "records that are cut": (cut_archive, "cannot be unpacked"),
    "a line too long": (lambda run: run.records_path.write_text("x" * 3000), "a line of its records"),
    "logs too large": (lambda run: (run.logs_path / "log").write_text("x" * 2000), "its logs have more"),
    "too many files": (lambda run: [(run.logs_path / f"{n}").touch() for n in range(30)], "more than 20 files"),
    "another folder's name": (lambda run: run.path.rename(run.path.with_name("run")), "not named after its run"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_hostile_is_refused_by_name(root: Path, elsewhere: RunDirectory, case: str) -> None:
    change, said = HOSTILE[case]
    change(elsewhere)
    refused = only(root, elsewhere.path.parent, SMALL)
    assert refused.fate is Fate.REFUSED
    assert said in str(refused.reason)
    assert runs_of(root) == ([], [])
    assert "token" not in str(everything(root))


def test_a_machine_whose_folder_has_another_name_is_refused(root: Path, elsewhere: RunDirectory) -> None:
    elsewhere.path.parent.rename(elsewhere.path.parent.with_name("another"))
    assert "not named after its machine" in str(only(root, elsewhere.path.parents[1]).reason)


def test_links_around_runs_are_not_followed(root: Path, elsewhere: RunDirectory, tmp_path: Path) -> None:
    around = tmp_path / "around"
    around.mkdir()
    (around / "link").symlink_to(elsewhere.path.parent)
    assert "is a link" in str(only(root, around).reason)
    assert runs_of(root) == ([], [])


def test_folders_too_deep_or_too_many_are_not_searched(root: Path, elsewhere: RunDirectory, tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    shutil.copytree(elsewhere.path, deep / "a" / "b" / "c" / "d" / MACHINE / elsewhere.run)
    assert "deeper than 3" in str(only(root, deep, SMALL).reason)
    for number in range(60):
        (tmp_path / "many" / str(number)).mkdir(parents=True)
    assert "more than 50 folders" in str(only(root, tmp_path / "many", SMALL).reason)


def test_one_that_is_refused_keeps_no_other_from_being_taken(root: Path, elsewhere: RunDirectory) -> None:
    good = store_run(elsewhere.path.parents[3], [*RECORDS, block_end(2)])
    link_in_logs(elsewhere)
    fates = {merged.run or merged.source.name: merged.fate for merged in merge(root, [elsewhere.path.parent])}
    assert fates == {elsewhere.run: Fate.REFUSED, good.run: Fate.ADDED}


STEPS = ("_write_records", "write_json_atomically", "sync_folder")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("has_shorter", [False, True])
def test_killed_at_any_step_it_is_completed_by_the_next(
    root: Path, elsewhere: RunDirectory, monkeypatch: pytest.MonkeyPatch, step: str, is_after: bool, has_shorter: bool
) -> None:
    if has_shorter:
        whole = elsewhere.records_path.read_bytes()
        elsewhere.records_path.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
        merge(root, [elsewhere.path])
        elsewhere.records_path.write_bytes(whole)
    real = getattr(merging, step)

    def killed(*given: object, **named: object) -> None:
        if is_after:
            real(*given, **named)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(merging, step, killed)
        with pytest.raises(SystemExit):
            merge(root, [elsewhere.path])
    runs, problems = runs_of(root)
    assert problems == []
    assert all(run.records()[1] == [] for run in runs)
    merge(root, [elsewhere.path])
    loaded = load_run(root / "results" / "runs" / MACHINE / elsewhere.run)
    assert isinstance(loaded, RunDirectory)
    assert loaded.records() == elsewhere.records()
    assert list(root.glob("results/.incoming/*")) == []
