"""The night of a large fleet, in small."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_runs import project_root

from harness.cli import main
from harness.store.merging import Fate, merge
from tests.speed.fleet_scale import Template, make_answers, make_night


@pytest.mark.slow
def test_a_night_has_runs_like_the_reference_run_and_is_merged(tmp_path: Path) -> None:
    night = make_night(tmp_path / "night", types=2, models=5)
    template = Template()
    runs = [merge(tmp_path / "project", [path]) for path in night.runs]
    assert [one.fate for (one,) in runs] == [Fate.ADDED] * 2
    assert night.records > 2 * 5 * 300
    assert night.bytes / night.records == pytest.approx(2300, rel=0.1)
    assert len(template.blocks) == 10


@pytest.mark.slow
def test_kept_answers_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, size = make_answers(project_root(tmp_path), nights=3, types=2, models=8)
    assert rows > 2 * 8 * 40
    assert size > 0
    monkeypatch.chdir(tmp_path)
    assert main(["fleet", "report", "--nights", "3"]) == 0
    assert "3 nights" in capsys.readouterr().out
