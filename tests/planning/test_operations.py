"""What options limit a preset to, and what is said where they leave nothing or contradict each other."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from stored_runs import project_root

from harness.cli import main
from harness.commands import compare
from harness.machine.gpu.devices import gpu_present
from harness.measure.sitting import Outcome
from harness.store.runs import load_run


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project_root(tmp_path))


def plan(*arguments: str) -> list[str]:
    return ["run", "2.21", "--dry-run", "--device", "cpu", *arguments]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--operation", "memory"), "'quick' does not measure the operation memory; these do: nightly, full."),
        (
            ("--operation", "load,memory,calls"),
            "'quick' does not measure the operations calls, memory; these do: nightly.",
        ),
        (
            ("--operation", "floor"),  # its group is for GPUs
            "'quick' does not measure the operation floor on the devices and models that are left; these do: "
            "nightly, full.",
        ),
        (
            ("--operation", "calls", "--preset", "nightly", "--model", "mlp-s"),
            "'nightly' does not measure the operation calls on the devices and models that are left; these do: calls.",
        ),
        (
            ("--operation", "calls,resume", "--model", "deep-4", "--preset", "scale"),
            "'scale' does not measure the operations calls, resume; no test plan of this project measures all of that.",
        ),
    ],
)
def test_an_operation_that_the_preset_lacks_is_one_sentence(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(plan(*arguments)) == 3
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"savedmodel-bench: Test plan {told}\n")


OWN = """
[own]
time_margin = 0.1
blocks = 1
timeout_s = 9
[[own.groups]]
devices = ["cpu"]
models = ["mlp-xs"]
writer = "tf-module"
reader = "tf-load"
warm_repeats = 1
"""


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("blocks = 0", "`blocks` = 0 is not a whole number of 1 or more"),
        ("blocks = 1.5", "`blocks` = 1.5 is not a whole number"),
        ("timeout_s = -1", "`timeout_s` = -1 is not a number above 0"),
        ("time_margin = 2", "`time_margin` = 2 is not a number under 1"),
        ("warm_repeats = -3", "`groups[0].warm_repeats` = -3 is not a whole number of 0 or more"),
        ("warm_repeats = 1\nbatches = [0, 1]", "`groups[0].batches[0]` = 0 is not a whole number of 1 or more"),
        ("warm_repeats = 1\nwindow_s = 0", "`groups[0].window_s` = 0 is not a number above 0"),
        ("timeout_s = inf", "`timeout_s` = inf is not a finite number"),
        ("blocks = true", "`blocks` = True is not a whole number"),
        ("devices = 3", "`groups[0].devices` = 3 is not a text or a list"),
    ],
)
def test_a_field_out_of_range_is_one_sentence(
    field: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = field.partition(" ")[0]
    (tmp_path / "own.toml").write_text(re.sub(rf"^{name} = .*$", field, OWN, flags=re.MULTILINE))
    assert main(plan("--preset", "own.toml")) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"savedmodel-bench: own.toml: test plan 'own': {told}; harness/presets.toml explains")
    assert len(shown.err.splitlines()) == 1


def test_a_bug_ends_with_the_exit_code_of_a_failure_and_not_with_a_regressions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.commands.run.forecast", lambda *_: {}["no such thing"])
    assert main(plan()) == 3
    assert "KeyError: 'no such thing'" in (told := capsys.readouterr().err)
    assert told.splitlines()[-1].startswith("savedmodel-bench: this is a bug in the harness")


def test_a_disk_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results").write_text("in the way")
    assert main(["rebuild"]) == 3
    told = capsys.readouterr().err
    assert told.startswith(f"savedmodel-bench: {tmp_path / 'results'}: File exists. Results of all finished blocks")
    assert len(told.splitlines()) == 1


def test_a_preset_of_ones_own_is_told_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    assert main(plan("--preset", "own.toml", "--operation", "resume")) == 3
    assert "'own' does not measure the operation resume; these do: nightly, full, promises." in capsys.readouterr().err


def test_what_reads_keeps_one_save_and_groups_without_it_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(plan("--preset", "calls", "--operation", "calls")) == 0
    shown = capsys.readouterr().out
    assert "In every block, for each of these models: 1 save, 2 measurements of all call methods\n" in shown
    assert "keras-export" not in shown
    assert len(re.findall(r" on cpu, saved with ", shown)) == 3


def test_save_alone_is_in_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(plan("--operation", "save")) == 0
    shown = capsys.readouterr().out
    assert "keras-export" in shown
    assert "loads" not in shown


@pytest.mark.skipif(gpu_present(), reason="a GPU answers here")
def test_without_a_gpu_what_only_gpus_are_asked_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "2.21", "--dry-run", "--operation", "profile"]) == 3
    assert "these do: nightly, full, calls" in capsys.readouterr().err


@pytest.mark.parametrize(
    "models",
    [
        ("--model", "mlp-s,conv-s"),
        ("--model", "mlp-s", "--model", "conv-s"),
        ("--model", "mlp-s,mlp-s", "--model", " conv-s ,"),
    ],
)
def test_models_may_be_given_one_by_one(models: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(plan(*models)) == 0
    found = set(re.findall(r"^  (\S+) on cpu", capsys.readouterr().out, re.MULTILINE))
    assert found == {"mlp-s", "conv-s"}


@pytest.mark.parametrize(
    ("models", "named"), [("mlp-s,nope", "nope"), ("mlp-x*,mlp-s", "mlp-x*"), ("resnet50", "resnet50")]
)
def test_a_glob_that_matches_nothing_of_the_preset_is_named(
    models: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(plan("--model", models)) == 3
    assert capsys.readouterr().err == (
        f"savedmodel-bench: Test plan 'quick' has no model that matches {named!r}: it has mlp-s, mlp-m, conv-s, "
        "transformer-s.\n"
    )


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("10", "10 has no unit: write 10m for minutes or 10s for seconds"),
        ("1.5", "1.5 has no unit: write 1.5m for minutes or 1.5s for seconds"),
        ("1h30", "'1h30' is not a duration: write it like 90s, 15m or 1h30m"),
    ],
)
@pytest.mark.parametrize("command", [("compare", "2.20", "2.21", "--budget"), ("history", "--confirm")])
def test_a_duration_without_a_unit_is_refused(
    command: tuple[str, ...], budget: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, budget])
    assert ended.value.code == 3
    assert told in capsys.readouterr().err


def test_operations_may_be_given_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for operations in (("--operation", "load,infer"), ("--operation", "infer", "--operation", "load")):
        assert main(plan(*operations)) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]


@pytest.mark.parametrize("dry", [("--dry-run",), ()])
@pytest.mark.parametrize("command", [("run", "2.21"), ("compare", "2.20", "2.21"), ("calibrate", "2.21"), ("bench",)])
def test_a_budget_and_a_number_of_blocks_are_refused_together(
    command: tuple[str, ...], dry: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *dry, "--budget", "5m", "--blocks", "3"]) == 3
    *_, told = capsys.readouterr().err.splitlines()
    assert told == (
        "savedmodel-bench: --budget and --blocks cannot be used together: with a time limit, the number of blocks is "
        "chosen automatically."
    )


@pytest.fixture(name="reference", scope="module")
def _reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first blocks of two releases of a reference run."""
    run = next(Path(__file__).parents[2].glob("results/reference/*/20261126T020132-9382"))
    sides = ("v2.15.1", "v2.21.0")
    facts = json.loads((run / "run.json").read_text())
    facts["subjects"] = [subject for subject in facts["subjects"] if subject["name"] in sides]
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    kept = [one for one in records if one.get("block", 0) < 4 and one.get("subject", sides[0]) in sides]
    folder = tmp_path_factory.mktemp("reference")
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "records.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in kept))
    return folder


Judge = Callable[..., tuple[int, set[str], str]]
"""Judges two releases of the reference run; returns the exit code, the judged rows' models and what stderr says."""


@pytest.fixture
def judged(reference: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    def judge(*options: str) -> tuple[int, set[str], str]:
        code = main(["compare", "2.15", "2.21", "--run", str(reference), "--format", "json", *options])
        shown = capsys.readouterr()
        rows = json.loads(shown.out)["rows"] if shown.out else []
        return code, {row["model"] for row in rows if row["judged"]}, shown.err

    return judge


def test_a_run_that_is_judged_again_can_be_narrowed(judged: Judge) -> None:
    assert judged("--model", "conv-*")[1] == {"-", "conv-s"}
    code, models, told = judged("--operation", "load", "--model", "mlp-s,mlp-m")
    assert (code, models, told) == (0, {"mlp-s", "mlp-m"}, "")


@pytest.mark.parametrize("narrowing", [("--model", "zzz"), ("--device", "gpu")])
def test_what_leaves_nothing_of_a_run_is_one_sentence(judged: Judge, narrowing: tuple[str, str]) -> None:
    code, _, told = judged(*narrowing)
    assert (code, len(told.splitlines())) == (3, 1)
    assert "has no results that match --operation, --device and --model" in told


def test_how_to_measure_cannot_be_asked_of_what_was_measured(judged: Judge) -> None:
    code, _, told = judged("--blocks", "3", "--machine", "x")
    assert (code, told) == (
        3, "savedmodel-bench: --run uses results that exist: leave out --blocks, --machine.\n",
    )  # fmt: skip


def test_a_run_without_a_complete_block_is_no_answer(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(reference, tmp_path / "run")
    (tmp_path / "run" / "records.jsonl").write_text("")
    assert main(["compare", "2.15", "2.21", "--run", str(tmp_path / "run")]) == 3
    shown = capsys.readouterr()
    assert (shown.out, "has no finished block, so there is nothing to compare" in shown.err) == ("", True)


def test_what_settles_an_open_row_is_a_command_that_can_be_typed(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["compare", "2.15", "2.21", "--model", "mlp-*", "--run"]
    main([*asked, str(reference)])
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r" compare v2\.15\.1 v2\.21\.0 --preset quick --model 'mlp-\*' --blocks \d+ ", shown)
    # A run of a preset of one's own does not say in which file that lay.
    shutil.copytree(reference, tmp_path / "run")
    facts = json.loads((reference / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**facts, "preset": {**facts["preset"], "name": "mine"}}))
    main([*asked, str(tmp_path / "run")])
    assert "--preset" not in (shown := capsys.readouterr().out)
    assert "Inconclusive" in shown


def test_what_settles_an_open_row_keeps_to_the_python_that_was_asked_for(
    reference: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(load_run(reference), 2, 0, 2, interrupted=False, stopped_by=None)
    monkeypatch.setattr(compare, "measure_request", lambda *_: outcome)
    main(["compare", "2.15", "2.21", "--python", "3.11"])
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r" compare v2\.15\.1 v2\.21\.0 --preset quick --python 3\.11 --blocks \d+ ", shown)
