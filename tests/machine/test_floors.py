"""Floors: what writing, reading, copying and computing take at least."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored_runs import store_run

from harness.answers.floors import multiples
from harness.answers.measured import Measured
from harness.machine import floors
from harness.measure import run_floors
from harness.store.runs import load_run

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
SIZE = 8 << 20


def test_every_floor_is_measured_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "COPY_BYTES", 16 << 20)
    monkeypatch.setattr(floors, "MATRIX_SIZE", 128)
    found = {floor.name: floor for floor in floors.measure_floors(tmp_path, SIZE + 5)}
    assert list(found) == ["write", "write and fsync", "read, cold", "read, warm", "copy in memory", "matrix product"]
    assert list(tmp_path.iterdir()) == []
    assert [found[name].amount for name in list(found)[:3]] == [SIZE + 5] * 3
    assert found["matrix product"].amount == 2 * 128**3
    for floor in found.values():
        if floor.wall_s is None:
            assert floor.name == "read, cold"
            assert floor.reason
        else:
            assert floor.wall_s == min(floor.tries_s) > 0
            assert floors.FEWEST_TRIES <= len(floor.tries_s) <= floors.MOST_TRIES
            assert floor.rate == pytest.approx(floor.amount / floor.wall_s)
    record = json.loads(json.dumps(found["read, warm"].as_record()))
    assert (record["unit"], record["reason"]) == ("bytes", None)
    assert record["tries_s"] == list(found["read, warm"].tries_s)


def test_no_write_is_slower_than_the_same_write_with_fsync(tmp_path: Path) -> None:
    found = {floor.name: floor for floor in floors._storage(tmp_path, SIZE)}
    write, durable = found["write"], found["write and fsync"]
    assert all(cached < synced for cached, synced in zip(write.tries_s, durable.tries_s, strict=True))
    assert write.wall_s is not None
    assert durable.wall_s is not None
    assert write.wall_s < durable.wall_s


def test_the_first_try_does_not_count_and_slow_ones_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def one_try() -> int:
        made.append(len(made))
        return made[-1]

    assert floors._tries(one_try) == list(range(1, floors.MOST_TRIES + 1))
    made.clear()
    monkeypatch.setattr(floors, "TRIES_S", 0.0)
    assert floors._tries(one_try) == list(range(1, floors.FEWEST_TRIES + 1))


def test_the_floors_of_the_committed_runs_are_read() -> None:
    """Those of older runs are medians of tries that were not kept."""
    runs = [load_run(path.parent) for path in sorted(REFERENCE.glob("*/*/run.json"))]
    assert runs
    for run in runs:
        assert run is not None
        found = multiples([saved("artifact_bytes", 100e6), saved("save_first_s", 0.5)], run.facts["floors"])
        assert [one.floor for one in found] == ["write"]


def saved(metric: str, value: float) -> Measured:
    return Measured("v2.21.0", metric, "", "cpu", "mlp-m", "tf-module", value)


def test_a_read_whose_pages_stayed_is_not_called_cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "evict", lambda folder: None)
    (cold,) = (floor for floor in floors._storage(tmp_path, SIZE) if floor.name == "read, cold")
    assert (cold.wall_s, cold.rate) == (None, None)
    assert cold.reason == "not-cold: 100% of the pages stayed resident on this file system"


def test_a_run_keeps_the_fastest_of_all_looks_at_its_floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([([2.0, 1.0], ("steal: 9 % of CPU time",)), ([3.0, 3.5], ()), ([0.5, 0.7], ("swap-in: 9 MiB",))])
    taints: tuple[str, ...] = ()

    def look(folder: Path, size: int) -> tuple[floors.Floor, ...]:
        nonlocal taints
        tries_s, taints = next(looks)
        return (floors.Floor("write", min(tries_s), 100.0, "bytes", "", tries_s=tuple(tries_s)),)

    monkeypatch.setattr(run_floors, "measure_floors", look)
    monkeypatch.setattr(run_floors, "taints_between", lambda before, after: taints)
    stored = store_run(tmp_path, [])
    seen = []
    run = stored
    for _ in range(3):
        run = run_floors.with_floors(run, "compare")
        assert load_run(run.path) == run
        (floor,) = run.facts["floors"]
        seen.append((floor["wall_s"], floor["rate_per_s"], len(floor["tries_s"]), floor["taints"]))
    assert seen == [(1.0, 100.0, 2, ["steal: 9 % of CPU time"]), (1.0, 100.0, 4, []), (0.5, 200.0, 6, [])]
    assert run_floors.with_floors(stored, "asv") is stored


def test_a_disk_that_cannot_be_written_is_a_reason_not_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_floors, "measure_floors", full)
    run = run_floors.with_floors(store_run(tmp_path, []), "run")
    assert run.facts["floors"] == {"absent": "OSError: No space left on device"}


def test_a_folder_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        floors.measure_floors(tmp_path / "missing", SIZE)
