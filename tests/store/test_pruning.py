"""Packed runs: nothing lost, read as before, and whole whatever happens on the way."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from stored_runs import NEW, OLD, block_end, blocks, project_root, repeat, store_run

from harness.cli import main
from harness.store.export import record_samples
from harness.store.pruning import pack, prunable
from harness.store.records import Problem
from harness.store.runs import RunDirectory


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def aged(run: RunDirectory, days: float = 365) -> RunDirectory:
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    return run.updated(created_at=began.isoformat(timespec="milliseconds"))


def test_a_packed_run_holds_every_record_and_every_sample(root: Path) -> None:
    run = aged(store_run(root, blocks({NEW: [1.0, 2.0], OLD: [3.0, 4.0]}, phases=[{"name": "load", "wall_s": 1.5}])))
    before, records = record_samples(root), run.records()
    size, packed = pack(run)
    assert packed < size
    assert run.records() == records
    assert record_samples(root).equals(before)
    assert sorted(path.name for path in run.path.iterdir()) == ["logs", "records.jsonl.gz", "run.json"]
    assert prunable(root, 90) == []


def test_nothing_is_touched_without_apply_and_only_old_complete_runs_with_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = aged(store_run(root, blocks({NEW: [1.0]})))
    kept = [store_run(root, blocks({NEW: [1.0]})), aged(store_run(root, blocks({NEW: [1.0]}), state="interrupted"))]
    assert main(["prune"]) == 0
    assert "1 run of more than 90 days" in capsys.readouterr().out
    assert old.records_path.exists()
    assert main(["prune", "--apply"]) == 0
    assert not old.records_path.exists()
    assert all(run.records_path.exists() for run in kept)


def test_a_packed_run_goes_on_where_blocks_are_added(root: Path) -> None:
    run = aged(store_run(root, blocks({NEW: [1.0]})))
    pack(run)
    with run.writer() as writer:
        writer.append(repeat(2.0, block=1))
        writer.append(block_end(1))
    records, problems = run.records()
    assert (len(records), problems) == (4, [])
    assert not run.packed_path.exists()


def test_where_a_crash_left_both_files_the_plain_one_counts(root: Path) -> None:
    run = aged(store_run(root, blocks({NEW: [1.0]})))
    run.packed_path.write_bytes(b"half of it")
    assert len(run.records()[0]) == 2
    assert prunable(root, 90) == [run]
    pack(run)
    assert len(run.records()[0]) == 2


@pytest.mark.parametrize("content", [b"", b"no gzip", b"cut"])
def test_a_packed_file_that_cannot_be_read_is_named(root: Path, content: bytes) -> None:
    run = aged(store_run(root, blocks({NEW: [1.0]})))
    pack(run)
    whole = run.packed_path.read_bytes()
    run.packed_path.write_bytes(whole[:-20] if content == b"cut" else content)
    problems: list[Problem] = []
    record_samples(root, problems)
    assert content == b"" or [problem.path for problem in problems] == [run.packed_path]
