"""`--dry-run`: how long a plan takes, from what its passes do and from what repeats took on this machine."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from machine_pythons import machine_with
from stored_runs import CELL, MACHINE, NEW, block_end, project_root, repeat, store_run

from harness.cli import main
from harness.measure.narrowing import narrow, without_turns
from harness.measure.preset_files import read_preset
from harness.measure.presets import Group, Preset
from harness.planning.durations import assumed_s

CONV = {**CELL, "model": "conv-xs"}


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project_root(tmp_path))
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["run", "2.21", "--dry-run", "--device", "cpu", "--machine", MACHINE, *arguments]) == 0
    return capsys.readouterr().out


def unbroken(said: str) -> str:
    """Return what was said in one line."""
    return " ".join(said.split())


def block_s(said: str) -> float:
    """Return the seconds a block that a forecast says."""
    found = re.search(r"Blocks: \d+, about ([\d.]+) (s|min|h)", said)
    assert found is not None, said
    return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2]]


def group_of(preset: Preset, name: str) -> Group:
    return next(group for group in preset.groups if group.repeats.get(name))


@pytest.mark.parametrize(
    ("arguments", "measured_s"),
    [
        (("--preset", "nightly", "--model", "conv-xs,mlp-s"), 27),  # two shared cores, v2.21.0
        (("--preset", "quick"), 30),
        (("--preset", "nightly"), 205),  # CPU seconds: on a busy machine it took 230 to 260
    ],
)
def test_a_guess_is_right_within_half(
    root: Path, arguments: tuple[str, ...], measured_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, *arguments)
    assert "a rough estimate: nothing like it has been measured on this machine yet" in unbroken(said)
    assert measured_s / 1.5 < block_s(said) < measured_s * 1.5


def test_what_a_pass_does_is_what_it_costs() -> None:
    preset = narrow(read_preset("nightly"), devices=["cpu"])
    group, calls = group_of(preset, "memory"), group_of(preset, "calls")
    cell = group.cells[0]
    longest = ("calls", "resume", "custom_code", "infer")
    assert all(assumed_s(name, group, cell) > assumed_s("warm", group, cell) for name in longest)
    # Nine ways, each with a warm-up and a window for both batch sizes.
    assert assumed_s("calls", calls, calls.cells[0]) > 9 * 2 * calls.window_s
    large = next(cell for cell in group.cells if cell.model == "transformer-m")
    assert assumed_s("save", group, large) > 2 * assumed_s("save", group, cell)


def test_repeats_that_were_measured_here_say_how_long_they_take(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine three times as slow as assumed, known from a single block of another plan."""
    preset = narrow(read_preset("nightly"), devices=["cpu"], models="conv-xs")
    group, options = preset.groups[0], ("--preset", "nightly", "--model", "conv-xs,transformer-xs")
    before = block_s(told(capsys, *options))
    records = [repeat(9.0, metric="import_s", cell=None, operation="import", wall_s=9.0)]
    for name, operation, cache in (("save", "save", None), ("infer", "infer", "warm"), ("calls", "calls", "warm")):
        wall_s = 3 * assumed_s(name, group, group.cells[0])
        records.append(repeat(cell=CONV, operation=operation, page_cache=cache, wall_s=wall_s))
    run = store_run(root, [*records, block_end()], subjects=(NEW,), kind="run")
    run.updated(preset=preset.as_dict())
    said = told(capsys, *options)
    assert "as measurements took in 1 earlier run on this machine)" in unbroken(said)
    assert block_s(said) == pytest.approx(3 * before, rel=0.05)
    assert "a rough estimate for custom-code, resume)" in unbroken(told(capsys, *options, "--model", "mlp-xs"))
    spawned = block_s(told(capsys, *options, "--isolation", "spawn"))
    assert spawned - block_s(said) == pytest.approx(2 * 3 * 9.0, rel=0.05)


def test_a_program_reads_the_same_forecast(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = unbroken(told(capsys, "--wheel", "cpu"))
    found = json.loads(told(capsys, "--wheel", "cpu", "--format", "json"))
    assert f"Blocks: {found['blocks']}, about {found['block_s']:.0f} s each" in said
    assert found["block_s_known_by"]["basis"] == "guess"
    assert f"{found['detectable']['alone'] - 1:.0%} for a single".replace("%", " %") in said
    assert [(one["name"], one["wheel"], one["installed"]) for one in found["subjects"]] == [(NEW, "cpu", False)]
    assert (found["locks_to_make"], found["releases_to_install"], found["split"]) == (0, 1, None)
    assert (found["preset"]["name"], found["command"], found["exit_code"]) == ("quick", "dry-run", 0)


def test_a_block_measured_once_more_is_no_block_of_the_plan(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = without_turns(narrow(read_preset("quick"), devices=["cpu"]))  # one release takes none
    ends = [block_end(number, duration_s=90.0) for number in range(2)] + [block_end(2, duration_s=5.0, stands_for=0)]
    run = store_run(root, ends, subjects=(NEW,), kind="run", parts={"preset": preset.digest()})
    run.updated(preset=preset.as_dict())
    assert f"Blocks: 1, about 1.5 min (as in run {run.run})." in unbroken(told(capsys, "--blocks", "1"))


def test_one_of_anything_is_said_in_the_singular(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = unbroken(told(capsys, "--preset", "nightly", "--repeats", "1", "--blocks", "1"))
    assert (
        "1 save, 1 load with a cold page cache, 1 load with a warm page cache, 1 process that loads ten times" in said
    )
    assert "1 latency measurement, 1 new process to its first result" in said
    assert "1 memory measurement, 1 profiler measurement, 1 measurement of the lower bounds" in said
    (root / "own.toml").write_text(
        "[own]\ntime_margin = 0.1\nblocks = 2\ntimeout_s = 9\n[[own.groups]]\ndevices = ['cpu']\nmodels = ['mlp-xs']\n"
        "writer = 'tf-module'\nreader = 'tf-load'\nblocks = 1\nwarm_repeats = 2\n"
    )
    assert "In the first block, for this model: 1 save, 2 loads with a warm page cache\n" in told(
        capsys, "--preset", "own.toml"
    )


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--device", "cpu"]) == 3
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("compare", "2.12", "2.21", "--policy", "at-release", "--wheel", "cpu"),
            "v2.12.1 cannot be installed as cpu wheel under policy at-release: Because jax",
        ),
        (("run", "2.14", "--wheel", "cuda"), "v2.14.1 cannot be installed as cuda wheel under policy today: Because"),
    ],
)
def test_what_cannot_be_installed_is_refused_in_the_same_words(
    root: Path,
    arguments: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine_with(monkeypatch, "3.11")
    dry = refused(capsys, *arguments, "--dry-run")
    assert told in dry
    assert refused(capsys, *arguments).splitlines()[-1] == dry.splitlines()[-1]
    assert not (root / ".environments").exists()


def test_a_lock_that_has_to_be_made_is_said_and_not_made(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "locks").unlink()
    assert "First pins the requirements of 1 release" in told(capsys, "--wheel", "cpu")
    assert not (root / "locks").exists()


def test_wheel_policy_and_what_has_to_be_installed_are_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (root / "releases.toml").open("a") as manifest:
        manifest.write(f'\n[[release]]\nname = "vendor"\npython = "{sys.executable}"\ndate = 2026-03-06\n')
    options = ["--dry-run", "--device", "cpu", "--wheel", "cpu", "--policy", "at-release"]
    assert main(["run", "2.20", "2.21", "vendor", *options]) == 0
    said = capsys.readouterr().out
    assert "  v2.20.0: cpu wheel, policy at-release\n  v2.21.0: cpu wheel, policy at-release\n" in said
    assert f"  vendor: the interpreter {sys.executable}, whose dependencies are not pinned\n" in said
    assert "First installs 2 releases, about a minute each.\n" in said
    assert "First installs 1 release" in told(capsys, "--wheel", "cpu")
    assert not (root / ".environments").exists()


def test_bench_too_only_says_what_it_would_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (root / "releases.toml").open("a") as manifest:  # bench compares stable releases only
        manifest.write('\n[[release]]\nversion = "2.22.0rc1"\ndate = 2026-08-01\n')
    assert main(["bench", "--dry-run", "--device", "cpu", "--minutes", "1"]) == 0
    shown = capsys.readouterr()
    assert "(time limit: 1 minute, with installation)" in shown.err
    assert "Subjects: v2.20.0, v2.21.0; test plan quick" in shown.out
    assert not (root / "results").exists()
