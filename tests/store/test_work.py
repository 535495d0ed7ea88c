"""Counted work: kept by what it depends on, and beside the records of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stored_runs import store_run

from harness.store.work import (
    Counted,
    CountedSubject,
    DependsOn,
    count_key,
    counted,
    keep_counts,
    kept_counts,
    missing,
    read_work,
    write_work,
)

NAME = "tf-2.21.0-cpu-today-py311"
ON = DependsOn("sha256:one", "3.11.7", "x86_64", {}, {}, 12, 1)
IMPORT = Counted((1000, 1000), {"typing": 900, "re": 100}, modules_imported=7, io={"bytes_read": 5})


def test_counts_are_kept_and_read_again(tmp_path: Path) -> None:
    keep_counts(tmp_path, NAME, ON, {"import": IMPORT})
    keep_counts(tmp_path, NAME, ON, {"save_first/cpu/mlp-s/tf-module": Counted((5, 6, 6), {"re": 6})})
    kept = kept_counts(tmp_path, NAME, ON)
    assert kept["import"] == IMPORT
    assert kept["save_first/cpu/mlp-s/tf-module"].middle == 6


@pytest.mark.parametrize(
    "changed",
    [
        {"lock": "sha256:two"}, {"python": "3.11.8"}, {"architecture": "aarch64"}, {"variables": {"TF_XLA_FLAGS": "1"}},
        {"packages": {"keras": "3.1"}}, {"worker_version": 13}, {"counting_version": 2},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_counts_of_anything_else_are_not_read(tmp_path: Path, changed: dict[str, object]) -> None:
    keep_counts(tmp_path, NAME, ON, {"import": IMPORT})
    assert kept_counts(tmp_path, NAME, replace(ON, **changed)) == {}  # type: ignore[arg-type]


def test_what_could_not_be_counted_is_tried_again(tmp_path: Path) -> None:
    keep_counts(tmp_path, NAME, ON, {"import": Counted(reason="crashed")})
    assert missing(["import"], kept_counts(tmp_path, NAME, ON)) == ["import"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 1}', '{"schema": 9, "depends_on": {}, "counts": {}}', "\xff"]
)
def test_a_kept_file_that_cannot_be_read_is_counted_anew(tmp_path: Path, text: str) -> None:
    keep_counts(tmp_path, NAME, ON, {"import": IMPORT})
    (file,) = (tmp_path / "results" / "work").iterdir()
    file.write_text(text, encoding="latin-1")
    assert kept_counts(tmp_path, NAME, ON) == {}
    keep_counts(tmp_path, NAME, ON, {"import": IMPORT})
    assert kept_counts(tmp_path, NAME, ON) == {"import": IMPORT}


def test_a_run_holds_its_own_counts(tmp_path: Path) -> None:
    run = store_run(tmp_path, [])
    assert read_work(run) == ({}, [])
    told = {"v2.21.0": CountedSubject("3.11.7", {"import": IMPORT, "load_warm": Counted(reason="no-time")})}
    write_work(run, told)
    assert read_work(run) == (told, [])


@pytest.mark.parametrize("text", ["{", '{"schema": 2, "subjects": {}}', '{"schema": 1, "subjects": {"a": 1}}', "\xff"])
def test_counts_of_a_run_that_cannot_be_read_are_told(tmp_path: Path, text: str) -> None:
    run = store_run(tmp_path, [])
    (run.path / "work.json").write_text(text, encoding="latin-1")
    subjects, (problem,) = read_work(run)
    assert subjects == {}
    assert str(problem).startswith(f"{run.path / 'work.json'}: ")


def test_several_processes_are_told_by_the_middle_one() -> None:
    processes = [{"calls": calls, "by_module": {"re": calls}, "functions": calls} for calls in (12, 10, 11)]
    found = counted(processes)
    assert (found.calls, found.middle, found.by_module, found.functions) == ((12, 10, 11), 11, {"re": 11}, 11)


def test_keys_leave_out_what_a_row_has_not() -> None:
    assert count_key("import") == "import"
    assert count_key("save_first", "cpu", "mlp-s", "tf-module") == "save_first/cpu/mlp-s/tf-module"
