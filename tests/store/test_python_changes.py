"""Numbers of two Pythons share no row, and where the Python changed is told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import MACHINE, NEW, OLD, block_end, blocks, project_root, repeat, store_run

from harness.answers.summary import summary
from harness.cli import main
from harness.releases.manifest import read_manifest
from harness.store.resuming import why_not_resumable
from harness.store.runs import RunDirectory


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", MACHINE)
    monkeypatch.chdir(tmp_path)
    return project_root(tmp_path)


def under(python: str | None, run: RunDirectory, **facts: Any) -> RunDirectory:
    """Say of a stored run that all of its subjects were measured under another Python."""
    short = f"py{python.replace('.', '')}" if python else "py311"
    return run.updated(
        subjects=[
            {**one, "python": python, "environment": one["environment"].replace("py311", short), **facts}
            for one in run.facts["subjects"]
        ]
    )


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def both_loads(again: float) -> list[dict[str, Any]]:
    """Return three blocks in which the first load takes a second and the second one `again`."""
    records = []
    for block in range(3):
        for metric, seconds in (("load_warm_s", 1.0), ("load_again_s", again)):
            records.append(repeat(seconds, metric=metric, subject=NEW, block=block))
        records.append(block_end(block))
    return records


def test_medians_of_an_interpreter_that_got_another_python_are_two_columns(root: Path) -> None:
    for python, value in ((None, 1.0), ("3.11", 2.0), ("3.12", 3.0)):
        run = store_run(root, blocks({NEW: [value]}), subjects=(NEW,))
        under(python, run, environment="python-vendor", wheel=None, policy=None)
    table = summary(root)
    columns = [f"{NEW} [python-vendor{end}]" for end in ("", "-py311", "-py312")]
    assert list(table.columns) == columns
    assert table.iloc[0].tolist() == [1.0, 2.0, 3.0]


def test_ratios_of_two_pythons_are_two_rows(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, both_loads(0.1), subjects=(NEW,))
    (alone,) = json.loads(told(capsys, "ratios", "--format", "json"))["ratios"]
    assert alone["subject"] == NEW
    under("3.13", store_run(root, both_loads(0.4), subjects=(NEW,)))
    found = json.loads(told(capsys, "ratios", NEW, "--format", "json"))["ratios"]
    assert {one["subject"]: (round(one["ratio"], 6), one["blocks"]) for one in found} == {
        f"{NEW} [Python 3.11]": (0.1, 3), f"{NEW} [Python 3.13]": (0.4, 3),
    }  # fmt: skip


def test_a_promise_kept_under_one_python_is_not_kept_under_another(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for python, broken in (("3.11", 1), ("3.13", 0)):
        entry = {"metric": "resume_broken_promises", "value": broken, "way": "train-signature"}
        records = [repeat(None, operation="resume", subject=NEW) | {"metrics": [entry], "evidence": {}}, block_end()]
        under(python, store_run(root, records, subjects=(NEW,)))
    document = json.loads(told(capsys, "promises", "--format", "json"))
    states = {one["subject"]: one["state"] for one in document["promises"]}
    assert states == {f"{NEW} [Python 3.11]": "not kept", f"{NEW} [Python 3.13]": "kept"}
    assert told(capsys, "promises").index("[Python 3.11]") < told(capsys, "promises").index("[Python 3.13]")


def test_history_has_no_course_over_two_pythons_and_says_where_it_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every release takes half as long again under 3.13: nothing that TensorFlow did."""
    releases = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(2)

    def series(level: float) -> dict[str, list[float]]:
        return {name: [float(each) for each in level * np.exp(random.normal(0, 0.01, 3))] for name in releases}

    store_run(root, blocks(series(1.0)), subjects=releases)
    later = under("3.13", store_run(root, blocks(series(1.5)), subjects=releases))
    document = json.loads(told(capsys, "history", "--format", "json"))
    sections = {section["axis"]: section for section in document["sections"]}
    assert [section["findings"] for section in sections.values()] == [[], []]
    assert sections["releases"]["courses"] == 2
    (changed,) = sections["nights"]["pythons"]
    assert changed == {
        "machine": MACHINE, "subjects": releases, "before": "3.11", "after": "3.13", "run": later.run,
    }  # fmt: skip
    assert [(one["python"], one["subjects"]) for one in sections["releases"]["pythons"]] == [
        ("3.11", releases), ("3.13", releases),
    ]  # fmt: skip
    text = " ".join(told(capsys, "history").split())
    assert f"with Python 3.13 since run {later.run}, with Python 3.11 before. No series contains both." in text


def test_what_the_python_changed_is_no_finding_of_the_releases(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The older releases were measured under 3.11, the newer under 3.13, where everything takes half as long again."""
    releases = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(2)
    for python, level, names in (("3.11", 1.0, releases[:5]), ("3.13", 1.5, releases[5:])):
        series = {name: [float(each) for each in level * np.exp(random.normal(0, 0.01, 3))] for name in names}
        under(python, store_run(root, blocks(series), subjects=names))
    text = " ".join(told(capsys, "history").split())
    assert "Over releases: no change of more than 5 % in 2 series" in text
    assert f"{MACHINE}: measured with Python 3.11: {', '.join(releases[:5])}." in text
    assert f"{MACHINE}: measured with Python 3.13: {', '.join(releases[5:])}." in text


def test_a_finding_is_measured_again_under_its_own_python(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    releases = [release.name for release in read_manifest(root / "releases.toml").releases]
    random = np.random.default_rng(2)
    levels = {name: 2.0 if place >= len(releases) - 3 else 1.0 for place, name in enumerate(releases)}
    series = {
        name: [float(each) for each in level * np.exp(random.normal(0, 0.01, 3))] for name, level in levels.items()
    }
    under("3.12", store_run(root, blocks(series), subjects=releases))
    document = json.loads(told(capsys, "history", "--format", "json"))
    (finding,) = document["sections"][0]["findings"]
    assert finding["environment"] == "cpu today py3.12"
    assert "--python 3.12" in finding["command"]
    assert shlex.split(finding["command"])[1:2] == ["compare"]


def test_another_python_is_another_run(root: Path) -> None:
    def parts(short: str, lock: str) -> dict[str, Any]:
        names = (OLD, NEW)
        return {
            "subjects": dict.fromkeys(names, "id"),
            "environments": {name: f"tf-{name[1:]}-cpu-today-{short}" for name in names},
            "locks": dict.fromkeys(names, lock),
        }

    run = store_run(root, [], state="interrupted", parts=parts("py311", "a"))
    assert why_not_resumable(root, MACHINE, "compare", "quick", parts("py313", "b")) == (
        f"Run {run.run} cannot be continued: v2.20.0 was in tf-2.20.0-cpu-today-py311 and is in "
        "tf-2.20.0-cpu-today-py313; v2.21.0 was in tf-2.21.0-cpu-today-py311 and is in tf-2.21.0-cpu-today-py313."
    )
