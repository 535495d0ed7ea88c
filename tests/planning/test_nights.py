"""What a night measures: models of `models.toml` too, and which of them a budget leaves."""

from __future__ import annotations

from pathlib import Path

from harness.planning.nights import of_models, with_registered
from harness.planning.request import Request


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
