"""Blocks that the machine disturbed are measured once more: within a budget, shown, never averaged in."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stored_runs import NEW, OLD, block_end, repeat

from harness.machine.identity import describe_machine
from harness.measure import sitting as sitting_module
from harness.measure.limits import Limits
from harness.measure.plan import LOADER_VARIABLES, Plan
from harness.measure.presets import Cell, Group, Preset
from harness.measure.retries import RETRIES_VARIABLE, Spoilt, disturbance_text, next_retry, spoilt_blocks, stands_for
from harness.measure.run import measure
from harness.store.frame import repeats_frame, samples_frame
from harness.store.records import Record
from harness.store.runs import RunDirectory, fingerprint

STEAL = ["steal: 12 % of CPU time"]
RECORDED = {"device": "cpu", "model": "mlp-s", "writer": "tf-module", "reader": "tf-load"}


@pytest.fixture(autouse=True)
def _as_users_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable that the tests set for all others."""
    monkeypatch.delenv(RETRIES_VARIABLE, raising=False)


def test_a_block_is_spoilt_where_no_repeat_of_an_operation_is_calm() -> None:
    records = [
        *(repeat(1.0, taints=STEAL), repeat(1.0, number=1), block_end(0)),
        *(repeat(1.0, block=1, taints=STEAL), repeat(1.0, block=1, number=1, taints=STEAL), block_end(1)),
        *(repeat(1.0, block=2, taints=STEAL), repeat(None, block=2, number=1, status="failed"), block_end(2)),
        *(repeat(None, block=3, status="failed"), block_end(3)),
        repeat(1.0, block=4, taints=STEAL),  # not complete
    ]
    assert spoilt_blocks(records) == {1: Spoilt(1, STEAL[0], (RECORDED,)), 2: Spoilt(1, STEAL[0], (RECORDED,))}


def test_a_block_is_spoilt_where_no_round_is_calm_on_both_sides() -> None:
    def round_of(block: int, number: int, *disturbed: str) -> list[Record]:
        sides = {name: STEAL if name in disturbed else [] for name in (OLD, NEW)}
        return [repeat(1.0, subject=name, block=block, number=number, taints=taints) for name, taints in sides.items()]

    records = [
        *(*round_of(0, 0, OLD), *round_of(0, 1, NEW), block_end(0)),  # each side has a calm repeat, no pair has two
        *(*round_of(1, 0, OLD), *round_of(1, 1), block_end(1)),
        *(round_of(2, 0)[0], round_of(2, 1)[1], block_end(2)),  # what failed leaves rounds of one side
    ]
    assert spoilt_blocks(records) == {0: Spoilt(1, STEAL[0], (RECORDED,))}
    # Of three subjects each pair counts: the third one is never calm.
    third = [repeat(1.0, subject="v2.15.1", block=1, number=number, taints=STEAL) for number in (0, 1)]
    assert spoilt_blocks([*third, *records]).keys() == {0, 1}


def test_other_operations_of_the_cell_do_not_make_up_for_it() -> None:
    cold = repeat(1.0, metric="load_cold_s", page_cache="cold", taints=STEAL)
    records = [cold, repeat(1.0, page_cache="warm"), block_end(0)]
    assert spoilt_blocks(records) == {0: Spoilt(1, STEAL[0], (RECORDED,))}


@pytest.mark.parametrize("taint", ["not-cold: 40 % of the pages were resident", "low-disk: 3 MiB free", "retried: x"])
def test_what_would_not_pass_is_not_waited_for(taint: str) -> None:
    assert spoilt_blocks([repeat(1.0, taints=[taint]), block_end(0)]) == {}


def test_an_import_alone_is_not_worth_a_block() -> None:
    assert spoilt_blocks([repeat(1.0, cell=None, operation="import", taints=STEAL), block_end(0)]) == {}


def test_further_blocks_are_those_that_completed_in_anothers_place() -> None:
    records = [block_end(0), block_end(1, stands_for=None), block_end(2, stands_for=0)]
    records.append({**block_end(3, stands_for=1), "complete": False})
    assert stands_for(records) == {2: 0}


ONE = Spoilt(1, STEAL[0])


@pytest.mark.parametrize(
    ("spoilt", "further", "planned", "wanted"),
    [
        ([], {}, 8, None),
        ([3, 5], {}, 8, 3),
        ([3, 5], {8: 3}, 8, 5),
        ([3, 5], {8: 3, 9: 5}, 8, None),  # both have had theirs
        ([3], {}, 2, 3),  # at least one, however few are planned
        ([3, 5], {8: 3}, 4, None),  # a quarter of four is spent
        ([3, 5, 8], {8: 3}, 12, 5),  # the second try of 3 waits until 5 had its first
        ([3, 8], {8: 3}, 12, 3),
    ],
)
def test_the_budget_goes_to_those_that_had_no_second_chance_yet(
    spoilt: list[int], further: dict[int, int], planned: int, wanted: int | None
) -> None:
    assert next_retry(dict.fromkeys(spoilt, ONE), further, planned) == wanted


def test_what_disturbances_cost_is_one_sentence() -> None:
    assert disturbance_text({}, {}) is None
    assert disturbance_text({3: ONE}, {8: 3}) == (
        "1 block was disturbed so much that some rows have no undisturbed measurement there (steal); "
        "1 measured once more"
    )
    text = disturbance_text({3: ONE, 5: Spoilt(2, "throttle: power cap")}, {8: 3})
    assert text is not None
    assert text.startswith("2 blocks were disturbed")
    assert text.endswith("(steal, throttle); 1 measured once more; 1 without a calm second try")


CELL, OTHER = Cell(**RECORDED), Cell(**{**RECORDED, "model": "conv-s"})
GROUP = Group((CELL,), {"save": 1, "warm": 1}, 0, 0, (1,), 0.1, 2, False)  # in the first two blocks only


class Told:
    """Remembers what the user would read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def step(self, step: Any) -> None:
        pass

    def block_done(self, block: int, blocks: int, duration_s: float) -> None:
        pass


@pytest.fixture(name="sitting")
def _sitting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Measure blocks that only write records; `disturbed` are the numbers whose repeats are all tainted."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def measured(
        disturbed: set[int],
        blocks: int = 4,
        groups: tuple[Group, ...] = (GROUP,),
        cells: list[list[Cell]] = [],  # noqa: B006
        **limits: Any,
    ) -> tuple[RunDirectory, list[str]]:
        class Stand:
            def __init__(self, conditions: Any, number: int, attempt: int, writer: Any, *more: Any) -> None:
                self.number, self.writer, self.original = number, writer, more[-1]
                self.groups = [group for group in conditions.preset.groups if group.is_in(more[-1])]
                cells.append([cell for group in self.groups for cell in group.cells])

            def measure(self) -> list[float]:
                parts_s = [4.0, *(6.0 * len(group.cells) for group in self.groups)]
                clock[0] += sum(parts_s)
                taints = STEAL if self.number in disturbed else []
                self.writer.append(repeat(float(self.number), block=self.number, taints=taints))
                original = None if self.original == self.number else self.original
                self.writer.append(block_end(self.number, stands_for=original))
                return parts_s

        monkeypatch.setattr(sitting_module, "Block", Stand)
        preset = Preset("tiny", "tiny", 0.1, blocks, 10.0, None, groups)
        plan = Plan("speed", preset, {}, describe_machine("box"), 1, "fork")
        told = Told()
        outcome = measure(tmp_path, plan, Limits(**limits), told)
        return outcome.run, told.lines

    return measured


def test_a_disturbed_block_is_measured_once_more_and_its_numbers_stay_out(sitting: Any) -> None:
    run, lines = sitting({1})
    assert lines == [
        "Block 2: 1 operation has no usable measurement (the hypervisor took the CPU away: 12 % of CPU time); "
        "the test case is measured once more."
    ]
    assert stands_for(run.records()[0]) == {4: 1}
    assert list(samples_frame(repeats_frame([run.path]))["block"]) == [0, 2, 3, 4]
    assert run.facts["state"] == "complete"
    assert run.facts["disturbed"].startswith("1 block was disturbed")


def test_a_calm_run_has_no_further_block(sitting: Any) -> None:
    run, lines = sitting(set())
    assert (lines, run.facts["blocks"], run.facts["disturbed"]) == ([], 4, None)


def test_a_machine_that_is_never_calm_ends_within_the_budget_of_retries(sitting: Any) -> None:
    run, _ = sitting(set(range(100)), blocks=8)
    assert run.facts["blocks"] == 10
    assert run.facts["disturbed"].endswith("8 without a calm second try")


def test_no_block_is_measured_again_where_that_is_switched_off(sitting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RETRIES_VARIABLE, "0")
    run, _ = sitting(set(range(100)), blocks=8)
    assert run.facts["blocks"] == 8


def test_no_block_is_measured_again_when_the_time_is_over(sitting: Any) -> None:
    # Blocks of 10, 10, 4 and 4 s; the disturbed one is a long one.
    run, lines = sitting({1}, deadline=1037.0)
    assert run.facts["blocks"] == 4
    assert lines[-1].endswith("no time is left to measure it once more.")
    run, lines = sitting({1}, budget_s=35.0)
    assert lines[-1].endswith("no time is left to measure it once more.")


def test_only_disturbed_cells_are_measured_once_more(sitting: Any) -> None:
    cells: list[list[Cell]] = []
    sitting({1}, groups=(replace(GROUP, cells=(OTHER, CELL), blocks=None),), cells=cells)
    assert cells == [[OTHER, CELL]] * 4 + [[CELL]]


def test_a_budget_knows_that_the_first_blocks_hold_more(sitting: Any) -> None:
    long, short = replace(GROUP, cells=(CELL,) * 10, blocks=1), replace(GROUP, blocks=None)
    run, _ = sitting(set(), groups=(short, long), budget_s=100.0)
    # 70 s, and then 10 s each.
    assert run.facts["blocks"] == 4


def test_blocks_under_other_libraries_cpus_or_gpus_belong_to_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = describe_machine("box")
    plan = Plan("speed", Preset("tiny", "tiny", 0.1, 4, 10.0, None, (GROUP,)), {}, machine, 1, "fork")
    for name in LOADER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    parts = plan.fingerprint_parts()
    fewer = replace(plan, machine=replace(machine, usable_cpus=machine.usable_cpus + 1))
    monkeypatch.setenv("LD_PRELOAD", "libjemalloc.so.2")
    others = (plan.fingerprint_parts(), fewer.fingerprint_parts(), plan.fingerprint_parts("GPU-1"))
    assert len({fingerprint(one) for one in (parts, *others)}) == 4
    assert plan.fingerprint_parts()["loader"] == {"LD_PRELOAD": "libjemalloc.so.2"}
