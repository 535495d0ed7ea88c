"""What was read of an asv project's result directory is kept, and read again only where it changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from asv_directories import (
    ENVIRONMENT,
    MACHINE,
    MEMORY,
    PLANE,
    TIME,
    TRACK,
    commit,
    results_of,
    rows,
    samples,
    write_results,
)

from harness.asv.columns import cache_path
from harness.asv.directory import read_asv_directory

ALL = (TIME, PLANE, MEMORY, TRACK)


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return results_of(tmp_path, monkeypatch, *ALL)


def settle(results: Path) -> None:
    """Age all files, so that the cache takes them as settled."""
    for place, file in enumerate(results.glob("*/*.json")):
        os.utime(file, ns=(10**18 + place, 10**18 + place))


def test_a_second_reading_reads_only_what_is_new(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write_results(results, number, {PLANE["name"]: [[1.0 + number, 2.0]] * 4}, ALL)
    settle(results)
    before = read_asv_directory(results)
    write_results(results, 7, {PLANE["name"]: [[9.0], None, None, [8.0, 8.0, 8.0]]}, ALL)
    (results / MACHINE / f"{commit(1)[:8]}-{ENVIRONMENT}.json").unlink()
    opened = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))
    again = read_asv_directory(results)
    assert opened == [f"{commit(7)[:8]}-{ENVIRONMENT}.json", "benchmarks.json"]
    monkeypatch.undo()
    plain = read_asv_directory(results, cached=False)
    assert len(again.values) == len(before.values) == 20
    keys = ("commit", "benchmark", "parameters", "status", "value", "count")
    assert str(rows(again, *keys)) == str(rows(plain, *keys))
    for parameters in ("10, 'csr'", "20, 'csc'"):
        assert samples(again, PLANE["name"], parameters) == samples(plain, PLANE["name"], parameters)


def test_a_changed_file_is_read_again_even_where_its_size_is_the_same(results: Path) -> None:
    file = write_results(results, 1, {TRACK["name"]: 5.0}, ALL)
    settle(results)
    read_asv_directory(results)
    file.write_text(file.read_text().replace("[[5.0]", "[[6.0]"))
    assert rows(read_asv_directory(results), "value") == [(6.0,)]


def test_a_file_changed_within_a_clock_tick_of_the_cache_is_read_again(results: Path) -> None:
    file = write_results(results, 1, {TRACK["name"]: 5.0}, ALL)
    read_asv_directory(results)
    facts = file.stat()
    file.write_text(file.read_text().replace("[[5.0]", "[[6.0]"))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert rows(read_asv_directory(results), "value") == [(6.0,)]


@pytest.mark.parametrize("damage", ["delete", "cut", "foreign", "format"])
def test_the_cache_can_be_lost_or_damaged_at_any_time(
    results: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(results, 1, {PLANE["name"]: [[1.0, 2.0]] * 4}, ALL)
    settle(results)
    before = read_asv_directory(results)
    cache = cache_path(results)
    assert cache.exists()
    match damage:
        case "delete":
            cache.unlink()
        case "cut":
            cache.write_bytes(cache.read_bytes()[:-100])
        case "foreign":
            cache.write_text("hello")
        case "format":
            monkeypatch.setattr("harness.asv.columns.FORMAT", 99)
    assert str(rows(read_asv_directory(results), "value")) == str(rows(before, "value"))


def test_where_no_cache_can_be_written_the_files_are_read(results: Path, tmp_path: Path) -> None:
    write_results(results, 1, {TRACK["name"]: 5.0}, ALL)
    (tmp_path / "cache").write_text("in the way")
    assert rows(read_asv_directory(results), "value") == [(5.0,)]


def test_reading_adds_nothing_to_the_directory(results: Path) -> None:
    write_results(results, 1, {TRACK["name"]: 5.0}, ALL)
    before = sorted(results.rglob("*"))
    read_asv_directory(results)
    assert sorted(results.rglob("*")) == before
