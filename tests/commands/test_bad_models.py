"""What is no model, or not a whole one, through the commands that take one: one sentence, exit code 3, no installation.

What the files themselves can have wrong: tests/savedmodel/test_bad_input.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from saved_model_files import FLOAT, LFS_POINTER, Graph, Tensor, node, saved_model, signature, tensor, trackable
from stored_runs import project_root

from harness.cli import main
from harness.releases import environments

COMMANDS = {
    "check": ["check", "MODEL", "--releases", "v2.20.0,v2.21.0"],
    "compare": ["compare", "v2.20.0", "v2.21.0", "--device", "cpu", "--model", "MODEL"],
    "run": ["run", "v2.21.0", "--device", "cpu", "--model", "MODEL"],
    "inspect": ["inspect", "MODEL"],
}
SIGNATURE = signature({"x": tensor("x:0", FLOAT, (-1, 2))}, {"y": tensor("y:0", FLOAT, (-1,))})
DATA, INDEX = "variables/variables.data-00000-of-00001", "variables/variables.index"


@pytest.fixture(name="root", autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)

    def installed(*_: object) -> None:
        raise AssertionError("a release was installed for a model that cannot be measured")

    monkeypatch.setattr(environments, "run_uv", installed)
    return root


def whole(folder: Path) -> Path:
    graph = Graph(nodes=[node("v", "VarHandleOp")], signatures={"f": SIGNATURE, "g": SIGNATURE})
    objects = [trackable({"w": 1}), trackable(keys={"w": "w"})]
    return saved_model(folder, graph, {"w": Tensor(b"12345678", (2,))}, objects)


def cut(name: str) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:-3])


def pointer(name: str) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes(LFS_POINTER)


def without_variables(path: Path) -> None:
    for name in (DATA, INDEX):
        (path / name).unlink()
    (path / "variables").rmdir()


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no graph": (lambda path: (path / "saved_model.pb").unlink(), "it has no saved_model.pb"),
    "graph not fetched": (pointer("saved_model.pb"), "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    "variables not fetched": (pointer(DATA), "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    "no variables": (without_variables, "has no variables/, but its graph needs it: copy the whole SavedModel again."),
    "no data": (lambda path: (path / DATA).unlink(), "is missing: copy the whole SavedModel again."),
    "cut graph": (cut("saved_model.pb"), "is cut"),
    "cut data": (cut(DATA), "is cut: it has 29 bytes, and its index asks for 32; copy it again."),
    "cut index": (cut(INDEX), "is damaged or of another format (its end is missing)"),
}


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("savedmodel-bench: ")
    assert line.endswith(".")
    return line.removeprefix("savedmodel-bench: ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", SPOILT)
def test_a_spoilt_model_is_refused_alike_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, fault: str
) -> None:
    path = whole(tmp_path / "model")
    spoil, said = SPOILT[fault]
    spoil(path)
    before = {one: one.stat().st_mtime_ns for one in path.rglob("*")}
    found = refusal(capsys, *(str(path) if word == "MODEL" else word for word in COMMANDS[command]))
    assert found.startswith(str(path))
    assert said in found
    assert {one: one.stat().st_mtime_ns for one in path.rglob("*")} == before


@pytest.mark.parametrize("command", ["check", "compare", "run"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "MODEL has no signature 'serving_default': it has f, g; choose one with --signature NAME."),
        (["--signature", "h"], "MODEL has no signature 'h': it has f, g."),
        (["--signature", "f", "--shape", "z=1"], "--shape names 'z'; the inputs of MODEL are x."),
        (["--signature", "f", "--range", "x=2,1"], "--range x=2,1 is empty: give the smaller number first."),
        (["--signature", "f", "--inputs", "none.npz"], "There is no file ROOT/none.npz with inputs."),
        (["--signature", "f", "--inputs", "wide.npz"],
         "The shape 1,3 does not fit input 'x' of MODEL, which takes (any, 2)."),
        (["--signature", "f", "--inputs", "other.json"], "ROOT/other.json has z; signature 'f' has the inputs x."),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_refused_with_what_it_has(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, options: list[str], said: str
) -> None:
    path = whole(tmp_path / "model")
    np.savez(root / "wide.npz", x=np.ones((1, 3)))
    (root / "other.json").write_text(json.dumps({"inputs": {"z": [[1, 2]]}}))
    found = refusal(capsys, *(str(path) if word == "MODEL" else word for word in COMMANDS[command]), *options)
    assert found.replace(str(path), "MODEL").replace(str(root), "ROOT") == said


@pytest.mark.parametrize("command", ["compare", "run"])
def test_a_model_larger_than_the_memory_is_not_measured(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (root / "small.toml").write_text(
        "[small]\ntime_margin = 0.1\nblocks = 1\ntimeout_s = 9\nmemory_limit_gib = 0.5\n[[small.groups]]\n"
        'devices = ["cpu"]\nmodels = ["mlp-xs"]\nwriter = "tf-module"\nreader = "tf-load"\nwarm_repeats = 1\n'
    )
    words = [str(whole(tmp_path / "model")) if word == "MODEL" else word for word in COMMANDS[command]]
    found = refusal(capsys, *words, "--signature", "f", "--preset", "small.toml")
    assert "of memory" in found
    assert "512 MiB are allowed here" in found


def test_a_name_that_nothing_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "check", "pitch") == (
        "There is no model pitch: give the path of a SavedModel directory, or a name in models.toml."
    )


def test_wrong_files_and_packages_of_a_check_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = whole(tmp_path / "model")
    words = ("check", str(path), "--signature", "f", "--releases", "v2.99.0")
    assert "2.99.0" in refusal(capsys, *words)
