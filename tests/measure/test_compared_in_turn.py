"""Of three subjects of which two are compared with the first, processes work in turn with the first one's alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from stored_runs import PROJECT
from tiny_plans import tiny_plan

from harness.machine.identity import describe_machine
from harness.measure.limits import Limits
from harness.measure.plan import Plan, compared, name_subjects
from harness.measure.preset_files import read_preset
from harness.measure.progress import Silent
from harness.measure.run import measure
from harness.releases.environments import prepare
from harness.releases.manifest import read_manifest
from harness.store.frame import is_in_turn, repeats_frame
from harness.store.pairs import pairs_frame


def test_two_are_compared_and_of_more_each_with_the_first_where_that_is_asked() -> None:
    assert compared(["a", "b"], against_first=False) == [("a", "b")]
    assert compared(["a", "b", "c"], against_first=False) == []
    assert compared(["a", "b", "c"], against_first=True) == [("a", "b"), ("a", "c")]


@pytest.mark.tensorflow
def test_the_build_of_a_night_works_in_turn_with_each_other_subject(tmp_path: Path) -> None:
    plan = tiny_plan(
        {"save_repeats": 1, "save_turns_repeats": 1, "warm_repeats": 1, "slices_repeats": 2, "batches": [1]}
    )
    (tmp_path / "plan.toml").write_text(plan.replace("time_margin", "import_turns = 1\ntime_margin"))
    release = read_manifest(PROJECT / "releases.toml").newest_stable(1)[0]
    environment = prepare(release, PROJECT, wheel="cpu")
    subjects = name_subjects([environment] * 3)
    build, itself, baseline = subjects
    preset = read_preset(str(tmp_path / "plan.toml"))
    night = Plan("night", preset, subjects, describe_machine("box"), 1, "fork", against_first=True)
    outcome = measure(tmp_path, night, Limits(), Silent())
    frame = repeats_frame([outcome.run.path]).assign(tainted=False)  # whatever else ran beside this test
    in_turn = frame[is_in_turn(frame["operation"])].drop_duplicates("record")
    found = Counter(zip(in_turn["operation"], in_turn["subject"], in_turn["partner"], strict=True))
    both = [(build, itself), (itself, build), (build, baseline), (baseline, build)]
    assert found == {
        **{("import-in-turn", *one): 1 for one in both},
        **{("save-in-turn", *one): 1 for one in both},
        **{("slices", *one): 2 for one in both},
    }
    for old in (itself, baseline):
        pairs = pairs_frame(frame, old, build)
        assert pairs.loc[pairs["metric"] == "infer_p50_s", "processes"].nunique() == 2
    between = pairs_frame(frame, itself, baseline)
    assert between["processes"].isna().all()
