"""Nightlies, wheels and interpreters that nobody registered: what a name means, what is locked, kept and installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from local_index import MINOR, LocalIndex, make_wheel, tensorflow_wheel

from harness.cli import main
from harness.errors import UsageError
from harness.planning.installing import installed
from harness.releases.environments import describe
from harness.releases.kept import LIMIT_VARIABLE, kept_releases
from harness.releases.manifest import read_manifest
from harness.releases.profiles import split_subject
from harness.releases.subjects import chosen_subjects, subject_name

pytestmark = [pytest.mark.python, pytest.mark.slow]

ENTRY = f'[[release]]\nversion = "2.21.0"\ndate = 2026-03-06\nnewest_python = "{MINOR}"\noldest_python = "{MINOR}"\n'
OLD, NEW = "2.22.0.dev20260701", "2.22.0.dev20260905"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "releases.toml").write_text(ENTRY)
    (root / ".environments").mkdir()
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    index = LocalIndex(tmp_path / "index", monkeypatch)
    index.add("tf-nightly-cpu", OLD, requires=["keras-nightly>=3.15.0.dev1", "gast"])
    index.add("tf-nightly-cpu", NEW, requires=["keras-nightly>=3.15.0.dev1", "gast"])
    index.add("keras-nightly", "3.15.0.dev1")
    index.add("gast", "0.6.0")
    return index


def one(root: Path, name: str) -> str:
    return chosen_subjects(root, [name], "cpu")[0][0].name


def install(root: Path, *names: str, say=lambda line: None):
    return installed(root, names, wheel="cpu", python=MINOR, say=say)


def versions(environment) -> dict[str, str]:
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


# What a name means


def test_a_nightly_is_meant_by_its_day_its_version_or_as_the_newest(root, index):
    assert one(root, "nightly") == f"v{NEW}"
    assert one(root, "nightly:20260701") == one(root, "nightly:2026-07-01") == one(root, OLD) == f"v{OLD}"
    release = chosen_subjects(root, ["nightly"], "cpu")[0][0]
    assert (str(release.date), release.newest_python, release.oldest_python) == ("2026-09-05", MINOR, MINOR)


def test_the_newest_is_of_either_package_and_of_one_day_the_smaller(root, index):
    index.add("tf-nightly", NEW)
    assert chosen_subjects(root, ["nightly"], "cpu")[0][0].build.package == "tf-nightly-cpu"
    index.add("tf-nightly", "2.23.0.dev20261026")
    assert one(root, "nightly") == "v2.23.0.dev20261026"
    assert chosen_subjects(root, ["nightly:20260905"], "cuda")[0][0].build.package == "tf-nightly"


def test_registering_a_nightly_changes_neither_name_nor_id(root, index):
    before = chosen_subjects(root, ["nightly"], "cpu")[0][0]
    (root / "releases.toml").write_text(f'{ENTRY}\n[[release]]\nversion = "{NEW}"\ndate = 2026-09-05\n')
    after = chosen_subjects(root, ["nightly:20260905"], "cpu")[0][0]
    assert (before.name, before.ident, after.build) == (after.name, after.ident, None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "nightly:20260702",
            "no nightly of 2026-07-02 for Linux x86-64: the nearest are nightly:20260701, nightly:20260905",
        ),
        ("nightly:yesterday", "'yesterday' is no day: write a nightly like nightly:20260905"),
        ("nightly:20260231", "'20260231' is no day"),
        ("2.22.0.dev20260702", "the nearest are nightly:20260701"),
        ("./none.whl", "There is no file ./none.whl"),
        ("./folder.whl", "./folder.whl cannot be read"),
        ("./text.whl", "./text.whl is no wheel of a Python package"),
        ("./bare.whl", "is no wheel of a Python package, since it has no METADATA"),
        ("./other.whl", "./other.whl is a wheel of gast and has no TensorFlow"),
        ("./mac.whl", "./mac.whl is for cp311-cp311-macosx_12_0_arm64, and this is Linux x86-64"),
        ("http://127.0.0.1:{port}/a.whl", "a.whl does not give a wheel (Connection refused)"),
        ("./nowhere/python", "nowhere/python is not there: give the path of a Python interpreter or of a wheel"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_ends_with_3(root, index, tmp_path, capsys, name, words):
    Path("folder.whl").mkdir()
    Path("text.whl").write_text("no wheel")
    make_wheel(root, "gast", "1.0", name="bare.whl", without=["METADATA"])
    make_wheel(root, "gast", "1.0", name="other.whl")
    tensorflow_wheel(root, "tensorflow", "2.21.0", name="mac.whl", tag="cp311-cp311-macosx_12_0_arm64")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = main(["compare", "2.21", name.format(port=port), "--wheel", "cpu", "--dry-run"])
    said = capsys.readouterr().err
    assert code == 3
    assert words in said
    assert len(said.strip().splitlines()) == 1


def test_a_wheel_for_another_python_is_refused_before_anything_is_installed(root, index, capsys):
    tensorflow_wheel(root, "tensorflow-cpu", "2.21.0", name="a.whl", tag="cp39-cp39-manylinux_2_17_x86_64")
    assert main(["compare", "2.21", "./a.whl", "--wheel", "cpu", "--dry-run"]) == 3
    assert "No Python has wheels for all of v2.21.0" in capsys.readouterr().err


def test_an_index_without_nightlies_and_one_that_does_not_answer(root, index, capsys):
    for version in (OLD, NEW):
        index.drop("tf-nightly-cpu", version)
    assert main(["run", "nightly", "--wheel", "cpu", "--dry-run"]) == 3
    assert "has no wheels of tf-nightly-cpu nor tf-nightly" in capsys.readouterr().err
    index.use("http://127.0.0.1:9/simple")
    assert main(["run", "nightly", "--wheel", "cpu", "--dry-run"]) == 3
    assert "The package index cannot be asked for tf-nightly" in capsys.readouterr().err


def test_offline_with_nothing_kept_says_so(root, index, capsys):
    index.use("http://127.0.0.1:9/simple", UV_OFFLINE="1")
    assert main(["run", "nightly", "--wheel", "cpu", "--dry-run"]) == 3
    said = capsys.readouterr().err
    assert "UV_OFFLINE forbids the network" in said
    assert "Kept here: no nightly." in said


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2.21@xla", ("2.21", "xla")),
        ("nightly:20260905@xla", ("nightly:20260905", "xla")),
        ("./a@b/c.whl", ("./a@b/c.whl", None)),
        ("./a@b/c.whl@xla", ("./a@b/c.whl", "xla")),
        ("https://user@host/c.whl", ("https://user@host/c.whl", None)),
        ("/opt/tf@2/bin/python", ("/opt/tf@2/bin/python", None)),
        ("/opt/tf/bin/python@xla", ("/opt/tf/bin/python", "xla")),
    ],
)
def test_a_profile_stands_behind_any_subject(text, parts):
    assert split_subject(text) == parts


# Wheels


def test_a_wheel_is_its_sha256_whatever_its_file_is_called(root, index):
    base = tensorflow_wheel(root, "tensorflow-cpu", "2.21.0", requires=["gast"], name="base.whl")
    tensorflow_wheel(root, "tensorflow-cpu", "2.21.0", requires=["gast"], extra="patched = 1\n", name="patched.whl")
    old, new = install(root, "base.whl", "patched.whl")
    assert (old.version, new.version) == ("2.21.0", "2.21.0")
    assert old.name != new.name
    assert old.release.name.startswith("v2.21.0+sha")
    for environment, is_patched in ((old, False), (new, True)):
        code = "import tensorflow; print(hasattr(tensorflow, 'patched'))"
        done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(is_patched)
    assert old.build["flags"] == ["--std=c++17"]
    # Its name in a report names it again, also when the file is gone.
    base.unlink()
    assert one(root, old.release.name) == old.release.name
    # It is ordered behind the release whose version it has.
    assert old.release.date == read_manifest(root / "releases.toml").find("2.21").date


def test_one_wheel_under_two_names_is_not_compared_with_itself(root, index, capsys):
    tensorflow_wheel(root, "tensorflow-cpu", "2.21.0", name="a.whl")
    shutil.copy("a.whl", "b.whl")
    assert main(["compare", "a.whl", "b.whl", "--wheel", "cpu", "--dry-run"]) == 3
    assert "a.whl and b.whl are the same wheel (SHA-256" in capsys.readouterr().err
    assert chosen_subjects(root, ["a.whl", "a.whl"], "cpu")[0][0].name  # a release against itself


def test_a_wheel_for_the_cpu_is_no_cuda_build(root, index, capsys):
    tensorflow_wheel(root, "tensorflow-cpu", "2.21.0", name="a.whl")
    assert main(["run", "a.whl", "--wheel", "cuda", "--dry-run"]) == 3
    assert "a.whl is a wheel of tensorflow-cpu, for the CPU alone: add --wheel cpu" in capsys.readouterr().err


# Locks


def test_two_nightlies_get_one_set_of_dependencies(root, index):
    (first,) = install(root, "nightly:20260701")
    index.add("keras-nightly", "3.16.0.dev1")
    index.add("gast", "0.7.0")
    old, new = install(root, "nightly:20260701", "nightly:20260905")
    assert old.lock_digest == first.lock_digest
    assert versions(old).items() - versions(new).items() == {("tf-nightly-cpu", OLD)}
    assert versions(new)["keras-nightly"] == "3.15.0.dev1"


def test_locks_that_differ_are_brought_together_where_that_fits(root, index):
    install(root, "nightly:20260701")
    index.add("gast", "0.7.0")
    index.add("tf-nightly-cpu", "2.22.0.dev20260906", requires=["keras-nightly", "gast>=0.7"])
    (alone,) = install(root, "nightly")  # cannot have the other's gast
    assert versions(alone)["gast"] == "0.7.0"
    told: list[str] = []
    old, new = install(root, "nightly:20260701", "nightly", say=told.append)
    assert versions(old)["gast"] == versions(new)["gast"] == "0.7.0"
    assert f"v{OLD} gets the dependencies of the build that it is compared with" in told


def test_where_they_do_not_fit_each_keeps_its_own(root, index):
    index.add("gast", "0.7.0")
    index.add("tf-nightly-cpu", "2.22.0.dev20260906", requires=["keras-nightly", "gast>=0.7"])
    index.add("tf-nightly-cpu", "2.22.0.dev20260601", requires=["keras-nightly", "gast<0.7"])
    old, new = install(root, "nightly:20260601", "nightly")
    assert (versions(old)["gast"], versions(new)["gast"]) == ("0.6.0", "0.7.0")
    assert old.locked["gast"] == "0.6.0"


# What is kept


def test_a_nightly_that_the_index_dropped_is_installed_from_what_is_kept(root, index):
    (before,) = install(root, "nightly:20260701")
    for package, version in (("tf-nightly-cpu", OLD), ("keras-nightly", "3.15.0.dev1"), ("gast", "0.6.0")):
        index.drop(package, version)
    shutil.rmtree(before.python.parents[1])
    index.use("http://127.0.0.1:9/simple", UV_OFFLINE="1", UV_CACHE_DIR=str(root / "another-cache"))
    (after,) = install(root, "nightly:20260701")
    assert after.lock_digest == before.lock_digest
    assert versions(after)["tf-nightly-cpu"] == OLD
    assert one(root, "nightly:20260701") == f"v{OLD}"
    told: list[str] = []
    assert install(root, "nightly", say=told.append)[0].release.name == f"v{OLD}"
    assert any("is the newest nightly that is kept here; UV_OFFLINE is set" in line for line in told)


def test_an_index_that_has_dropped_all_nightlies_leaves_those_that_are_kept(root, index, capsys):
    install(root, "nightly:20260701")
    for version in (OLD, NEW):
        index.drop("tf-nightly-cpu", version)
    assert one(root, "nightly") == f"v{OLD}"
    assert main(["run", "nightly:20260905", "--wheel", "cpu", "--dry-run"]) == 3
    assert "the nearest are nightly:20260701." in capsys.readouterr().err


def test_a_wheel_that_is_neither_kept_nor_on_the_index_is_named(root, index):
    (before,) = install(root, "nightly:20260701")
    shutil.rmtree(before.python.parents[1])
    next((root / ".builds" / "wheels").glob("*/gast*")).unlink()
    index.drop("gast", "0.6.0")
    with pytest.raises(UsageError, match="the wheel of gast is not kept here, and the package index does not give it"):
        install(root, "nightly:20260701")


def test_beyond_the_limit_the_longest_unused_goes_first(root, index, monkeypatch):
    install(root, "nightly:20260701")
    (new,) = install(root, "nightly:20260905")
    size = sum(path.stat().st_size for path in (root / ".builds" / "wheels").glob("*/*.whl"))
    monkeypatch.setenv(LIMIT_VARIABLE, str((size - 1) / 1e9))
    told: list[str] = []
    install(root, "nightly:20260905", say=told.append)
    assert [release.name for release in kept_releases(root, "cpu")] == [f"v{NEW}"]
    assert any(f"{OLD} is not kept any more" in line for line in told)
    assert [path.name for path in (root / ".environments").glob("tf-*")] == [new.name]
    assert versions(new)["gast"] == "0.6.0"  # which both had: a wheel goes with the last that needs it
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with pytest.raises(UsageError, match="'much' is no number of gigabytes"):
        install(root, "nightly:20260905")


def test_nothing_ever_writes_into_what_an_environment_shares_with_the_cache(root, index, tmp_path):
    (before,) = install(root, "nightly:20260701")
    shared = next(before.python.parents[1].glob("lib/*/site-packages/gast.py"))
    assert shared.stat().st_nlink > 1
    cached = [path for path in (tmp_path / "index" / "cache").rglob("gast.py") if path.samefile(shared)]
    install(root, "nightly:20260701", "nightly:20260905")
    shutil.rmtree(before.python.parents[1])
    assert {path.read_text() for path in cached} == {"version = '0.6.0'\n"}


def test_no_address_of_the_index_is_stored(root, index, tmp_path):
    install(root, "nightly")
    stored = [path for path in (root / ".builds" / "releases").rglob("*") if path.is_file()]
    assert len(stored) == 2
    assert not any(str(tmp_path / "index") in path.read_text() for path in stored)


# Interpreters


def test_an_interpreter_is_a_subject_by_its_path(root, index):
    (environment,) = install(root, "nightly")
    release = chosen_subjects(root, [str(environment.python)], "cpu")[0][0]
    assert (release.python, release.version, str(release.date)) == (environment.python, NEW, "2026-09-05")
    again = chosen_subjects(root, [str(environment.python)], "cpu")[0][0]
    assert (again.name, again.ident) == (release.name, release.ident)
    assert install(root, str(environment.python))[0].version == NEW


def test_a_registered_interpreter_is_found_by_its_path_too(root, index):
    with (root / "releases.toml").open("a") as file:
        file.write(f'\n[[release]]\nname = "vendor"\npython = "{sys.executable}"\ndate = 2026-01-01\n')
    assert one(root, sys.executable) == "vendor"


# Results that exist


def test_names_of_results_are_found_without_the_index(root, index):
    index.use("http://127.0.0.1:9/simple")
    measured = [
        {"name": f"v{version}", "release": f"v{version}", "version": version} for version in ("2.21.0", OLD, NEW)
    ]
    assert subject_name(root, "nightly", measured) == f"v{NEW}"
    assert subject_name(root, "nightly:20260701", measured) == f"v{OLD}"
    assert subject_name(root, OLD, measured) == f"v{OLD}"
    assert subject_name(root, "2.21", measured) == "v2.21.0"
    with pytest.raises(UsageError, match="There is no nightly:20260102 among what was measured"):
        subject_name(root, "nightly:20260102", measured)


# New releases


def test_sync_adds_what_is_new_and_nothing_twice(root, index, capsys):
    for version in (
        "2.20.0",
        "2.21.0",
        "2.21.1",
        "2.22.0rc0",
        "2.22.0rc1",
        "2.22.0",
        "2.23.0rc0",
        "2.23.0.dev20261026",
    ):
        index.add("tensorflow", version)
    assert main(["releases", "sync", "--dry-run"]) == 0
    assert "Would add v2.21.1" in capsys.readouterr().out
    assert (root / "releases.toml").read_text() == ENTRY
    assert main(["releases", "sync"]) == 0
    names = {release.name for release in read_manifest(root / "releases.toml").releases}
    assert names == {"v2.21.0", "v2.21.1", "v2.22.0", "v2.23.0rc0"}
    assert read_manifest(root / "releases.toml").find("2.22").newest_python == MINOR
    assert main(["releases", "sync"]) == 0
    assert "has all stable releases and candidates" in capsys.readouterr().out


def test_kept_builds_are_listed(root, index, capsys):
    install(root, "nightly")
    assert main(["releases", "list", "--format", "json", "--wheel", "cpu"]) == 0
    rows = json.loads(capsys.readouterr().out)["releases"]
    assert [row["name"] for row in rows] == ["v2.21.0", f"v{NEW}"]
    assert rows[1]["installed"] == describe(chosen_subjects(root, [NEW], "cpu")[0][0], root, wheel="cpu").installed
