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


def test_packages_of_custom_ops_are_imported_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution's modules are found whatever they are called; one without a list has a module of its own name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("ops_of_hers", "plain_ops"):
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").write_text("")
    info = tmp_path / "her_ops-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: her-ops\nVersion: 1.0\n")
    (info / "RECORD").write_text("ops_of_hers/__init__.py,,\nher_ops-1.0.dist-info/METADATA,,\n")
    asked = {"kind": "saved-model", "packages": ["her-ops==1.0"]}
    Source({"model": "m@01234567", "source": asked})
    assert "ops_of_hers" in sys.modules
    asked = {"kind": "saved-model", "packages": ["unheard-of-ops"]}
    with pytest.raises(ModuleNotFoundError, match="unheard"):
        Source({"model": "m@01234567", "source": asked})
