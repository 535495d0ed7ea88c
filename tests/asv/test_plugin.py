"""asv on `releases.toml`: what its repository answers, and the suite's grid; asv itself: test_commands.py."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from asv import util
from asv.repo import NoSuchNameError
from machine_pythons import machine_with

from harness.asv import repo as asv_repo
from harness.asv.repo import ReleaseRepo
from harness.measure.passes import PASSES
from harness.measure.preset_files import read_preset
from harness.metrics import METRICS

pytestmark = pytest.mark.python

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> ReleaseRepo:
    """The shipped releases, without what runs in this checkout have measured beside them."""
    return ReleaseRepo(shutil.copy(ROOT / "releases.toml", tmp_path))


def names(repo: ReleaseRepo, idents: list[str]) -> list[str | None]:
    return [repo.get_name_from_hash(ident) for ident in idents]


def test_a_users_range_has_both_ends_newest_first(repo, monkeypatch):
    machine_with(monkeypatch, "3.12")
    assert names(repo, repo.get_hashes_from_range("v2.19.1..v2.21.0")) == ["v2.21.0", "v2.20.0", "v2.19.1"]
    assert names(repo, repo.get_hashes_from_range("2.20..")) == ["v2.21.0", "v2.20.0"]
    assert len(repo.get_hashes_from_range("releases")) == 10


@pytest.mark.parametrize("spec", ["v2.20.0", "2.20", "v2.20.0^!", "v2.20.0..v2.20.0"])
def test_one_release_means_itself_alone(repo, spec):
    assert names(repo, repo.get_hashes_from_range(spec)) == ["v2.20.0"]


def test_asvs_own_ranges_leave_out_the_first(repo):
    old, new = repo.get_hash_from_name("v2.20.0"), repo.get_hash_from_name("v2.21.0")
    assert repo.get_hashes_from_range(repo.get_range_spec(old, new)) == [new]
    assert repo.get_hashes_from_range(repo.get_new_range_spec(old)) == [new]
    assert repo.get_hashes_from_range(repo.get_range_spec(new, new)) == []


def test_unknown_and_backward_ranges_are_told(repo):
    with pytest.raises(util.UserError, match=r"no release 'v9\.9'.*v2\.21\.0"):
        repo.get_hashes_from_range("v9.9")
    with pytest.raises(util.UserError, match="is backward"):
        repo.get_hashes_from_range("v2.21.0..v2.20.0")
    with pytest.raises(NoSuchNameError):
        repo.get_hash_from_name("v9.9")


def test_what_this_python_cannot_install_is_left_out_and_said(repo, monkeypatch, caplog):
    machine_with(monkeypatch, "3.13")
    said: list[str] = []
    monkeypatch.setattr(asv_repo.log, "warning", said.append)
    assert names(repo, repo.get_new_branch_commits([None], [])) == ["v2.21.0", "v2.20.0"]
    assert len(said) == 8
    assert names(repo, repo.get_hashes_from_range("v2.19.1..v2.20.0")) == ["v2.20.0"]
    with pytest.raises(util.UserError, match=r"v2\.19\.1 needs Python 3\.9 to 3\.12, and this machine has 3\.13"):
        repo.get_hashes_from_range("v2.19.1")
    # publish shows results that were measured elsewhere, too.
    assert len(repo.get_branch_commits(None)) == 10


def test_releases_are_grouped_by_as_few_pythons_as_there_are(repo, monkeypatch):
    informed: list[str] = []
    monkeypatch.setattr(asv_repo.log, "info", informed.append)
    for minors, told in (
        (("3.13", "3.12", "3.11"), "Python 3.11: v2.15.1, v2.16.2, v2.17.1, v2.18.1, v2.19.1, v2.20.0, v2.21.0"),
        (("3.13", "3.12"), "Python 3.12: v2.16.2, v2.17.1, v2.18.1, v2.19.1, v2.20.0, v2.21.0"),
    ):
        machine_with(monkeypatch, *minors)
        repo.get_hashes_from_range("v2.15.1..")
        assert informed[-1] == told


def test_names_ids_and_order(repo):
    newest = repo.get_hash_from_name(None)
    assert repo.get_name_from_hash(newest) == "v2.21.0"
    assert repo.get_hash_from_name(newest[:8]) == newest
    assert repo.get_name_from_hash(repo.get_hash_from_parent(newest)) == "v2.20.0"
    assert repo.get_name_from_hash("f" * 40) is None
    assert repo.get_revisions(set(repo.get_branch_commits(None)))[newest] == 9
    assert repo.get_date(newest) == 1772755200000
    tags = repo.get_tags()
    assert tags["v2.21.0"] == newest
    # `asv run TAGS` takes the keys for ids.
    assert set(tags.keys()) == set(tags.values())
    assert json.loads(json.dumps(tags)) == dict(tags.items())


def test_the_grid_is_small_and_has_every_judged_metric_of_its_preset():
    listing = (
        "import json, sys; sys.path.insert(0, '.'); from benchmarks import savedmodel as s;"
        "print(json.dumps({n: f.params for n, f in vars(s).items() if n.startswith('track_')}));"
        "assert not any(m.partition('.')[0] in ('tensorflow', 'keras', 'numpy') for m in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)
    grid = json.loads(done.stdout)
    (group,) = read_preset("asv").groups
    assert not group.durable_saves
    operations = {"import"} | {PASSES[name].operation for name in group.repeats}
    judged = {metric.name for metric in METRICS.values() if metric.judged and metric.operation in operations}
    assert {f"track_{name}" for name in judged - {"save_durable_s"}} <= grid.keys()
    assert sum(math.prod(len(values) for values in params) for params in grid.values()) <= 300
