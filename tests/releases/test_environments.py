"""Environments: what stands in a release's way, when one is made, reused or made anew; and binding interpreters."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from machine_pythons import machine_with

from harness.cli import main
from harness.commands.releases import add_release, list_releases
from harness.errors import UsageError
from harness.releases import environments, locks
from harness.releases.environments import ReleaseError, describe, obstacle, prepare
from harness.releases.installation import Installation
from harness.releases.locks import lock_path, read_lock
from harness.releases.manifest import read_manifest
from harness.releases.pythons import Python, running_python_minor
from harness.releases.release import Release
from harness.releases.uv_command import UvError

pytestmark = pytest.mark.python

MINOR = running_python_minor()
SHORT = f"py{MINOR.replace('.', '')}"
MANIFEST = f"""\
# kept as it is
policy = "today"

[[release]]
version = "2.21.0"
date = 2026-03-06
newest_python = "{MINOR}"
"""
LOCK = "# tensorflow-cpu==2.21.0\nkeras==3.15.1 \\\n    --hash=sha256:aa\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "releases.toml").write_text(MANIFEST)
    folder = tmp_path / "locks" / "today"
    folder.mkdir(parents=True)
    (folder / f"2.21.0-cpu-{SHORT}.txt").write_text(LOCK)
    return tmp_path


@pytest.fixture
def release(root: Path) -> Release:
    return read_manifest(root / "releases.toml").find("2.21")


@pytest.fixture
def uv_calls(monkeypatch) -> list[list[str]]:
    """Stand-in for uv: makes the interpreter that `uv venv` would make, and notes every call."""
    calls: list[list[str]] = []

    def run_uv(arguments, *, root, stdin=""):
        calls.append(list(arguments))
        if arguments[0] == "venv":
            binaries = Path(arguments[-1]) / "bin"
            binaries.mkdir(parents=True)
            (binaries / "python").symlink_to(sys.executable)
        return ""

    monkeypatch.setattr(environments, "run_uv", run_uv)
    return calls


def interpreter(tmp_path: Path, body: str, name: str = "python") -> Path:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_made_once_and_reused(root, release, uv_calls):
    told: list[str] = []
    first = prepare(release, root, wheel="cpu", say=told.append)
    assert first.name == f"tf-2.21.0-cpu-today-{SHORT}"
    assert first.python == root / ".environments" / first.name / "bin" / "python"
    assert (first.keras, first.policy, first.wheel, first.installed) == ("3.15.1", "today", "cpu", True)
    assert len(told) == 1
    assert "v2.21.0" in told[0]
    sync = uv_calls[-1]
    assert {"--require-hashes", "--compile-bytecode", "hardlink"} <= set(sync)
    count = len(uv_calls)
    assert prepare(release, root, wheel="cpu", say=told.append) == first
    assert len(uv_calls) == count
    assert len(told) == 1


def test_a_changed_lock_makes_it_anew(root, release, uv_calls):
    before = prepare(release, root, wheel="cpu")
    lock = root / "locks" / "today" / f"2.21.0-cpu-{SHORT}.txt"
    lock.write_text(LOCK.replace("3.15.1", "3.15.2"))
    assert not describe(release, root, wheel="cpu").installed
    after = prepare(release, root, wheel="cpu")
    assert after.lock_digest != before.lock_digest
    assert after.keras == "3.15.2"
    assert [call[0] for call in uv_calls] == ["venv", "pip", "venv", "pip"]


def test_an_interrupted_install_is_never_taken_for_a_whole_one(root, release, uv_calls, monkeypatch):
    whole = environments.run_uv

    def interrupted(arguments, *, root, stdin=""):
        if arguments[0] == "pip":
            raise KeyboardInterrupt
        return whole(arguments, root=root)

    monkeypatch.setattr(environments, "run_uv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(release, root, wheel="cpu")
    assert (root / ".environments" / f"tf-2.21.0-cpu-today-{SHORT}" / "bin" / "python").exists()
    assert not describe(release, root, wheel="cpu").installed
    monkeypatch.setattr(environments, "run_uv", whole)
    assert prepare(release, root, wheel="cpu").installed


def test_a_vanished_interpreter_makes_it_anew(root, release, uv_calls):
    python = prepare(release, root, wheel="cpu").python
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert not describe(release, root, wheel="cpu").installed
    assert prepare(release, root, wheel="cpu").installed


def test_a_failed_install_says_why_and_leaves_nothing(root, release, uv_calls, monkeypatch):
    def fail(arguments, *, root, stdin=""):
        raise UvError("Failed to fetch keras")

    monkeypatch.setattr(environments, "run_uv", fail)
    with pytest.raises(ReleaseError, match=r"v2\.21\.0 could not be installed: Failed to fetch keras"):
        prepare(release, root, wheel="cpu")
    assert not (root / ".environments" / f"tf-2.21.0-cpu-today-{SHORT}").exists()


def test_too_little_disk_is_said_before_anything_is_installed(root, release, uv_calls, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 5 * 10**8))
    with pytest.raises(ReleaseError, match=r"v2\.21\.0 needs about 1\.4 GB .* only 0\.5 GB are free"):
        prepare(release, root, wheel="cpu")
    assert uv_calls == []


def test_other_platforms_are_named(release, monkeypatch):
    monkeypatch.setattr(environments.platform, "machine", lambda: "aarch64")
    assert "only be measured on Linux x86-64, and this is linux aarch64" in str(obstacle(release))


def test_a_missing_lock_is_made_kept_and_said(root, release, uv_calls, monkeypatch):
    def make_lock(root, release, wheel, policy, minor, beside=()):
        path = lock_path(root, release, wheel, policy, minor)
        path.write_text(LOCK)
        return read_lock(path), True

    monkeypatch.setattr(locks, "make_lock", make_lock)
    told: list[str] = []
    environment = prepare(release, root, wheel="cuda", say=told.append)
    kept = f"locks/today/2.21.0-cuda-{SHORT}.txt"
    assert f"v2.21.0 has no lock yet for the cuda wheel, policy today, Python {MINOR}" in told[0]
    assert told[0].endswith(f"it is kept in {kept}")
    assert environment.lock_digest == read_lock(root / kept).digest
    assert environment.installed


def test_what_cannot_be_resolved_leaves_no_lock_behind(root, release, uv_calls, monkeypatch):
    def make_lock(root, release, wheel, policy, minor, beside=()):
        path = lock_path(root, release, wheel, policy, minor)
        path.write_text("# title\n# unresolvable: There is no such version.\n")
        return read_lock(path), True

    monkeypatch.setattr(locks, "make_lock", make_lock)
    with pytest.raises(ReleaseError, match=r"cannot be installed as cuda wheel .* There is no such version"):
        prepare(release, root, wheel="cuda")
    assert [path.name for path in (root / "locks" / "today").iterdir()] == [f"2.21.0-cpu-{SHORT}.txt"]
    assert uv_calls == []


def test_an_unresolvable_lock_gives_its_reason(root, release, uv_calls):
    lock = root / "locks" / "today" / f"2.21.0-cuda-{SHORT}.txt"
    lock.write_text("# title\n# unresolvable: Because tensorrt has no wheels.\n")
    with pytest.raises(ReleaseError, match=r"cannot be installed as cuda wheel .* Because tensorrt has no wheels"):
        prepare(release, root, wheel="cuda")


def test_wheel_and_policy_are_checked(root, release, monkeypatch):
    with pytest.raises(UsageError, match="kind of wheel"):
        describe(release, root, wheel="tpu")
    with pytest.raises(UsageError, match="policy must be"):
        describe(release, root, wheel="cpu", policy="yesterday")
    monkeypatch.setenv(environments.WHEEL_VARIABLE, "cuda")
    assert describe(release, root).wheel == "cuda"


def test_add_binds_an_interpreter_and_keeps_the_file(root, capsys):
    found = json.dumps({"tensorflow": "2.21.0", "keras": "3.15.1", "python": "3.11"})
    identity = json.dumps({"tensorflow": "sha256:aa", "keras": "3.15.1"})
    python = interpreter(root, f"echo 'PROBED {found}'; echo 'INSTALLED {identity}'")
    assert add_release(root, python=python, name="vendor") == 0
    assert "TensorFlow 2.21.0 with Keras 3.15.1" in capsys.readouterr().out
    assert (root / "releases.toml").read_text().startswith(MANIFEST)
    added = read_manifest(root / "releases.toml").find("vendor")
    assert (added.python, added.date) == (python, datetime.date(2026, 3, 6))
    environment = prepare(added, root)
    assert (environment.name, environment.python, environment.lock_digest) == ("python-vendor", python, None)
    script = f"sha256:{hashlib.sha256(python.read_bytes()).hexdigest()}"
    assert environment.installation == Installation("sha256:aa", "3.15.1", script)
    for name, message in (("vendor", "has a release 'vendor' already"), ("other", "as 'vendor'"), ("v2.3", "version")):
        with pytest.raises(UsageError, match=message):
            add_release(root, python=python, name=name)


def says(tmp_path: Path, version: str, before: str = "", after: str = "", name: str = "python") -> Path:
    """Return an interpreter that gives TensorFlow's version, with noise on the same line."""
    found = json.dumps({"tensorflow": version, "keras": None, "python": "3.11"})
    identity = json.dumps({"tensorflow": "sha256:aa", "keras": None})
    body = f"printf '%b' '{before}'; printf '%s' 'PROBED {found}INSTALLED {identity}'; printf '%b' '{after}'"
    return interpreter(tmp_path, body, name)


@pytest.mark.parametrize(
    ("said", "version", "date"),
    [
        ("2.22.0-dev20260905", "2.22.0.dev20260905", datetime.date(2026, 9, 5)),
        ("2.21.0+nv26.3", "2.21.0+nv26.3", datetime.date(2026, 3, 6)),
        ("2.21.0.post1", "2.21.0.post1", datetime.date(2026, 3, 6)),
        ("2.22.0-rc1", "2.22.0rc1", None),
        ("2.22.0-dev0+selfbuilt", "2.22.0.dev0+selfbuilt", None),
        ("unknown", None, None),
    ],
)
def test_add_records_the_version_and_the_day_that_it_means(root, said, version, date, capsys):
    assert add_release(root, python=says(root, said), name="tonight") == 0
    added = read_manifest(root / "releases.toml").find("tonight")
    assert (added.version, added.date) == (version, date or datetime.datetime.now(datetime.UTC).date())
    assert ("'unknown', which no Python package can have" in capsys.readouterr().err) == (version is None)


def test_what_else_an_interpreter_prints_is_no_answer(root):
    python = says(root, "2.21.0", "welcome \\377\\0 PROBED ", "bye PROBED {not ours}\\n{}\\377")
    assert add_release(root, python=python, name="vendor") == 0
    assert prepare(read_manifest(root / "releases.toml").find("vendor"), root).installation is not None


def test_add_keeps_every_byte_of_the_file(root):
    path = root / "releases.toml"
    before = b"\xef\xbb\xbf" + MANIFEST.replace("\n", "\r\n").encode()
    path.write_bytes(before)
    folder = root / 'größe "and" space\\'
    folder.mkdir()
    python = says(folder, "2.21.0")
    assert add_release(root, python=python, name="vendor") == 0
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == after.count(b"\r\n")
    assert prepare(read_manifest(path).find("vendor"), root).python == python


def test_add_warns_of_two_tensorflows_in_one_place(root, capsys):
    found = json.dumps({"tensorflow": "2.21.0", "keras": None, "python": "3.11"})
    owners = {"tensorflow": ["tensorflow-cpu 2.20.0", "tf-nightly 2.22.0.dev20261126"]}
    identity = json.dumps({"tensorflow": "sha256:aa", "keras": None, "owners": owners})
    assert add_release(root, python=interpreter(root, f"echo 'PROBED {found} INSTALLED {identity}'"), name="two") == 0
    told = capsys.readouterr().err
    assert told.startswith("Warning: two: tensorflow-cpu 2.20.0 and tf-nightly 2.22.0.dev20261126 are both installed")


@pytest.mark.parametrize("text", ["2026-02-30", "yesterday"])
def test_a_date_that_is_none_says_how_to_write_one(text, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["releases", "add", "--python", "python", "--name", "vendor", "--date", text])
    assert ended.value.code == 3
    assert f"'{text}' is not a date: write it as 2026-03-06" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "path", "date", "message"),
    [
        ("V2.3", "python", None, "must not look like a version"),
        ("LATEST", "python", None, "has a release 'latest' already"),
        ("other", "python\udcff", None, "has characters that are no text"),
        ("other", "~nobody-at-all/python", None, "cannot be started: it is not there"),
        ("other", "python", datetime.date(1, 1, 1), "must lie between 2015-11-09"),
    ],
)
def test_add_refuses_what_no_entry_can_hold(root, name, path, date, message):
    add_release(root, python=says(root, "2.21.0", name="first"), name="latest")
    with pytest.raises(UsageError, match=message):
        add_release(root, python=root / path if path[0] != "~" else Path(path), name=name, date=date)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "echo \"ModuleNotFoundError: No module named 'tensorflow'\" >&2; exit 1",
            "cannot import TensorFlow: ModuleNot",
        ),
        ("kill -ILL $$", r"killed by SIGILL \(the CPU lacks instructions that this build uses\)\. .* or give another"),
        ("sh -c 'kill -ILL $$'; exit $?", "killed by SIGILL"),  # of a shell's child, as a shell tells it
        ("exit 7", "it ended with exit code 7 and said nothing"),
        ("exit 0", "ran and did not answer: give the path of a Python interpreter"),
        ("printf 'no text: \\377\\376' >&2; exit 1", "cannot import TensorFlow: no text:"),
    ],
)
def test_add_refuses_an_interpreter_without_tensorflow(root, body, message):
    with pytest.raises(UsageError, match=message):
        add_release(root, python=interpreter(root, body), name="vendor")
    assert (root / "releases.toml").read_text() == MANIFEST


def test_what_cannot_be_started_says_why(root):
    script = interpreter(root, "exit 0", "no-permission")
    script.chmod(0o644)
    (root / "venv" / "bin").mkdir(parents=True)
    interpreter(root / "venv" / "bin", "exit 0")
    (root / "dangling").symlink_to("/nowhere/python3")
    interpreter(root, "", "no-program").write_text("#!/nowhere/sh\n")
    interpreter(root, "", "no-script").write_bytes(b"MZ\x90\x00")
    for name, words in (
        ("nothing", "it is not there"),
        ("no-permission", "it may not be executed, which `chmod \\+x` would allow"),
        ("venv", "it is a folder, and its bin/python is meant"),
        ("dangling", "it is a link to /nowhere/python3, which is not there"),
        ("no-program", "it names a program in its first line that is not there"),
        ("no-script", "it is no program for this machine"),
    ):
        with pytest.raises(UsageError, match=f"{name} cannot be started: {words}"):
            add_release(root, python=root / name, name="vendor")
    for name, words in (("venv", "bin/python is meant"), ("no-permission", "may not be executed")):
        bound = Release("vendor", None, datetime.date(2026, 1, 1), root / name, "0" * 40)
        assert words in str(obstacle(bound))
        assert not describe(bound, root).installed


def test_an_interpreter_that_has_gone_is_an_obstacle(root):
    gone = Release("vendor", None, datetime.date(2026, 1, 1), Path("/nowhere/python"), "0" * 40)
    with pytest.raises(ReleaseError, match=r"interpreter of vendor cannot be started: /nowhere/python is not there"):
        prepare(gone, root)


def test_list_as_json_names_interpreters_and_what_is_installed(root, release, uv_calls, capsys):
    list_releases(root, style="json", wheel="cpu")
    row = json.loads(capsys.readouterr().out)["releases"][0]
    assert row["interpreter"].endswith(f".environments/tf-2.21.0-cpu-today-{SHORT}/bin/python")
    assert (row["name"], row["installed"], row["locked"], row["keras"]) == ("v2.21.0", False, True, "3.15.1")
    prepare(release, root, wheel="cpu")
    list_releases(root, style="json", wheel="cpu")
    assert json.loads(capsys.readouterr().out)["releases"][0]["installed"] is True
    list_releases(root, wheel="cpu")
    assert "installed" in capsys.readouterr().out


def test_a_python_that_uv_fetches_is_said_first(root, release, uv_calls, monkeypatch):
    order: list[str] = []

    def fetch_python(minor: str) -> Python:
        order.append(f"fetched {minor}")
        return Python(minor, f"{minor}.9", Path("/fetched/python"))

    machine_with(monkeypatch, "3.99", fetchable=[MINOR])
    monkeypatch.setattr(environments, "fetch_python", fetch_python)
    prepare(release, root, wheel="cpu", say=order.append)
    assert order[0] == f"Python {MINOR} is not on this machine: uv fetches it, about 30 MB"
    assert order[1] == f"fetched {MINOR}"
    assert uv_calls[0][:3] == ["venv", "--python", "/fetched/python"]
    stamp = root / ".environments" / f"tf-2.21.0-cpu-today-{SHORT}" / "savedmodel-bench.json"
    assert json.loads(stamp.read_text())["python"] == f"{MINOR}.9"
