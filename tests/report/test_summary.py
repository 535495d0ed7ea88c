"""What `summary` prints of a stored run, on 80 columns and as Markdown.

SAVEDMODEL_BENCH_REGENERATE=1 writes the golden files anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stored_runs import CELL, NEW, OLD, blocks, project_root, store_run

from harness.cli import main

GOLDEN = Path(__file__).parent / "golden"
CALM = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98]


@pytest.mark.parametrize(("form", "file"), [("table", "summary.txt"), ("markdown", "summary.md")])
def test_the_summary_is_as_it_was(
    form: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project_root(tmp_path)
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    first = "v2.15.1"
    ends = [record for record in blocks({NEW: CALM}) if record["type"] == "block"]
    rows = [
        blocks({first: CALM, OLD: CALM[::-1], NEW: [1.4 * value for value in CALM]}, cell={**CELL, "model": "mlp-s"}),
        blocks({OLD: CALM, NEW: CALM[::-1]}, cell={**CELL, "model": "mlp-m"}),
        blocks({first: [4e6] * 6, OLD: [4e6] * 6, NEW: [3e6] * 6}, metric="artifact_bytes", operation="save"),
        blocks({first: CALM, OLD: CALM[::-1], NEW: CALM}, metric="import_s", operation="import", cell=None),
    ]
    records = [record for some in rows for record in some if record["type"] == "repeat"]
    store_run(root, [*records, *ends], subjects=(first, OLD, NEW))
    assert main(["summary", "--format", form]) == 0
    told = capsys.readouterr().out
    if os.environ.get("SAVEDMODEL_BENCH_REGENERATE"):
        (GOLDEN / file).write_text(told, encoding="utf-8")
    assert told == (GOLDEN / file).read_text(encoding="utf-8")
