"""The generator of wide histories, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.asv.directory import read_asv_directory
from tests.speed.wide_history import ENVIRONMENTS, make_wide


def test_a_wide_history_has_environments_of_different_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    history = read_asv_directory(make_wide(tmp_path / "results", commits=20, series=30))
    commits = history.values.groupby("environment", observed=True)["commit"].nunique()
    assert history.problems == ()
    assert history.series == 30 * len(ENVIRONMENTS)
    assert commits.max() == 20 > commits.min()
