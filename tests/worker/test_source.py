"""A user's own Python file as a worker takes it: what it gives, and that nothing is left beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from strangers import PYTHON_FILE, state_of

from harness.worker.source import Source


def source_of(path: Path, size: str = "") -> Source:
    asked = {"kind": "python-file", "path": str(path), "size": size, "signature": None, "tags": None}
    return Source({"model": "of_code@01234567", "source": asked})


def test_inputs_are_the_same_in_every_process_and_nothing_is_left_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "model.py"
    path.write_text(PYTHON_FILE)
    before = state_of(tmp_path)
    one, other = source_of(path), source_of(path)
    assert one.is_built
    assert not one.has_checked_output
    assert one.inputs(3)["inputs"].shape == (3, 4)
    assert one.inputs(3)["inputs"].tolist() == other.inputs(3)["inputs"].tolist()
    assert one.inputs(2)["inputs"].tolist() != one.inputs(3)["inputs"][:2].tolist()
    assert state_of(tmp_path) == before


def test_functions_get_the_size_and_inputs_may_have_names(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        "def build(tf, size):\n    return tf, size\n"
        "def inputs(size, batch, generator):\n    return {size: [batch]}\n"
        "def fill(model):\n    model.append('filled')\n"
    )
    source, filled = source_of(path, "large"), list[Any]()
    source.fill(filled)
    assert (source.build("tf"), source.inputs(2), filled) == (("tf", "large"), {"large": [2]}, ["filled"])
