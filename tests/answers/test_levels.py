"""Runs of different times on one level: a slower day is no change of a release."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.answers.levels import levelled


def samples(
    runs: dict[str, dict[str, float]], metric: str = "load_warm_s", created: dict[str, str] | None = None
) -> pd.DataFrame:
    rows = [
        {"machine": "m", "environment": "e", "metric": metric, "row": "r", "run": run, "subject": subject,
         "value": value, "created_at": (created or {}).get(run, run)}
        for run, values in runs.items()
        for subject, value in values.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1.0, random_state=1)


def medians(rows: pd.DataFrame) -> dict[str, float]:
    found = levelled(rows).groupby("subject")["value"].median()
    return {str(name): round(float(value), 6) for name, value in found.items()}


def test_a_slower_day_is_no_change_of_a_release() -> None:
    runs = {"1": {"a": 1.0, "b": 2.0, "c": 4.0}, "2": {"b": 3.0, "d": 12.0}}  # 1.5 times slower
    assert medians(samples(runs)) == {"a": 1.0, "b": 2.0, "c": 4.0, "d": 8.0}


def test_runs_are_joined_over_others() -> None:
    runs = {"1": {"a": 1.0, "b": 2.0, "c": 4.0}, "2": {"d": 16.0, "e": 32.0}, "3": {"c": 8.0, "d": 16.0}}
    assert medians(samples(runs)) == {"a": 1.0, "b": 2.0, "c": 4.0, "d": 8.0, "e": 16.0}


def test_of_equally_many_releases_the_newer_run_sets_the_level() -> None:
    runs = {"1": {"a": 1.0, "b": 2.0}, "2": {"a": 2.0, "b": 4.0}}
    assert medians(samples(runs)) == {"a": 2.0, "b": 4.0}
    assert medians(samples(runs, created={"1": "9"})) == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize("metric", ["artifact_bytes", "load_host_peak_bytes"])
def test_sizes_stay_as_they_are(metric: str) -> None:
    runs = {"1": {"a": 1.0, "b": 2.0, "c": 4.0}, "2": {"b": 4.0}}
    assert medians(samples(runs, metric)) == {"a": 1.0, "b": 3.0, "c": 4.0}


def test_a_run_that_shares_no_release_and_one_alone_stay_as_they_are() -> None:
    assert medians(samples({"1": {"a": 1.0, "b": 2.0}, "2": {"c": 3.0}})) == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert medians(samples({"1": {"a": 1.0}})) == {"a": 1.0}
    assert levelled(samples({"1": {"a": 1.0}}).iloc[:0]).empty
