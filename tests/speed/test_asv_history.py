"""The generator of long asv histories: what it makes is what asv itself reads and publishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from asv.results import iter_results

from harness.asv.directory import read_asv_directory
from tests.speed.asv_history import make_history, measure


def test_a_made_history_is_one_that_asv_reads(tmp_path: Path) -> None:
    results = make_history(tmp_path, files=6, series=25, samples=3)
    history = read_asv_directory(results, cached=False)
    assert history.problems == ()
    assert len(history.values) == 6 * 25
    assert history.values.groupby("commit", observed=True)["date"].first().nunique() == 6
    by_asv = list(iter_results(str(results)))
    assert (
        sum(
            len(one.get_result_value(key, one.get_result_params(key)))
            for one in by_asv
            for key in one.get_all_result_keys()
        )
        == 150
    )


@pytest.mark.slow
def test_every_job_runs_on_a_short_history(tmp_path: Path) -> None:
    rows = measure(tmp_path, files=30, series=24, samples=0, publish=True)
    notes = {job: note for job, _, _, note in rows}
    assert notes["reading, first time"] == "720 values"
    assert notes["summary"] == "24 series"
    assert notes["all change points"].startswith("24 courses, ")
    assert notes["asv publish"] == ""
    assert list((tmp_path / "html" / "graphs").rglob("*.json"))
