"""Results of nightlies and wheels that `releases.toml` does not have: ordered, named and shown all the same."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from stored_runs import MACHINE, NEW, OLD, blocks, project_root, store_run

from harness.answers.records_history import judged_samples
from harness.answers.summary import summary
from harness.asv.projection import project
from harness.asv.repo import ReleaseRepo
from harness.cli import main
from harness.releases.release import Build, Release, release_ident, release_of_facts
from harness.store.known_releases import known_releases

DAY = datetime.date(2026, 9, 5)
NIGHTLY = Release(
    "v2.22.0.dev20260905", "2.22.0.dev20260905", DAY, None, release_ident("2.22.0.dev20260905", "", None), "3.13",
    None, Build("tf-nightly-cpu"),
)  # fmt: skip
WHEEL = Release(
    "v2.21.0+sha3fa9c2d1", "2.21.0", datetime.date(2026, 3, 6), None, "3f" * 20, "3.11", "3.11",
    Build("tensorflow-cpu", "3fa9c2d1" * 8, "2026-11-01T12:00:00", "tensorflow_cpu-2.21.0.whl", "patched.whl"),
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one run of a release, a wheel and a nightly."""
    root = project_root(tmp_path)
    names = (OLD, NEW, WHEEL.name, NIGHTLY.name)
    records = blocks({name: [1.0 + place, 1.1 + place] for place, name in enumerate(names)})
    run = store_run(root, records, subjects=(OLD, NEW), kind="run")
    more = [
        {**run.facts["subjects"][0], "name": one.name, "tensorflow": one.version, **one.as_facts()}
        for one in (NIGHTLY, WHEEL)
    ]
    run.updated(subjects=[*run.facts["subjects"], *more])
    return root


@pytest.mark.parametrize("release", [NIGHTLY, WHEEL])
def test_a_release_survives_being_stored(release):
    assert release_of_facts(release.as_facts()) == release


def test_facts_of_before_dates_were_stored_are_no_release():
    assert release_of_facts({"release": "v2.21.0", "release_id": "ab" * 20}) is None


def test_they_stand_by_their_dates_a_wheel_behind_the_release_of_its_version(root):
    names = [release.name for release in known_releases(root).releases]
    assert names[-3:] == [NEW, WHEEL.name, NIGHTLY.name]
    assert judged_samples(root).order[-3:] == (NEW, WHEEL.name, NIGHTLY.name)
    assert list(summary(root).columns)[-4:] == [OLD, NEW, WHEEL.name, NIGHTLY.name]


def test_a_version_means_the_registered_release_and_a_wheel_goes_by_its_name(root):
    known = known_releases(root)
    assert known.find("2.21.0").name == known.find("2.21").name == NEW
    assert known.find("2.21.0+sha3fa9c2d1").ident == WHEEL.ident
    assert known.newest_stable(1)[0].name == NEW


def test_asv_has_a_place_for_them_and_measures_them_only_by_name(root):
    repo = ReleaseRepo(str(root / "releases.toml"))
    assert repo.get_tags()[NIGHTLY.name] == NIGHTLY.ident
    assert repo.get_date_from_name(NIGHTLY.name) == 1788566400000
    assert repo.get_branch_commits(None)[:2] == [NIGHTLY.ident, WHEEL.ident]
    assert repo.get_name_from_hash(repo.get_hash_from_name(None)) == NEW
    written = {path.name[:8] for path in project(root)}
    assert {NIGHTLY.ident[:8], WHEEL.ident[:8]} <= written


def test_two_of_them_are_compared_in_a_run_that_exists(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    (run,) = (root / "results" / "runs" / MACHINE).iterdir()
    assert main(["compare", "2.21", "nightly", "--run", str(run), "--verbose"]) in (0, 1, 3)
    assert f"{NEW} to {NIGHTLY.name}" in capsys.readouterr().out
    main(["compare", "2.21.0", "2.21.0+sha3fa9c2d1", "--run", str(run)])
    assert f"{WHEEL.name} is the wheel patched.whl (tensorflow-cpu, SHA-256 3fa9c2d13fa9…)" in capsys.readouterr().out
