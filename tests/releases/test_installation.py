"""A release bound to an interpreter: what tells its builds apart, and that two of them never become one run."""

from __future__ import annotations

import json
import os
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from stored_runs import MACHINE, NEW, OLD, blocks, project_root, store_run

from harness.cli import main
from harness.errors import UsageError
from harness.machine.identity import describe_machine
from harness.measure.narrowing import narrow
from harness.measure.plan import Plan, name_subjects
from harness.measure.preset_files import read_preset
from harness.releases.environments import prepare
from harness.releases.fitness import release_findings
from harness.releases.installation import find_installation
from harness.releases.manifest import read_manifest
from harness.store.resuming import why_not_resumable

pytestmark = pytest.mark.python

RECORD = "tensorflow/__init__.py,sha256=aa,10\ntensorflow/libtensorflow_cc.so.2,sha256=bb,4\n"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter with an installed package `tensorflow` that nobody could import: it is told from its files."""
    folder = tmp_path / "vendor"
    venv.create(folder, symlinks=True, with_pip=False)
    package = site(folder / "bin" / "python") / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('nobody may import this')\n")
    (package / "libtensorflow_cc.so.2").write_bytes(b"\x7fELF")
    (package / "version.py").write_text("")
    for name, record in (("tensorflow_cpu-2.21.0", RECORD), ("keras-3.15.1", "keras/__init__.py,sha256=cc,1\n")):
        (package.parent / f"{name}.dist-info").mkdir()
        (package.parent / f"{name}.dist-info" / "RECORD").write_text(record)
    return folder / "bin" / "python"


def site(python: Path) -> Path:
    (found,) = (python.parent.parent / "lib").glob("python*/site-packages")
    return found


def another_wheel(python: Path) -> None:
    (site(python) / "tensorflow_cpu-2.21.0.dist-info" / "RECORD").write_text(RECORD.replace("bb", "b1"))


def rebuilt_in_place(python: Path) -> None:
    later = time.time_ns() + 10**9
    os.utime(site(python) / "tensorflow" / "libtensorflow_cc.so.2", ns=(later, later))


def of_another_size(python: Path) -> None:
    library = site(python) / "tensorflow" / "libtensorflow_cc.so.2"
    before = library.stat()
    library.write_bytes(b"\x7fELF2")
    os.utime(library, ns=(before.st_atime_ns, before.st_mtime_ns))


def patched_start(python: Path) -> None:
    (site(python) / "tensorflow" / "__init__.py").write_text("raise ImportError('patched')\n")


def lost_library(python: Path) -> None:
    (site(python) / "tensorflow" / "libtensorflow_cc.so.2").unlink()


CHANGES = [another_wheel, rebuilt_in_place, of_another_size, patched_start, lost_library]


@pytest.mark.parametrize("change", CHANGES)
def test_another_build_has_another_identity(python: Path, change: Callable[[Path], None]) -> None:
    before = find_installation(python)
    assert before.keras == "3.15.1"
    assert find_installation(python) == before
    change(python)
    assert find_installation(python).tensorflow != before.tensorflow


def test_a_build_without_a_record_is_told_by_its_libraries(python: Path) -> None:
    (site(python) / "tensorflow_cpu-2.21.0.dist-info" / "RECORD").unlink()
    before = find_installation(python)
    assert find_installation(python) == before
    rebuilt_in_place(python)
    assert find_installation(python).tensorflow != before.tensorflow


def test_what_belongs_to_another_package_changes_nothing(python: Path) -> None:
    before = find_installation(python)
    (site(python) / "other").mkdir()
    (site(python) / "other" / "fast.so").write_bytes(b"\x7fELF")
    assert find_installation(python) == before


def distribution(python: Path, name: str, record: str) -> None:
    folder = site(python) / f"{name}.dist-info"
    folder.mkdir()
    (folder / "RECORD").write_text(record)


def test_two_tensorflows_in_one_folder_are_named(python: Path, tmp_path: Path) -> None:
    # None of these has installed anything into tensorflow/: Keras has a folder of this name of its own.
    distribution(python, "tf_keras-2.21.0", "tf_keras/__init__.py,,\n")
    distribution(python, "tensorflow_intel-2.21.0", "tensorflow_intel-2.21.0.dist-info/METADATA,,\n")
    distribution(python, "other-1.0", "other/src/backend/tensorflow/__init__.py,,\nother/tensorflow/__init__.py,,\n")
    distribution(python, "~ensorflow_cpu-2.20.0", RECORD)  # what pip leaves when it cannot remove one
    before = find_installation(python)
    assert (before.version, before.keras, before.warnings()) == ("2.21.0", "3.15.1", [])
    distribution(python, "tf_nightly-2.22.0.dev20260905", RECORD)
    distribution(python, "keras_nightly-3.16.0.dev1", "keras/__init__.py,sha256=cc,1\n")
    found = find_installation(python)
    assert (found.version, found.keras) == (None, None)
    tensorflow, keras = found.warnings()
    assert (
        "tensorflow-cpu 2.21.0 and tf-nightly 2.22.0.dev20260905 are both installed into the folder tens" in tensorflow
    )
    assert "keras 3.15.1 and keras-nightly 3.16.0.dev1 are both installed into the folder keras/" in keras
    assert "uninstall both, then install one" in tensorflow
    # Whoever prepares a run is told, and so is doctor.
    root = bound(tmp_path, python)
    told: list[str] = []
    prepare(read_manifest(root / "releases.toml").find("patched"), root, say=told.append)
    assert told == [f"patched: {tensorflow}", f"patched: {keras}"]
    findings = [one for one in release_findings(root) if one.code == "interpreters"]
    assert [one.text.partition(" are ")[0] for one in findings] == [line.partition(" are ")[0] for line in told]
    assert all(one.advice == "Uninstall both, then install one." for one in findings)


@pytest.mark.parametrize(
    ("said", "is_told"),
    [("2.21.0", False), ("2.21.0+nv26.3", False), ("2.21.0-rc1", True), ("2.20.0", True), ("unknown", True)],
)
def test_a_distribution_that_contradicts_its_tensorflow_is_told(python: Path, said: str, is_told: bool) -> None:
    warnings = find_installation(python).warnings(said)
    assert warnings == [] or f"says that it is {said}, but tensorflow-cpu 2.21.0 is installed" in warnings[0]
    assert bool(warnings) == is_told


def test_the_nightly_of_keras_is_its_keras(python: Path) -> None:
    (site(python) / "keras-3.15.1.dist-info").rename(site(python) / "keras_nightly-3.16.0.dev2026102704.dist-info")
    assert find_installation(python).keras == "3.16.0.dev2026102704"


def test_a_tensorflow_that_was_removed_in_part_says_so(python: Path) -> None:
    (site(python) / "tensorflow" / "__init__.py").unlink()
    with pytest.raises(UsageError, match=r"tensorflow/ has no __init__\.py, so that TensorFlow was removed or"):
        find_installation(python)


def test_a_report_says_what_is_wrong_with_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project_root(tmp_path / "project"))
    records = blocks({OLD: [1.0, 1.0], NEW: [1.0, 1.0]})
    records[0]["provenance"] = {"tensorflow": "2.19.0"}
    run = store_run(tmp_path / "project", records)
    one, other = (dict(subject) for subject in run.facts["subjects"])
    one["installation"] = {"tensorflow": "sha256:aa", "keras": None, "tensorflow_owners": ["tensorflow 2.20.0"]}
    owners = ["tensorflow-cpu 2.20.0", "tf-nightly 2.21.0"]
    other["installation"] = {**one["installation"], "tensorflow_owners": owners}
    run.updated(subjects=[one, other])
    main(["compare", OLD, NEW, "--run", str(run.path), "--format", "json"])
    notes = " ".join(json.loads(capsys.readouterr().out)["notes"])
    assert f"{OLD}: TensorFlow says that it is 2.19.0, but tensorflow 2.20.0 is installed" in notes
    assert f"{NEW}: tensorflow-cpu 2.20.0 and tf-nightly 2.21.0 are both installed" in notes


def test_a_release_dated_in_the_future_is_advice(tmp_path: Path) -> None:
    (tmp_path / "releases.toml").write_text('[[release]]\nversion = "2.21.0"\ndate = 2062-03-06\n')
    (found,) = [one for one in release_findings(tmp_path) if one.code == "dates"]
    assert found.text.startswith("v2.21.0 is dated 2062-03-06, which is in the future")


def bound(folder: Path, python: Path) -> Path:
    """Return a project whose release `patched` is bound to an interpreter; its version there is out of date."""
    (folder / "releases.toml").write_text(
        f'[[release]]\nname = "patched"\npython = "{python}"\nversion = "2.20.0"\ndate = 2026-03-06\n'
    )
    return folder


def test_what_is_installed_now_counts_and_not_what_was_when_it_was_added(python: Path, tmp_path: Path) -> None:
    root = bound(tmp_path, python)
    assert prepare(read_manifest(root / "releases.toml").find("patched"), root).version == "2.21.0"


def wrapped(python: Path, folder: Path) -> Path:
    """Return a script that starts the interpreter."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    script.chmod(0o755)
    return script


def test_a_script_that_starts_the_interpreter_is_told_apart_from_what_it_starts(python: Path, tmp_path: Path) -> None:
    bare, started = find_installation(python), find_installation(wrapped(python, tmp_path))
    assert bare.wrapper is None
    assert started.wrapper is not None
    assert started.tensorflow == bare.tensorflow


def test_an_editable_install_is_followed_to_its_sources(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site(python) / "tensorflow").rename(tmp_path / "tensorflow")
    with pytest.raises(UsageError, match="no module named 'tensorflow'"):
        find_installation(python)
    monkeypatch.chdir(tmp_path)  # a folder in which a command is typed is no place to import from
    with pytest.raises(UsageError, match="no module named 'tensorflow'"):
        find_installation(python)
    (site(python) / "tensorflow.pth").write_text(f"{tmp_path}\n")
    assert find_installation(python).tensorflow.startswith("sha256:")


def changed_script(script: Path) -> None:
    script.write_text(script.read_text().replace("exec", "export TF_ENABLE_ONEDNN_OPTS=0\nexec"))


@pytest.mark.parametrize(
    ("is_wrapped", "change", "what"),
    [
        (False, rebuilt_in_place, "the TensorFlow installed for"),
        (True, changed_script, "the script that starts"),
    ],
)
def test_blocks_of_another_build_are_never_added_to_those_before(
    python: Path, tmp_path: Path, is_wrapped: bool, change: Callable[[Path], None], what: str
) -> None:
    python = wrapped(python, tmp_path) if is_wrapped else python
    bound(tmp_path, python)

    def parts() -> dict[str, object]:
        environment = prepare(read_manifest(tmp_path / "releases.toml").find("patched"), tmp_path)
        preset = narrow(read_preset("quick"), devices=["cpu"])
        plan = Plan("compare", preset, name_subjects([environment]), describe_machine(MACHINE), 1, "fork")
        return plan.fingerprint_parts()

    first = parts()
    run = store_run(tmp_path, [], subjects=(), state="interrupted", parts=first)
    run = run.updated(subjects=[{"name": "patched"}])
    assert why_not_resumable(tmp_path, MACHINE, "compare", "quick", parts()) is None
    change(python)
    told = why_not_resumable(tmp_path, MACHINE, "compare", "quick", parts())
    assert told == f"Run {run.run} cannot be continued: {what} patched has changed."
