"""The promises of SavedModel: measured in real releases, one of them forgetful, and how they are told."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import add_release, around_load, has_measured, make_project, tensorflow_python
from shown import as_json, as_markdown, as_table
from stored_runs import MACHINE, block_end, project_root, repeat, store_run

from harness.answers.promises import Promises, promises
from harness.answers.provenance import Provenance
from harness.answers.sources import Telling
from harness.cli import main
from harness.report.document import Report
from harness.report.promises import report_promises

HERE = Provenance("calm-machine", False, "calm-machine", (("r1", 1),))
COMMAND = Path(sys.executable).with_name("savedmodel-bench")

FORGETFUL = around_load("""
    loaded = load(path)
    for variable in getattr(loaded, "variables_of_optimizer", []):
        variable.assign(variable * 0)
    return loaded
""")


def measured(root: Path, *names: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return (state, detail) of each promise by subject, writer and way, measured for the releases of a project."""
    for arguments in (
        ["run", *names, "--preset", "promises", "--model", "mlp-xs", "--blocks", "1"],
        ["promises", "--format", "json"],
    ):
        done = subprocess.run([COMMAND, *arguments], cwd=root, capture_output=True, text=True, timeout=300, check=False)
        assert has_measured(done), done.stderr
    return {
        (one["subject"], one["writer"], one["way"]): (one["state"], one["detail"])
        for one in json.loads(done.stdout)["promises"]
    }


def keeps_what_every_release_keeps(told: dict[tuple[str, str, str], tuple[str, str]], name: str) -> None:
    assert told[name, "tf-module", "train-signature"] == ("kept", "")
    assert told[name, "tf-save", "rebuilt-and-checkpoint"] == ("kept", "")
    assert told[name, "keras-export", "signature"] == ("not kept", "iterations, slots, losses")
    for writer in ("tf-module", "keras-export", "tf-save"):
        for kind in ("layer", "model"):
            assert told[name, writer, f"{kind}-signature"] == ("kept", "")


@pytest.mark.tensorflow
@pytest.mark.python
def test_each_release_is_told_what_it_keeps(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "keras-3", python=tensorflow_python())
    add_release(root, "forgetful", patch=FORGETFUL)
    told = measured(root, "keras-3", "forgetful")
    keeps_what_every_release_keeps(told, "keras-3")
    state, reason = told["keras-3", "keras-save-tf", "-"]
    assert state == "n/a"
    assert "ValueError: The `save_format` argument is deprecated" in reason
    state, reason = told["keras-3", "tf-module", "layer-load-model"]
    assert state == "n/a"
    assert "filepath=ARTIFACT.custom-layer. " in reason
    assert str(tmp_path) not in reason
    # Outputs alone do not show it; slots, iterations and losses do.
    assert told["forgetful", "tf-module", "train-signature"] == ("not kept", "iterations, slots, losses")
    assert told["forgetful", "tf-save", "rebuilt-and-checkpoint"] == ("kept", "")


@pytest.mark.tensorflow
def test_keras_2_is_told_what_it_keeps(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "keras-2", python=tensorflow_python("v2.15.1"))
    told = measured(root, "keras-2")
    keeps_what_every_release_keeps(told, "keras-2")
    # The half-kept promise: the state is on disk, and load_model alone does not restore it.
    assert told["keras-2", "keras-save-tf", "load-model"] == ("not kept", "iterations, slots, losses")
    assert told["keras-2", "keras-save-tf", "load-model-and-checkpoint"] == ("kept", "")


def _record(subject: str, value: float | None, **more: Any) -> dict[str, Any]:
    cell = {"device": "cpu", "model": "mlp-xs", "writer": "tf-module", "reader": "tf-load"}
    entry = {"metric": "resume_broken_promises", "value": value, "way": "train-signature"}
    return {
        "type": "repeat", "subject": subject, "operation": "resume", "status": "ok", "cell": cell,
        "metrics": [] if value is None else [entry], "absent": [], "evidence": {}, **more,
    }  # fmt: skip


def _stored(block: int, broken: Sequence[str], way: str = "train-signature", **more: Any) -> list[dict[str, Any]]:
    """Return a block in which a way to go on with training broke something."""
    entry = {"metric": "resume_broken_promises", "value": len(broken), "way": way}
    evidence = {f"resume {way}": {"broken": list(broken)}}
    return [
        repeat(None, operation="resume", block=block, **{"metrics": [entry], "evidence": evidence, **more}),
        block_end(block),
    ]


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", MACHINE)
    monkeypatch.chdir(tmp_path)
    return project_root(tmp_path)


def _told(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str, int, int]]:
    assert main(["promises", "--format", "json"]) == 0
    names = ("way", "state", "detail", "blocks_not_kept", "blocks")
    return [tuple(one[name] for name in names) for one in json.loads(capsys.readouterr().out)["promises"]]


def test_a_promise_is_kept_only_if_every_block_kept_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, [*_stored(0, ["slots"]), *_stored(1, ["slots", "losses"]), *_stored(2, [])])
    assert _told(capsys) == [("train-signature", "not kept", "slots, losses", 2, 3)]
    for form in ("table", "markdown"):
        assert main(["promises", "--format", form]) == 0
        shown = capsys.readouterr().out
        shown = " ".join(shown.replace("\\", "").split())
        broken = "the optimizer's slot variables, the losses of the next training steps (in 2 of 3 blocks)"
        assert f"not kept: {broken} [tf-module train-signature: v2.21.0]" in shown
    # Blocks of another run are other conditions: the newest run alone counts, and all its blocks agree.
    store_run(root, [*_stored(0, ["losses"]), *_stored(1, ["losses"])])
    assert _told(capsys) == [("train-signature", "not kept", "losses", 2, 2)]
    assert main(["promises"]) == 0
    assert "not kept: the losses of the next training steps [tf-module" in capsys.readouterr().out
    store_run(root, [*_stored(0, []), *_stored(1, [])])
    assert _told(capsys) == [("train-signature", "kept", "", 0, 2)]


def test_a_block_that_was_interrupted_tells_nothing_of_promises(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, [*_stored(0, []), *_stored(1, ["slots"])[:1]])
    assert _told(capsys) == [("train-signature", "kept", "", 0, 1)]


CRASHED = {"metrics": [], "status": "failed", "reason": "crash: SIGSEGV"}


def test_a_block_whose_repeat_failed_kept_no_promise(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, [*_stored(0, []), *_stored(1, [], **CRASHED)])
    assert _told(capsys) == [("train-signature", "not kept", "crash: SIGSEGV", 1, 2)]
    store_run(root, _stored(0, [], **CRASHED))
    assert _told(capsys) == [("train-signature", "not kept", "crash: SIGSEGV", 1, 1)]


def test_what_always_failed_is_told_without_its_ways(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, _stored(0, [], **CRASHED))
    assert _told(capsys) == [("-", "not kept", "crash: SIGSEGV", 1, 1)]
    assert main(["promises"]) == 0
    assert "not kept: crash: SIGSEGV [tf-module: v2.21.0]" in capsys.readouterr().out


def test_each_way_has_the_newest_run_of_its_own(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, [*_stored(0, ["slots"]), *_stored(1, [], way="load-model")])
    store_run(root, _stored(0, []))
    assert _told(capsys) == [("train-signature", "kept", "", 0, 1), ("load-model", "kept", "", 0, 1)]


def test_a_way_that_one_block_lacked_is_not_kept(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lacking = [{"metric": "resume_broken_promises", "way": "train-signature", "reason": "AttributeError: export"}]
    store_run(root, [*_stored(0, []), *_stored(1, [], metrics=[], absent=lacking)])
    assert _told(capsys) == [("train-signature", "not kept", "AttributeError: export", 1, 2)]
    store_run(root, _stored(0, [], metrics=[], absent=lacking))
    assert _told(capsys) == [("train-signature", "n/a", "AttributeError: export", 0, 1)]


def report_of(records: Sequence[dict[str, Any]], *subjects: str) -> Report:
    return report_promises(Promises(Telling(promises(records), HERE, ()), subjects))


def test_what_cannot_be_saved_is_absent_in_every_way_and_said_once() -> None:
    records = [
        _record("a", 0),
        _record("b", None, operation="save", status="unsupported", reason="AttributeError: export"),
    ]
    text = as_table(report_of(records, "a", "b"))
    (row,) = (line for line in text.splitlines() if "mlp-xs" in line)
    assert row.split() == ["resume", "training", "mlp-xs", "tf-module", "train-signature", "kept", "n/a"]
    assert text.count("AttributeError: export") == 1


def test_without_records_the_command_that_makes_some_is_named() -> None:
    assert "--preset promises" in as_table(report_of([]), 200)


KERAS = (
    "unsupported: ValueError: File format not supported: filepath=ARTIFACT.custom-{kind}. Keras 3 only supports V3 "
    "`.keras` files, legacy H5 format files. Note that the legacy SavedModel format is not supported."
)
ENDLESS = "InvalidArgumentError: cannot compute " + "as input was expected to be a float tensor " * 6


def _refusals() -> list[dict[str, Any]]:
    """Return records of Keras's refusal of two models by two writers in two releases."""
    records = []
    for model, writer, subject in itertools.product(("mlp-xs", "conv-xs"), ("tf-module", "tf-save"), ("a", "b")):
        cell = {"device": "cpu", "model": model, "writer": writer, "reader": "tf-load"}
        absent = [
            {"metric": "custom_code_broken_promises", "way": f"{kind}-load-model", "reason": KERAS.format(kind=kind)}
            for kind in ("layer", "model")
        ]
        records.append(_record(subject, None, operation="custom-code", cell=cell, absent=absent))
    return records


def test_a_reason_is_one_line_with_the_ways_and_releases_that_have_it() -> None:
    text = as_table(report_of(_refusals(), "a", "b"), 400)
    ways = "tf-module layer-load-model, tf-module model-load-model, tf-save layer-load-model, tf-save model-load-model"
    (refusal,) = (line.strip() for line in text.splitlines() if "File format" in line)
    wanted = "n/a: ValueError: File format not supported: filepath=ARTIFACT."
    assert refusal == f"{wanted} [{ways}: all releases]"
    assert "--format markdown has them whole" in text


def test_a_reason_without_an_end_is_cut_to_a_line() -> None:
    cell = {"device": "cpu", "model": "mlp-xs", "writer": "tf-module", "reader": "tf-load"}
    entry = {"metric": "custom_code_broken_promises", "value": 1, "way": "layer-signature"}
    told = {"custom layer-signature": {"broken": [ENDLESS]}}
    record = _record("a", None, operation="custom-code", cell=cell, metrics=[entry], evidence=told)
    text = as_table(report_of([record], "a"), 400)
    (line,) = (line.strip() for line in text.splitlines() if "float tensor" in line)
    assert line.endswith("… [tf-module layer-signature: a]")
    assert len(line.removeprefix("not kept: ").partition(" [")[0]) <= 160


def test_markdown_and_json_keep_reasons_whole() -> None:
    report = report_of(_refusals(), "a", "b")
    markdown = as_markdown(report)
    assert markdown.count("Note that the legacy SavedModel format is not supported.") == 1
    assert "cut to a line" not in markdown
    document = as_json(report)
    assert KERAS.format(kind="layer") in {one["detail"] for one in document["promises"]}
    assert document["provenance"]["machine"] == "calm-machine"
