"""asv's own commands on `releases.toml`, through the real asv.

A stand-in takes the place of the measuring call, and releases are bound to interpreters: so nothing is installed.
`test_end_to_end.py` does it with TensorFlow.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.asv.repo import ReleaseRepo

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

STAND_IN = """
import sys, types

def measure_cell(root, release_name, python, device, model, python_minor):
    with open(root / "calls.txt", "a") as calls:
        calls.write(f"{release_name} {python} {device} {model}\\n")
    if model == "conv-s":
        raise OSError("the worker was killed")
    def repeat(reader, operation, metrics, status="ok", reason=None, absent=(), block=0):
        cell = {"device": device, "model": model, "writer": "tf-module", "reader": reader} if model else None
        return {"type": "repeat", "block": block, "cell": cell, "operation": operation, "status": status,
                "reason": reason, "metrics": metrics, "absent": list(absent), "taints": []}
    if model is None:
        return [repeat(None, "import", [{"metric": "import_s", "value": 4.0 + i}], block=i) for i in range(3)]
    if (root / "full").exists():
        reason = "too-large: needs about 8 MiB of disk, 3 MiB are free on /"
        return [repeat("tf-load", "save", [], "unsupported", reason)]
    slow = 2.0 if release_name == "new" else 1.0
    save = [{"metric": "artifact_bytes", "value": 1000.0}, {"metric": "save_first_s", "value": 0.5}]
    records = [repeat(None, "save", save)]
    for i in range(8):
        load = [{"metric": "load_warm_s", "value": slow * (1 + i / 100)}]
        absent = [{"metric": "load_cold_s", "reason": "not-evicted"}]
        records.append(repeat("tf-load", "load", load, absent=absent, block=i))
    if model == "mlp-s":
        records.append(repeat("tf-load", "infer", [], "unsupported", "AttributeError: no"))
    else:
        both = [{"metric": "infer_p50_s", "batch": batch, "value": float(batch)} for batch in (1, 32)]
        records.append(repeat("tf-load", "infer", both))
    return records

module = types.ModuleType("harness.asv.bridge")
module.measure_cell = measure_cell
sys.modules["harness.asv.bridge"] = module
"""


class Project:
    """A folder with the project's asv parts, two interpreter releases and one that no Python can install."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copy(ROOT / "asv.conf.json", root)
        shutil.copytree(ROOT / "benchmarks", root / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
        self.python = self._interpreter()
        entries = [
            '[[release]]\nversion = "2.9.1"\ndate = 2022-05-01\nnewest_python = "3.10"\n',
            f'[[release]]\nname = "old"\npython = "{self.python}"\ndate = 2025-01-01\n',
            f'[[release]]\nname = "new"\npython = "{self.python}"\ndate = 2026-01-01\n',
        ]
        (root / "releases.toml").write_text("\n".join(entries))
        (root / "stand-in").mkdir()
        (root / "stand-in" / "sitecustomize.py").write_text(STAND_IN)
        (root / "home").mkdir()
        self.asv("machine", "--yes", "--machine", "tester")

    def _interpreter(self) -> Path:
        """Return an interpreter in which a package named tensorflow lies: nothing here imports it."""
        package = self.root / "site" / "tensorflow" / "__init__.py"
        package.parent.mkdir(parents=True)
        package.touch()
        python = self.root / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH="{self.root}/site" exec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        return python

    def asv(self, *arguments: str, code: int = 0) -> str:
        """Run asv and return all that it said; its exit code has to be `code`."""
        environ = dict(
            os.environ,
            HOME=str(self.root / "home"),
            ASV_PYTHONPATH=str(self.root / "stand-in"),
            SAVEDMODEL_BENCH_WHEEL="cpu",
            UV_PYTHON_SEARCH_PATH="/nowhere",
        )
        done = subprocess.run(
            [sys.executable, "-m", "asv", *arguments],
            cwd=self.root,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def values(self, name: str, benchmark: str) -> list[float | None]:
        """Return a release's stored values of one benchmark; n/a and failed are None."""
        ident = ReleaseRepo(str(self.root / "releases.toml")).get_hash_from_name(name)
        (path,) = (self.root / "results" / "asv" / "tester").glob(f"{ident[:8]}-*.json")
        stored = json.loads(path.read_text())
        entry = stored["results"][f"savedmodel.{benchmark}"]
        return [None if value is None or math.isnan(value) else value for value in entry[0]]

    def calls(self) -> list[list[str]]:
        path = self.root / "calls.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("asv"))
    project.ran = project.asv("run", "old..new", "-b", "load_(warm|cold)|infer_p50|artifact_bytes$|import_s", code=2)
    return project


def test_every_cell_is_measured_once_in_its_interpreter(project):
    calls = project.calls()[:12]
    assert sorted(map(tuple, calls)) == sorted(
        (release, str(project.python), "cpu", model)
        for release in ("old", "new")
        for model in ("None", "mlp-xs", "mlp-s", "mlp-m", "conv-s", "transformer-s")
    )
    assert "old..new has both its ends: 2 releases" in project.ran


def test_values_na_and_failures_are_what_they_are(project):
    assert project.values("new", "track_import_s") == [5.0]
    warm = project.values("new", "track_load_warm_s")
    assert warm[:5] == [pytest.approx(2.07), pytest.approx(2.07), pytest.approx(2.07), None, pytest.approx(2.07)]
    assert warm[5:] == [None] * 5
    assert "RuntimeError: OSError: the worker was killed" in project.asv("run", "new", "-e", "-b", "load_warm", code=2)
    assert project.values("new", "track_infer_p50_s")[:4] == [1.0, 32.0, None, None]
    assert project.values("new", "track_load_cold_s") == [None] * 10


def test_a_full_disk_is_a_failure_and_not_na(project):
    """All of the grid n/a would end with 0, and a night that measured nothing would be green."""
    full = project.root / "full"
    full.touch()
    try:
        said = project.asv("run", "new", "-e", "-n", "-b", "track_load_warm_s.*'cpu', 'mlp-xs'", code=2)
    finally:
        full.unlink()
    assert "RuntimeError: save: too-large: needs about 8 MiB of disk, 3 MiB are free on /" in said


def test_a_part_does_not_remove_the_rest(project):
    before = project.values("old", "track_load_warm_s")
    project.asv("run", "old", "-b", "track_load_warm_s.*'cpu', 'mlp-m'")
    assert project.values("old", "track_load_warm_s") == before
    assert project.values("old", "track_import_s") == [5.0]


def test_compare_and_continuous_point_to_the_better_command(project):
    said = project.asv("compare", "old", "new")
    assert "track_load_warm_s('cpu', 'mlp-xs', 'tf-module/tf-load')" in said
    assert said.count("`savedmodel-bench compare OLD NEW`") == 1
    said = project.asv("continuous", "old", "new", "-b", "track_load_warm_s.*'cpu', 'mlp-xs'", code=1)
    assert "PERFORMANCE DECREASED" in said
    assert said.count("`savedmodel-bench compare OLD NEW`") == 1
    assert "savedmodel-bench compare" not in project.asv("show", "new")


def test_new_looks_at_this_machine_alone(project):
    assert "No commit hashes selected" in project.asv("run", "NEW", code=1)
    known = project.root / "home" / ".asv-machine.json"
    machines = known.read_text()
    second = project.root / "results" / "asv" / "second"
    try:
        project.asv("machine", "--yes", "--machine", "second")
        project.asv("run", "NEW", "--machine", "second", "-b", "import_s")
        assert len(sorted(second.glob("*-tf-*.json"))) == 2
    finally:
        shutil.rmtree(second, ignore_errors=True)
        known.write_text(machines)


def test_all_goes_on_without_what_cannot_be_installed(project):
    said = project.asv("run", "ALL", "-b", "import_s")
    assert said.count("v2.9.1 needs Python 3.9 to 3.10") == 1
    assert "<old>" in said
    assert "<new>" in said
    assert "v2.9.1 needs Python 3.9 to 3.10" in project.asv("run", "v2.9.1", "-b", "import_s", code=1)


def test_wrong_usage_is_one_sentence(project):
    assert "There is no release 'v9.9' in releases.toml" in project.asv("run", "v9.9", code=1)
    said = project.asv("run", "new", "-j", "2", "-b", "import_s", code=1)
    assert "-j is not supported" in said
    assert "Traceback" not in said


def test_a_python_is_chosen_and_what_lacks_it_is_said(project):
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    said = project.asv("run", "--python", minor, "new", "-b", "just-discover")
    assert f"Python {minor}: new" in said
    said = project.asv("run", "--python", "3.9", "old..new", "-b", "just-discover", code=1)
    assert f"new has Python {minor}, not 3.9: leave `--python` out" in said
    assert "'3' is not a minor version of Python" in project.asv("run", "--python", "3", "new", code=1)


def test_tags_store_results_under_ids(project):
    said = project.asv("run", "TAGS", "-b", "import_s", code=2)
    assert "v2.9.1 needs Python 3.9 to 3.10" in said
    files = {path.name[:8] for path in (project.root / "results" / "asv" / "tester").glob("*-tf-*.json")}
    repo = ReleaseRepo(str(project.root / "releases.toml"))
    assert files == {ident[:8] for ident in repo.get_branch_commits(None)}


def test_publish_has_releases_on_its_axis(project):
    project.asv("publish")
    html = project.root / "results" / "html"
    index = json.loads((html / "index.json").read_text())
    assert index["tags"] == {"v2.9.1": 0, "old": 1, "new": 2}
    assert index["revision_to_date"]["2"] == 1767225600000
    regressions = json.loads((html / "regressions.json").read_text())["regressions"]
    found = {name: jumps for name, *_, jumps in regressions}
    # A single release, not a range: asv's own ranges leave out their first end.
    assert found["savedmodel.track_load_warm_s('cpu', 'mlp-xs', 'tf-module/tf-load')"][0][:2] == [None, 2]


def test_find_names_the_release(project):
    said = project.asv("find", "old..new", r"track_load_warm_s\('cpu', 'mlp-xs'")
    assert "Greatest regression found" in said
    assert "<new>" in said


def test_a_malformed_releases_file_is_told_through_asv(project):
    path = project.root / "releases.toml"
    good = path.read_text()
    try:
        path.write_text(good.replace("date = 2025-01-01", 'date = "then"'))
        said = project.asv("run", "new", "-b", "import_s", code=1)
    finally:
        path.write_text(good)
    assert "releases.toml line 9: `date` must be a date" in said
    assert "Traceback" not in said
