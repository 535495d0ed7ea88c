"""What a night measures: models of `models.toml` too, and which of them a budget leaves."""

from __future__ import annotations

import sys
from pathlib import Path

from faulty_releases import add_release, make_project

from harness.planning.nights import of_models, with_registered, with_room
from harness.planning.request import Request
from harness.verdict.nights import Known


def project(folder: Path) -> Path:
    (folder / "models.toml").write_text('[[model]]\nname = "mine"\npath = "model"\n')
    return folder


def test_models_of_models_toml_are_in_it_unless_others_are_asked_for(tmp_path: Path) -> None:
    request = with_registered(Request(project(tmp_path), ()))
    assert request.models == "*"
    assert [one.name for one in request.own] == ["mine"]
    asked = Request(tmp_path, (), models="mlp-*")
    assert with_registered(asked) == asked


def test_a_request_for_some_models_knows_own_ones_by_the_names_of_results(tmp_path: Path) -> None:
    request = with_registered(Request(project(tmp_path), ()))
    some = of_models(request, ["mine@3fa91c2b", "mlp-s"])
    assert (some.models, [one.name for one in some.own]) == ("mlp-s", ["mine"])
    assert of_models(request, ["mine@3fa91c2b"]).models is None
    assert of_models(request, ["mlp-s", "conv-s"]).own == ()


def test_a_large_model_costs_a_budget_more_than_a_small_one(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    for name in ("one", "two"):
        add_release(root, name, python=Path(sys.executable))
    (root / "mine.toml").write_text(PLAN)

    def chosen(budget_s: float) -> tuple[str | None, tuple[str, ...]]:
        request = Request(root, ("one", "two"), preset=str(root / "mine.toml"), devices=("cpu",), budget_s=budget_s)
        narrowed, left_out = with_room(request, Known(), [])
        return narrowed.models, left_out

    assert chosen(200.0) == ("mlp-xs", ("transformer-l",))
    assert chosen(1e6) == (None, ())
    assert chosen(1.0) == ("mlp-xs", ("transformer-l",))  # nothing has room: what takes least


PLAN = """
[mine]
time_margin = 0.10
blocks = 6
timeout_s = 60

[[mine.groups]]
devices = ["cpu"]
models = ["transformer-l", "mlp-xs"]
writer = "tf-module"
reader = "tf-load"
save_repeats = 1
warm_repeats = 1
infer_repeats = 1
batches = [1, 32]
window_s = 0.2
"""
