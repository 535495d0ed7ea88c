"""What a test plan measures of a model of a user's own: all that fits it, each cell once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.measure.narrowing import narrow
from harness.measure.own_models import KERAS_FILE, PYTHON_FILE, SAVED_MODEL, OwnModel
from harness.measure.own_plans import with_own_models, with_registered_models
from harness.measure.preset_files import read_preset
from harness.measure.presets import Preset, matches

KINDS = (SAVED_MODEL, KERAS_FILE, PYTHON_FILE)


def own(kind: str = SAVED_MODEL, *, name: str = "it@01234567", path: str = "/it") -> OwnModel:
    return OwnModel(name, kind, path, "0" * 64, 10, (), "random, seed 1")


def planned(preset: str, *models: OwnModel, alone: bool = True, operations: list[str] | None = None) -> Preset:
    whole = with_own_models(read_preset(preset), models, alone=alone)
    return narrow(whole, devices=["cpu"], operations=operations)


def passes(preset: Preset, model: OwnModel) -> dict[str, set[str]]:
    """Return the passes of each variant of a model's cells."""
    found: dict[str, set[str]] = {}
    for group in preset.groups:
        for cell in group.cells:
            if cell.model == model.name:
                found.setdefault(cell.artifact, set()).update(name for name, count in group.repeats.items() if count)
    return found


READ = {"answer", "warm"}


@pytest.mark.parametrize(
    ("kind", "preset", "wanted"),
    [
        (SAVED_MODEL, "quick", {"as-is/tf-load": {*READ, "cold", "infer", "slices", "resave"}}),
        (SAVED_MODEL, "full", {"as-is/tf-load": {*READ, "cold", "reload", "infer", "first_result", "memory", "profile",
                                                 "floor", "resave"}}),
        (SAVED_MODEL, "scale", {"as-is/tf-load": {*READ, "cold", "infer", "resave"}}),
        (SAVED_MODEL, "calls", {"as-is/tf-load": {*READ, "reload", "infer", "calls", "profile", "resave"},
                                "as-is/tfsm-layer": {*READ, "infer"}, "as-is/v1-session": {*READ, "infer"}}),
        (KERAS_FILE, "quick", {"as-is/keras-load": {*READ, "cold", "infer", "slices"}}),
        (KERAS_FILE, "calls", {"as-is/keras-load": {*READ, "reload", "infer", "profile"}}),
        (PYTHON_FILE, "promises", {"tf-module/tf-load": {"save", "resume"}, "keras-export/tf-load": {"save", "resume"},
                                   "keras-save-tf/tf-load": {"save", "resume"}, "tf-save/tf-load": {"save", "resume"}}),
        (PYTHON_FILE, "quick", {"tf-module/tf-load": {"save", "save_turns", "cold", "warm", "infer", "slices"},
                                "keras-export/tf-load": {"save", "warm"}, "keras-save-tf/tf-load": {"save", "warm"}}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)  # fmt: skip
def test_all_that_fits_is_measured(kind: str, preset: str, wanted: dict[str, set[str]]) -> None:
    assert passes(planned(preset, own(kind)), own(kind)) == wanted


@pytest.mark.parametrize("preset", ["quick", "nightly", "full", "calls", "scale", "asv"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_cell_stands_once(kind: str, preset: str) -> None:
    cells = planned(preset, own(kind)).cells
    assert cells
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize(
    ("kind", "said"),
    [(SAVED_MODEL, "which is not built by the harness"), (KERAS_FILE, "which is a file that Keras wrote")],
)
def test_a_plan_that_only_trains_refuses_what_cannot_be_trained(kind: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        planned("promises", own(kind))
    assert str(error.value) == (
        f"Test plan 'promises' measures nothing that fits it, {said}: it trains or saves; choose another test plan, "
        "for example quick or full."
    )


def test_a_strangers_artifact_is_never_saved_or_trained() -> None:
    for preset in ("quick", "nightly", "full", "calls", "gpu", "asv"):
        for kind in (SAVED_MODEL, KERAS_FILE):
            plan = with_own_models(read_preset(preset), [own(kind)], alone=True)
            for group in plan.groups:
                assert not {"save", "resume", "custom_code"} & group.repeats.keys()
                assert (group.later_saves, group.durable_saves) == (0, 0)
                assert {cell.writer for cell in group.cells} == {"as-is"}


def test_a_model_is_saved_again_once_however_many_readers_there_are() -> None:
    quick = read_preset("quick")
    group = quick.groups[0]
    readers = ("tf-load", "v1-session")
    cells = tuple(replace(cell, reader=reader) for cell in group.cells for reader in readers)
    plan = with_own_models(replace(quick, groups=(replace(group, cells=cells),)), [own()], alone=True)
    found = passes(plan, own())
    assert found["as-is/tf-load"] - found["as-is/v1-session"] == {"resave"}


def test_the_models_own_batches_are_measured() -> None:
    wanted = {own(): (1, 32), replace(own(), own_batches=(2, 4)): (2, 4), replace(own(), fixed_batch=5): (5,)}
    for model, batches in wanted.items():
        assert {group.batches for group in planned("quick", model).groups} == {batches}
    fixed = replace(own(), own_batches=(2,), fixed_batch=5)
    assert planned("quick", fixed).groups[0].batches == (5,)


def test_models_stand_alone_or_beside_those_of_the_plan() -> None:
    zoo = {cell.model for cell in narrow(read_preset("quick"), devices=["cpu"]).cells}
    other = own(PYTHON_FILE, name="other@89abcdef")
    assert {cell.model for cell in planned("quick", own(), other).cells} == {own().name, other.name}
    assert {cell.model for cell in planned("quick", own(), alone=False).cells} == {own().name, *zoo}


@pytest.mark.parametrize(
    ("operations", "wanted"),
    [
        (["load"], {"answer", "cold", "warm"}),
        (["infer"], {"answer", "infer"}),
        (["resave"], {"answer", "resave"}),
    ],
)
def test_operations_keep_the_answer_to_compare_with(operations: list[str], wanted: set[str]) -> None:
    assert passes(planned("quick", own(), operations=operations), own()) == {"as-is/tf-load": wanted}


def test_operations_that_do_not_fit_are_refused() -> None:
    for operation in ("save", "resume"):
        with pytest.raises(UsageError, match=rf"does not measure the operation {operation}"):
            planned("quick", own(), operations=[operation])


@pytest.mark.parametrize(
    ("model", "globs", "is_meant"),
    [
        ("basic-pitch@3fa91c2b", "basic-pitch", True),
        ("basic-pitch@3fa91c2b", "basic-*", True),
        ("basic-pitch@3fa91c2b", "basic-pitch@3fa91c2b", True),
        ("basic-pitch@3fa91c2b", "basic-pitch@3fa9*", True),
        ("basic-pitch@3fa91c2b", "mlp-s,basic-pitch", True),
        ("basic-pitch@3fa91c2b", None, True),
        ("basic-pitch@3fa91c2b", "basic-pitch@00000000", False),
        ("basic-pitch@3fa91c2b", "basic", False),
        ("basic-pitch@3fa91c2b", "3fa91c2b", False),
        ("mlp-s", "mlp-s@3fa91c2b", False),
        ("mlp-s", "mlp-?", True),
    ],
)
def test_names_match_with_and_without_the_digest(model: str, globs: str | None, is_meant: bool) -> None:
    assert matches(model, globs) is is_meant


def test_where_a_model_lies_does_not_change_the_plan() -> None:
    here, there = (planned("quick", own(path=path)) for path in ("/here", "/there"))
    assert here.digest() == there.digest()
    others = (replace(own(), digest="1" * 64), replace(own(), inputs_told="other"), replace(own(), tolerance=0.1))
    assert len({plan.digest() for plan in (here, *(planned("quick", other) for other in others))}) == 4


def test_a_plan_without_own_models_is_written_as_ever() -> None:
    """Or no run that was measured before could be gone on with."""
    assert "models" not in read_preset("quick").as_dict()
    assert json.loads(json.dumps(planned("quick", own()).as_dict()))["models"][0]["name"] == own().name


def test_a_plan_can_name_registered_models() -> None:
    quick = read_preset("quick")
    renamed = {"mlp-m": "it"}
    groups = tuple(
        replace(one, cells=tuple(replace(cell, model=renamed.get(cell.model, cell.model)) for cell in one.cells))
        for one in quick.groups
    )
    named = replace(quick, groups=groups)
    plan = narrow(with_registered_models(named, {"it": own()}), devices=["cpu"])
    assert passes(plan, own()) == {"as-is/tf-load": {*READ, "cold", "infer", "slices", "resave"}}
    assert {"mlp-s", "conv-s", "transformer-s"} < {cell.model for cell in plan.cells}
    assert plan.models == (own(),)
