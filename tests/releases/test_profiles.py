"""Profiles: a release under named settings as a subject of its own, through the command line."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import add_release, has_measured, make_project, tensorflow_python, write_preset

from harness.cli import main
from harness.measure.preset_files import read_preset
from harness.releases.environments import ReleaseError, describe
from harness.releases.profiles import find_profile, with_profile
from harness.releases.release import Release

COMMAND = Path(sys.executable).with_name("savedmodel-bench")


def _call(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], cwd=root, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_project(tmp_path / "project")
    add_release(root, "tf", python=Path(sys.executable))
    monkeypatch.chdir(root)
    return root


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("tf@xlaa", "There is no profile 'xlaa': choose one of xla, onednn-off, legacy-keras"),
        ("@xla", "'@xla' does not name a release"),
        ("tf@xla@xla", "does not name a release"),
        ("tg@xla", "tg"),
    ],
)
def test_a_wrong_subject_is_one_sentence(capsys: pytest.CaptureFixture[str], subject: str, words: str) -> None:
    assert main(["run", subject, "--dry-run"]) == 3
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mine]\nvariable = {}", "profile [mine] has an unknown field 'variable'"),
        ("[mine]\nvariables = { A = 1 }", "`variables` must be a table of texts"),
        ("[xla]\nvariables = { A = '1' }", "the profile [xla] is there already"),
        ("[mine", "is not a TOML file"),
        ("[mine]\ntitle = 'nothing'", "changes nothing"),
        ("[mine]\nvariables = { 'A=B' = '1' }", "'A=B' = '1' cannot be set as an environment variable"),
        ("[mine]\npackages = ['tf_keras=={major}.*']", "has a placeholder other than {minor}"),
    ],
)
def test_a_malformed_file_of_profiles_names_its_place(
    root: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (root / "profiles.toml").write_text(text)
    assert main(["run", "tf@onednn-off", "--dry-run"]) == 3
    told = capsys.readouterr().err
    assert words in told
    assert "profiles.toml" in told


def test_a_profile_for_a_version_that_nobody_knows_is_one_sentence(root: Path) -> None:
    unknown = Release("tf", None, datetime.date(2026, 3, 6), Path(sys.executable), "0" * 40)
    with pytest.raises(ReleaseError, match=r"tf cannot be measured under legacy-keras: .* add `version` to its entry"):
        with_profile(describe(unknown, root), find_profile(root, "legacy-keras"), root)


def test_a_byte_order_mark_before_a_users_own_files_is_no_fault(root: Path) -> None:
    mark = b"\xef\xbb\xbf"
    (root / "profiles.toml").write_bytes(mark + b'[mine]\nvariables = { A = "1" }\n')
    assert find_profile(root, "mine").variables == {"A": "1"}
    preset = Path(write_preset(root))
    preset.write_bytes(mark + preset.read_bytes())
    assert read_preset(str(preset)).name == "faults"


def test_own_profiles_are_subjects_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "profiles.toml").write_text('[one-thread]\nvariables = { OMP_NUM_THREADS = "1" }\n')
    assert main(["compare", "tf", "tf@one-thread", "--dry-run"]) == 0
    assert "Subjects: tf, tf@one-thread;" in capsys.readouterr().out


@pytest.mark.tensorflow
@pytest.mark.python
def test_workers_see_what_their_profile_sets_and_the_report_says_so(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "tf", python=tensorflow_python())
    subjects = ["tf", "tf@onednn-off", "tf@legacy-keras"]
    preset = root / "faults.toml"
    write_preset(root)
    preset.write_text(preset.read_text().replace('"tf-module"', '["tf-module", "keras-save-tf"]'))
    done = _call(root, "run", *subjects, "--preset", str(preset))
    assert has_measured(done), done.stderr
    (run,) = (root / "results" / "runs").glob("*/*")
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    seen: dict[str, dict[str, Any]] = {
        record["subject"]: record["provenance"] for record in records if record.get("provenance")
    }
    assert "TF_ENABLE_ONEDNN_OPTS" not in seen["tf"]["variables"]
    assert seen["tf@onednn-off"]["variables"]["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert seen["tf"]["keras"].startswith("3.")
    assert seen["tf@legacy-keras"]["keras"].startswith("2.")
    # What Keras 3 no longer writes, Keras 2 on the same TensorFlow does.
    outcomes = {
        record["subject"]: record["status"]
        for record in records
        if record.get("operation") == "save" and record["cell"]["writer"] == "keras-save-tf"
    }
    assert outcomes == {"tf": "unsupported", "tf@onednn-off": "unsupported", "tf@legacy-keras": "ok"}
    stored = {subject["name"]: subject for subject in json.loads((run / "run.json").read_text())["subjects"]}
    assert stored["tf@onednn-off"]["variables"] == {"TF_ENABLE_ONEDNN_OPTS": "0"}
    assert stored["tf@legacy-keras"]["packages"]["tf_keras"].startswith("2.21.")
    compared = _call(root, "compare", "tf", "tf@onednn-off", "--run", str(run))
    told = " ".join(compared.stdout.split())
    assert "The two also differ in profile (none, onednn-off), which may be the cause." in told
