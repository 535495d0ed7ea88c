"""A project, and what is installed: a wheel with one package of our own name, from which a project can be made."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import harness
from harness.cli import main
from harness.errors import UsageError
from harness.releases.project import find_root

ROOT = Path(__file__).resolve().parents[2]
LAID_OUT = {"releases.toml", "models.toml", "asv.conf.json", "benchmarks", "locks", "results", ".gitignore"}


def test_init_lays_out_a_project_and_changes_nothing_that_is_there(tmp_path, capsys):
    folder = tmp_path / "new"
    assert main(["init", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} >= LAID_OUT
    assert '"plugins": [".savedmodel_bench.asv_plugin"]' in (folder / "asv.conf.json").read_text()
    assert (folder / "releases.toml").read_bytes() == (ROOT / "releases.toml").read_bytes()
    (folder / "releases.toml").write_text("mine")
    assert main(["init", str(folder)]) == 3
    assert (
        "has releases.toml, models.toml, asv.conf.json, benchmarks, locks, results already" in capsys.readouterr().err
    )
    assert (folder / "releases.toml").read_text() == "mine"


def test_an_empty_folder_becomes_a_project_and_another_does_not(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert find_root() == tmp_path
    assert "Making a project in" in capsys.readouterr().err
    below = tmp_path / "results" / "deep"
    below.mkdir()
    monkeypatch.chdir(below)
    assert find_root() == tmp_path
    (tmp_path / "releases.toml").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="make this folder one with `savedmodel-bench init`"):
        find_root()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_has_no_package_called_harness(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    version = harness.__version__
    assert {name.partition("/")[0] for name in names} == {"savedmodel_bench", f"savedmodel_bench-{version}.dist-info"}
    assert wheel.name.startswith(f"savedmodel_bench-{version}-")


def test_a_wheel_has_all_code_and_all_that_a_project_begins_with(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    code = {
        f"savedmodel_bench/{path.relative_to(ROOT)}"
        for path in (ROOT / "harness").rglob("*")
        if path.suffix in (".py", ".toml") and "distribution" not in path.parts and path.name != "bootstrap.py"
    }
    parts = [ROOT / "releases.toml", ROOT / "asv.conf.json", ROOT / "models.toml", *(ROOT / "benchmarks").glob("*.py")]
    project = {path.relative_to(ROOT) for path in (*parts, *(ROOT / "locks").rglob("*.txt")) if path.exists()}
    assert code | {f"savedmodel_bench/project/{path}" for path in project} <= names


@pytest.mark.slow
def test_what_is_installed_runs_in_an_empty_folder_beside_somebody_elses_harness(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "harness").mkdir()
    (site / "harness" / "__init__.py").write_text("raise SystemExit('the wrong harness')")
    here = tmp_path / "here"
    here.mkdir()
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    # -S: without the .pth of this checkout's own installation.
    code = (
        f"import sys; sys.path[:0] = [{str(site)!r}]; sys.path.append({packages!r}); sys.argv[0] = 'savedmodel-bench'; "
        "import savedmodel_bench; code = savedmodel_bench.main(); "
        "import harness; print(harness.__file__); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code, "releases", "check"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 to be repaired" in done.stdout
    assert done.stdout.splitlines()[-1] == str(site / "savedmodel_bench" / "harness" / "__init__.py")
    assert {path.name for path in here.iterdir()} >= LAID_OUT
