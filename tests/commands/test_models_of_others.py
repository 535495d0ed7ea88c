"""Models that others wrote, in two real releases: what `check` answers, what `compare` measures, and that nothing is
ever changed where they lie."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_releases import records_of
from saved_model_files import FLOAT, Graph, node, number, saved_model, signature, tensor, text
from stored_runs import tensorflow_project
from strangers import NEW, OLD, state_of, write_strangers
from tiny_plans import tiny_plan

from harness.cli import main
from harness.measure import trials

pytestmark = [pytest.mark.tensorflow, pytest.mark.python]

COMMAND = str(Path(sys.executable).with_name("savedmodel-bench"))
BOTH = f"{OLD},{NEW}"

REGISTERED = """
[[model]]
name = "hangs"
path = "{models}/old/hangs"
timeout_s = 4.0

[[model]]
name = "row-0"
path = "{models}/old/one-row"
range = {{ tokens = [0, 0] }}

[[model]]
name = "keras-2"
path = "{models}/old/model.keras"
trust = true

[[model]]
name = "h5-2"
path = "{models}/old/model.h5"
trust = true

[[model]]
name = "keras-3"
path = "{models}/new/model.keras"
trust = true
"""

PLAN = tiny_plan(
    {
        "save_repeats": 1, "cold_repeats": 1, "warm_repeats": 1, "infer_repeats": 1,
        "batches": [1, 2], "window_s": 0.02,
    },
    {"writer": "keras-export", "reader": "v1-session", "warm_repeats": 1, "batches": [1], "window_s": 0.02},
    {"writer": "tf-save", "resume_repeats": 1, "batches": [1]},
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A project, and beside it the models of strangers, with their state before anything was done."""

    project: Path
    models: Path
    state: dict[str, tuple[object, ...]]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments], cwd=self.project, capture_output=True, text=True, timeout=600, check=False
        )

    def old(self, *names: str) -> list[str]:
        return [str(self.models / "old" / name) for name in names]

    def require_untouched(self) -> None:
        """Fail where anything of the models is not as it was, or a command left files in the results."""
        assert state_of(self.models) == self.state
        results = self.project / "results"
        assert not [*results.glob("scratch/*"), *results.glob("runs/*/*/artifacts")]


@pytest.fixture(scope="module", name="place")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("others").resolve()
    project, models = tensorflow_project(folder / "project", PLAN), write_strangers(folder / "models")
    (project / "models.toml").write_text(REGISTERED.format(models=models))
    # An op that no TensorFlow has: written byte by byte.
    kind = text(5, text(1, "dtype") + text(2, number(6, FLOAT)))
    nodes = [node("x", "Placeholder", kind), node("y", "TFText>Unheard", text(3, "x"))]
    sides = {"x": tensor("x:0", FLOAT, (-1,))}, {"y": tensor("y:0", FLOAT, (-1,))}
    saved_model(models / "old" / "unknown-op", Graph(nodes=nodes, signatures={"serving_default": signature(*sides)}))
    for path in models.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o022)
    return Place(project, models, state_of(models))


# check

NAMES = ("compiled", "plain", "fixed", "several", "random", "aborts", "one-row", "unknown-op")


@pytest.fixture(scope="module", name="checked")
def _checked(place: Place) -> dict[str, Any]:
    """The answer about all of them, as a program reads it; a model that cannot be read stands among them."""
    lfs = str(place.project / "lfs")
    saved_model(Path(lfs)).joinpath("saved_model.pb").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    models = [*place.old(*NAMES), "hangs", "row-0", "keras-2", "h5-2", "keras-3", lfs]
    done = place.run("check", *models, "--releases", BOTH, "--format", "json")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[0].startswith(("The model runs in a sandbox", "There is no sandbox"))
    place.require_untouched()
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["exit_code"] == 1
    return answer


def cells_of(checked: dict[str, Any], name: str) -> dict[tuple[str, str, str | None], dict[str, Any]]:
    (model,) = (one for one in checked["models"] if one["name"] == name)
    return {(cell["release"], cell["reader"], cell["remedy"]): cell for cell in model["cells"]}


def states_of(checked: dict[str, Any], name: str) -> dict[tuple[str, str], str]:
    """Return the state of each try without a remedy, by release and reader."""
    found = cells_of(checked, name).items()
    return {(release, reader): cell["state"] for (release, reader, remedy), cell in found if remedy is None}


def test_a_trained_keras_model_is_refused_by_the_new_release_and_each_remedy_works(checked: dict[str, Any]) -> None:
    cells = cells_of(checked, "compiled")
    assert cells[OLD, "tf-load", None]["state"] == "answers"
    for reader in ("tf-load", "tfsm-layer"):
        refused = cells[NEW, reader, None]
        assert refused["state"] == "refused"
        assert refused["error"] == {
            "class": "AttributeError",
            "message": "'_UserObject' object has no attribute 'add_slot'",
        }
    fine = ("equal", "close")
    assert cells[OLD, "keras-load", None]["state"] in fine
    assert cells[NEW, "keras-load", None]["state"] == "unsupported"
    helps = {("v1-session", None), ("tf-load", "tf-keras-first"), ("keras-load", "legacy-keras"),
             ("tf-load", f"rewritten-in-{OLD}")}  # fmt: skip
    for reader, remedy in helps:
        cell = cells[NEW, reader, remedy]
        assert cell["state"] in fine, cell
        assert cell["reference_release"] == OLD
        assert cell["max_abs_difference"] < 1e-5
    (model,) = (one for one in checked["models"] if one["name"] == "compiled")
    assert {(one["release"], one["remedy"]): one["works"] for one in model["advice"]} == {
        (NEW, remedy or reader): True for reader, remedy in helps
    }
    assert all(one["command"] and one["text"] for one in model["advice"])


@pytest.mark.parametrize("name", ["plain", "fixed", "several", "row-0"])
def test_what_every_release_reads_answers_the_same(checked: dict[str, Any], name: str) -> None:
    """Fixed batches, several inputs and outputs of several types, an input called `file`, a range of indices."""
    states = states_of(checked, name)
    assert states.pop((OLD, "tf-load")) == "answers"
    assert states.pop((OLD, "tfsm-layer")) == "unsupported"
    assert states.pop((NEW, "keras-load")) == "unsupported"
    assert states.pop((OLD, "keras-load")) == "refused"  # it is not of Keras
    assert states == dict.fromkeys([(OLD, "v1-session"), (NEW, "tf-load"), (NEW, "tfsm-layer"), (NEW, "v1-session")],
                                   "equal")  # fmt: skip


def test_random_outputs_are_not_called_different(checked: dict[str, Any]) -> None:
    states = states_of(checked, "random")
    for key in ((OLD, "tf-load"), (OLD, "v1-session"), (NEW, "tf-load"), (NEW, "tfsm-layer"), (NEW, "v1-session")):
        assert states[key] == "not-deterministic"


def test_a_graph_that_ends_its_process_and_one_that_hangs_are_told(checked: dict[str, Any]) -> None:
    for name, state, said in (
        ("aborts", "crashed", "killed by SIGABRT (its native code gave up)"),
        ("hangs", "timeout", "no result within 4 s"),
    ):
        cells = cells_of(checked, name)
        for key in ((OLD, "tf-load", None), (NEW, "tf-load", None), (NEW, "v1-session", None)):
            assert (cells[key]["state"], cells[key]["error"]["message"]) == (state, said)


def test_an_index_that_is_refused_says_how_to_give_a_range(checked: dict[str, Any]) -> None:
    cells = cells_of(checked, "one-row")
    for key in ((OLD, "tf-load", None), (NEW, "tf-load", None), (NEW, "tfsm-layer", None), (NEW, "v1-session", None)):
        assert cells[key]["error"]["message"].endswith(
            "is not in [0, 1): give the input with these indices a range, --range NAME=0,0"
        )


def test_an_op_that_is_missing_is_named_with_what_brings_it(checked: dict[str, Any]) -> None:
    cells = cells_of(checked, "unknown-op")
    for key in ((OLD, "tf-load", None), (NEW, "tf-load", None), (NEW, "v1-session", None)):
        assert cells[key]["error"] == {
            "class": "NotFoundError",
            "message": "Op type not registered 'TFText>Unheard': this op comes with tensorflow-text",
        }


def test_files_of_both_keras_generations(checked: dict[str, Any]) -> None:
    found = {name: states_of(checked, name) for name in ("keras-2", "h5-2", "keras-3")}
    old, new = (OLD, "keras-load"), (NEW, "keras-load")
    assert found == {
        "keras-2": {old: "answers", new: "refused"},
        "h5-2": {old: "answers", new: "equal"},
        "keras-3": {old: "refused", new: "answers"},
    }
    assert cells_of(checked, "keras-2")[NEW, "keras-load", "legacy-keras"]["state"] in ("equal", "close")


def test_what_could_not_be_tried_is_among_the_answers(checked: dict[str, Any]) -> None:
    (unread,) = checked["not_tried"]
    assert "is a Git LFS pointer" in unread["reason"]
    assert {len(one["digest"]) for one in checked["models"]} == {64}
    assert {one["inputs"] for one in checked["models"]} == {"random, seed 1", "random, seed 1; tokens from 0 to 0"}


@pytest.mark.parametrize(("right", "code"), [(7.0, 0), (7.5, 1)])
def test_outputs_that_were_expected_decide(place: Place, tmp_path: Path, right: float, code: int) -> None:
    np.savez(tmp_path / "inputs.npz", numbers=np.ones((1, 3)))
    np.savez(tmp_path / "expected.npz", sum=np.full((1, 1), right))
    given = ("--inputs", str(tmp_path / "inputs.npz"), "--expect", str(tmp_path / "expected.npz"))
    done = place.run("check", *place.old("plain"), "--releases", OLD, *given)
    assert done.returncode == code, done.stderr
    first = done.stdout.splitlines()[0]
    assert first == (f"plain answers differently in {OLD} by tf.saved_model.load." if code
                     else f"plain loads and answers the same in {OLD} by tf.saved_model.load.")  # fmt: skip
    assert "inputs: inputs.npz, SHA-256 " in done.stdout
    place.require_untouched()


def test_a_model_that_needs_more_memory_than_it_may_have_is_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.project)
    monkeypatch.setattr(trials, "memory_allowed_bytes", lambda: float(100 << 20))
    assert main(["check", "hangs", "--releases", OLD, "--format", "json"]) == 1
    cells = json.loads(capsys.readouterr().out)["models"][0]["cells"]
    (cell,) = (one for one in cells if one["reader"] == "tf-load")
    assert cell["state"] == "crashed"
    assert cell["error"]["message"].endswith("GiB resident, limit 0.1 GiB")
    place.require_untouched()


# compare

MEASURED = ("plain", "compiled", "several", "fixed", "aborts")


@pytest.fixture(scope="module", name="compared")
def _compared(place: Place) -> list[dict[str, Any]]:
    """The records of one block of everything that fits, a Python file among them."""
    models = ",".join([*place.old(*MEASURED), str(place.models / "of_code.py") + ":3"])
    plan = ("--preset", "tiny.toml", "--device", "cpu", "--python", "3.11", "--wheel", "cpu", "--machine", "calm")
    done = place.run("compare", OLD, NEW, *plan, "--model", models, "--trust")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (1, 3), done.stderr  # what the new release refuses is a regression
    place.require_untouched()
    return [record for record in records_of(place.project) if record["type"] == "repeat" and record["block"] == 0]


def outcomes(records: list[dict[str, Any]], name: str, subject: str) -> dict[tuple[str, str, str], set[str]]:
    """Return the states of a model's measurements by operation, save API and load API."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for record in records:
        cell = record["cell"]
        if cell is not None and cell["model"].partition("@")[0] == name and record["subject"] == subject:
            found.setdefault((record["operation"], cell["writer"], cell["reader"]), set()).add(record["status"])
    return found


@pytest.mark.parametrize("subject", [OLD, NEW])
@pytest.mark.parametrize("name", ["plain", "several", "fixed"])
def test_a_strangers_model_is_measured_as_any_other(compared: list[dict[str, Any]], name: str, subject: str) -> None:
    read = [("answer", "tf-load"), ("load", "tf-load"), ("infer", "tf-load"), ("resave", "tf-load"),
            ("answer", "v1-session"), ("load", "v1-session")]  # fmt: skip
    assert outcomes(compared, name, subject) == {(operation, "as-is", reader): {"ok"} for operation, reader in read}
    metrics = {entry["metric"]: entry["value"] for record in compared for entry in record["metrics"]
               if record["cell"] is not None and record["cell"]["model"].startswith(name + "@")}  # fmt: skip
    assert {"load_cold_s", "load_warm_s", "load_again_s", "first_call_s", "infer_p50_s", "artifact_bytes"} <= set(
        metrics
    )
    assert {"resave_s", "resave_bytes", "resave_growth_bytes", "resave_host_peak_bytes"} <= set(metrics)
    assert metrics["resave_failed"] == 0
    batches = {entry.get("batch") for record in compared for entry in record["metrics"]
               if entry["metric"] == "infer_p50_s" and record["cell"]["model"].startswith(name + "@")}  # fmt: skip
    assert batches == ({4} if name == "fixed" else {1, 2})


def test_a_model_that_the_new_release_refuses_fails_there_alone(compared: list[dict[str, Any]]) -> None:
    assert set().union(*outcomes(compared, "compiled", OLD).values()) == {"ok"}
    new = outcomes(compared, "compiled", NEW)
    assert new["answer", "as-is", "tf-load"] == {"failed"}
    assert new["load", "as-is", "v1-session"] == {"ok"}
    reasons = {record["reason"] for record in compared if record["status"] == "failed"
               and record["cell"]["model"].startswith("compiled@") and record["operation"] == "answer"}  # fmt: skip
    assert reasons == {"raised: AttributeError: '_UserObject' object has no attribute 'add_slot'"}


def test_a_model_that_ends_its_process_fails_alone(compared: list[dict[str, Any]]) -> None:
    for subject in (OLD, NEW):
        assert set().union(*outcomes(compared, "aborts", subject).values()) == {"failed"}
    assert any("SIGABRT" in (record["reason"] or "") for record in compared)


def test_a_python_file_is_built_saved_and_trained(compared: list[dict[str, Any]]) -> None:
    for subject in (OLD, NEW):
        found = outcomes(compared, "of_code-3", subject)
        assert {("save", "tf-module", "tf-load"), ("load", "tf-module", "tf-load"), ("infer", "tf-module", "tf-load"),
                ("load", "keras-export", "v1-session"), ("resume", "tf-save", "tf-load")} <= set(found)  # fmt: skip
        assert set().union(*found.values()) == {"ok"}, found


def test_the_run_says_what_its_models_were(compared: list[dict[str, Any]], place: Place) -> None:
    (facts,) = place.project.glob("results/runs/calm/*/run.json")
    models = {one["name"].partition("@")[0]: one for one in json.loads(facts.read_text())["preset"]["models"]}
    assert set(models) == {*MEASURED, "of_code-3"}
    assert models["plain"]["path"] == str(place.models / "old" / "plain")
    assert models["plain"]["inputs_told"] == "random, seed 1"
    assert models["plain"]["name"] == f"plain@{models['plain']['digest'][:8]}"


def test_a_model_that_changed_under_its_name_is_another(compared: list[dict[str, Any]], place: Place) -> None:
    """Asked for in a plan of its own, nothing of the first one's results is taken for it."""
    changed = place.project / "changed" / "plain"
    shutil.copytree(place.models / "old" / "fixed", changed)
    plan = ("--preset", "tiny.toml", "--device", "cpu", "--python", "3.11", "--machine", "calm", "--dry-run")
    done = place.run("compare", OLD, NEW, *plan, "--model", str(changed), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "plain@" in done.stdout
    names = {record["cell"]["model"] for record in compared if record["cell"] is not None}
    (fixed,) = (name for name in names if name.startswith("fixed@"))
    assert fixed.replace("fixed", "plain") in done.stdout
    assert fixed.replace("fixed", "plain") not in names


# Interrupted


@contextlib.contextmanager
def running(place: Place, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=place.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


def wait_for(what: str, place: Place, process: subprocess.Popen[str]) -> Path:
    """Return the first file that a pattern below the results finds, once there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        for path in (place.project / "results").glob(what):
            return path
        time.sleep(0.1)
    raise AssertionError(f"no {what}: {process.communicate(timeout=10)[0]}")


@pytest.mark.parametrize(
    ("command", "until"),
    [
        (["check", "hangs", "--releases", OLD], f"scratch/*.check/{OLD}/*.scratch*"),
        (
            ["compare", OLD, NEW, "--preset", "tiny.toml", "--device", "cpu", "--machine", "busy", "--model", "hangs"],
            "runs/busy/*/artifacts/inputs/*/*.npz",
        ),
    ],
    ids=["check", "compare"],
)
def test_an_interruption_leaves_the_model_and_no_scratch_files(place: Place, command: list[str], until: str) -> None:
    with running(place, *command) as process:
        wait_for(until.replace("/*.scratch*", "/worker.log"), place, process)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    place.require_untouched()
