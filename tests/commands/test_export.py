"""`savedmodel-bench export`: a row for each sample of the project's own records, or of any asv project's results."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from asv_directories import (
    GRID,
    MEMORY,
    TIME,
    TRACK,
    commit,
    results_of,
    write_results,
)
from stored_runs import NEW, OLD, PROJECT, block_end, blocks, project_root, repeat, store_run

from harness.asv.export import ASV_COLUMNS
from harness.cli import main
from harness.store.export import SAMPLE_COLUMNS
from harness.worker import WORKER_VERSION

ALL = (TIME, GRID, MEMORY, TRACK)


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return results_of(tmp_path, monkeypatch, *ALL)


def exported(capsys: pytest.CaptureFixture[str], *arguments: str) -> pd.DataFrame:
    assert main(["export", *arguments]) == 0
    return pd.read_csv(io.StringIO(capsys.readouterr().out), keep_default_na=False)


def test_export_of_asv_results_has_a_row_for_each_sample(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(results, 1, {TIME["name"]: [1.0, 3.0], GRID["name"]: [None, [5.0]], TRACK["name"]: 7.0}, ALL)
    write_results(results, 2, {TIME["name"]: [2.0]}, ALL)
    table = exported(capsys, "--results", str(results))
    assert list(table.columns) == list(ASV_COLUMNS)
    kept = table[["commit", "benchmark", "parameters", "status", "kind", "number", "value"]].astype(str)
    assert sorted(tuple(row) for row in kept.itertuples(index=False)) == sorted(
        [
            (commit(1), TIME["name"], "", "ok", "sample", "0", "1.0"),
            (commit(1), TIME["name"], "", "ok", "sample", "1", "3.0"),
            (commit(1), GRID["name"], "10", "failed", "result", "0", ""),
            (commit(1), GRID["name"], "20", "ok", "sample", "0", "5.0"),
            (commit(1), TRACK["name"], "", "ok", "result", "0", "7.0"),
            (commit(2), TIME["name"], "", "ok", "sample", "0", "2.0"),
        ]
    )


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def test_export_of_records_has_a_row_for_each_sample_with_what_stands_beside_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = store_run(root, blocks({OLD: [1.0, 2.0], NEW: [3.0, 4.0]}))
    store_run(root, blocks({NEW: [9.0]}), kind="speed")
    table = exported(capsys)
    assert list(table.columns) == list(SAMPLE_COLUMNS)
    assert table["value"].tolist() == [1.0, 3.0, 2.0, 4.0]
    first = table.iloc[0].to_dict()
    assert first == {
        **first, "run": run.run, "reference": False, "machine": "calm-machine", "preset": "quick", "block": 0,
        "subject": OLD, "release": OLD, "tensorflow": "2.20.0", "wheel": "cpu", "policy": "today", "keras": "",
        "device": "cpu", "model": "mlp-s", "variant": "tf-module/tf-load", "metric": "load_warm_s",
        "unit": "seconds", "n": 1, "tainted": 0,
    }  # fmt: skip


def test_versions_are_what_the_workers_imported_whatever_was_planned(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"tensorflow": "2.99.0", "keras": "2.21.0", "python": "3.11.4"}
    records = blocks({NEW: [1.0], OLD: [1.0]})
    records.insert(0, repeat(1.0, metric="import_s", cell=None, operation="import", provenance=said))
    run = store_run(root, records)
    run.updated(subjects=[{**subject, "keras": "3.15.1"} for subject in run.facts["subjects"]])
    table = exported(capsys)
    versions = table[["subject", "tensorflow", "keras", "python"]].astype(str).drop_duplicates()
    assert sorted(versions.itertuples(index=False, name=None)) == [
        (OLD, "2.20.0", "3.15.1", "3.11"),  # its worker said nothing
        (NEW, "2.99.0", "2.21.0", "3.11.4"),
    ]


def test_a_block_without_a_calm_repeat_is_a_row_without_a_value(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load, steal = "foreign-load: 90 % of CPU time on 2 CPUs", "steal: 12 % of CPU time"
    retried = "retried: RuntimeError: a; b: c"
    records = [
        *(repeat(9.0, number=0, taints=[load, steal]), repeat(8.0, number=1, taints=[load, load])),
        block_end(),
        *(repeat(1.0, block=1), repeat(7.0, block=1, number=1, taints=[retried])),
        *(repeat(4096.0, block=1, metric="artifact_bytes", operation="save", taints=[steal]), block_end(1)),
    ]
    store_run(root, records, subjects=(NEW,))
    assert main(["export", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [tuple(row[name] for name in ("metric", "block", "value", "n", "tainted", "taints")) for row in rows] == [
        ("load_warm_s", 0, None, 0, 2, "foreign-load 2; steal 1"),
        ("artifact_bytes", 1, 4096.0, 1, 0, None),  # as many on a busy machine
        ("load_warm_s", 1, 1.0, 1, 1, "retried 1"),
    ]
    first = exported(capsys).set_index(["metric", "block"]).loc[("load_warm_s", 0)]
    assert (first["value"], first["n"]) == ("", 0)


def test_export_keeps_every_worker_version_and_names_the_gpu(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = store_run(root, blocks({NEW: [1.0]}), subjects=(NEW,), worker_version=3, gpu={"uuid": "GPU-1", "reason": ""})
    run.updated(machine={**run.facts["machine"], "driver": "570.1"})
    store_run(root, blocks({NEW: [2.0]}), subjects=(NEW,), worker_version=None)
    store_run(root, blocks({NEW: [3.0]}), subjects=(NEW,))
    table = exported(capsys)[["value", "worker_version", "gpu_uuid", "driver"]].astype(str)
    assert list(table.itertuples(index=False, name=None)) == [
        ("1.0", "3", "GPU-1", "570.1"),
        ("2.0", "", "", ""),
        ("3.0", str(WORKER_VERSION), "", ""),
    ]


def test_an_empty_project_exports_an_empty_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(exported(capsys).columns) == list(SAMPLE_COLUMNS)


def test_json_has_null_for_what_is_missing(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(results, 1, {GRID["name"]: [None, 0.1]}, ALL)
    assert main(["export", "--results", str(results), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["value"] for row in rows] == [None, 0.1]
    assert rows[0]["date"].startswith("2023-11-1")


def test_parquet_is_read_back_as_it_was_written_or_says_what_to_install(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(results, 1, {TIME["name"]: [1.0, 3.0], GRID["name"]: [None, [5.0]]}, ALL)
    arguments = ["export", "--results", str(results), "--format", "parquet"]
    assert main(arguments) == 3
    assert "--output" in capsys.readouterr().err
    output = tmp_path / "samples.parquet"
    code = main([*arguments, "--output", str(output)])
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        assert code == 3
        assert "savedmodel-bench[parquet]" in capsys.readouterr().err
        return
    assert code == 0
    table = pd.read_parquet(output)
    assert list(table.columns) == list(ASV_COLUMNS)
    assert table["value"].dropna().tolist() == [1.0, 3.0, 5.0]
    assert str(table["date"].dtype).endswith("UTC]")


def test_the_documented_example_reads_an_export(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, blocks({OLD: [0.1, 0.2, 0.3], NEW: [0.3, 0.3, 0.3]}))
    assert main(["export", "--output", "samples.csv"]) == 0
    (example,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "export.md").read_text(), re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) == 8
    done = subprocess.run([sys.executable, "-c", example], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"cpu\s+mlp-s\s+tf-module/tf-load\s+200\.0\s+300\.0", done.stdout)


def test_every_column_is_documented() -> None:
    text = (PROJECT / "docs" / "export.md").read_text()
    for columns in (SAMPLE_COLUMNS, ASV_COLUMNS):
        table = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in columns.items())
        assert f"| --- | --- |\n{table}\n" in text
