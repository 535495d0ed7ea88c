"""A model of a user's own that changed under its name is another: no series goes over both, and history says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored_runs import CELL, MACHINE, NEW, blocks, project_root, store_run

from harness.cli import main


def measured(root: Path, *models: str, seconds: float = 1.0) -> str:
    """Store a night of one release in which these models were measured, and return its run."""
    records = [
        record
        for model in models
        for record in blocks({NEW: [seconds, seconds * 1.01, seconds * 0.99]}, cell={**CELL, "model": model})
        if record["type"] == "repeat"
    ]
    ends = [one for one in blocks({NEW: [1.0] * 3}) if one["type"] == "block"]
    records = sorted([*records, *ends], key=lambda one: (one["block"], one["type"] == "block"))
    return store_run(root, records, subjects=(NEW,)).run


@pytest.mark.slow
def test_a_new_content_under_an_old_name_is_told_and_no_series_has_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project_root(tmp_path)
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", MACHINE)
    monkeypatch.chdir(root)
    for _ in range(6):
        measured(root, "pitch@aaaaaaaa", "mlp-s", "other@cccccccc")
    later = [measured(root, "pitch@bbbbbbbb", "mlp-s", "other@cccccccc", seconds=5.0) for _ in range(6)]
    measured(root, "pitch@aaaaaaaa", "pitch@bbbbbbbb")  # known by then
    assert main(["history", "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    for section in answer["sections"]:
        assert section["models"] == [
            {"machine": MACHINE, "called": "pitch", "before": "pitch@aaaaaaaa", "after": "pitch@bbbbbbbb",
             "run": later[0]}
        ]  # fmt: skip
    nights = next(one for one in answer["sections"] if one["axis"] == "nights")
    changed = json.dumps(nights["findings"])
    assert all(name in changed for name in ("mlp-s", "other@cccccccc"))
    assert "pitch" not in changed
    assert main(["history"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        f"{MACHINE}: pitch is another model since run {later[0]}: pitch@bbbbbbbb, pitch@aaaaaaaa before. No series "
        "contains both."
    ) in said
