"""What counter and clock say of a row together, and what decides the exit code."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from harness.answers.comparison import Comparison, compare_subjects, exact_only_cells
from harness.answers.sides import SubjectFacts
from harness.answers.work import ModuleWork, Work, packages
from harness.store.work import Counted, CountedSubject
from harness.verdict.margins import margin_table
from harness.verdict.rows import Verdict
from harness.verdict.work import Difference

COLUMNS = ["run", "block", "subject", "device", "model", "variant", "metric", "unit", "value", "n", "tainted"]
JITTER = (1.0, 1.01, 0.99, 1.005, 0.995, 1.002)
PLACES = {
    "import_s": ("-", "-", "-"),
    "load_warm_s": ("cpu", "mlp-s", "tf-module/tf-load"),
    "first_call_s": ("cpu", "mlp-s", "tf-module/tf-load"),
}
KEYS = {
    "import_s": "import",
    "load_warm_s": "load_warm/cpu/mlp-s/tf-module/tf-load",
    "first_call_s": "first_call/cpu/mlp-s/tf-module/tf-load",
}


def compared(
    ratio: float,
    old: Counted | None,
    new: Counted | None,
    *,
    metric: str = "load_warm_s",
    pythons: tuple[str | None, str | None] = ("3.11.7", "3.11.7"),
    blocks: int = 6,
    untimed: bool = False,
    seconds: float = 1.0,
) -> Comparison:
    """Compare two sides whose times have this ratio, with these counts of the metric's operation."""
    rows = [
        ("r1", block, side, *PLACES[metric], metric, "seconds", seconds * factor * JITTER[block] ** power, 3, 0)
        for side, factor, power in (("a", 1.0, 1), ("b", ratio, 2))
        for block in range(blocks)
    ]
    sides = zip(("a", "b"), pythons, (old, new), strict=True)
    counts = {name: CountedSubject(python, {KEYS[metric]: one} if one else {}) for name, python, one in sides}
    return compare_subjects(
        pd.DataFrame(rows, columns=COLUMNS), None, SubjectFacts("a"), SubjectFacts("b"),
        margins=margin_table(0.10), machine={"name": "desk"}, preset="quick", counts=counts,
        exact_only={("mlp-s", "tf-module"), ("-", "-")} if untimed else frozenset(),
    )  # fmt: skip


def only(comparison: Comparison) -> Work:
    (work,) = comparison.work.values()
    return work


def calls(*numbers: int, by_module: Mapping[str, int] | None = None) -> Counted:
    return Counted(numbers, dict(by_module or {"re": numbers[0]}))


MANY, MORE = calls(1_000_000, 1_000_000), calls(1_110_000, 1_110_000)


@pytest.mark.parametrize(
    ("ratio", "blocks", "new", "says", "difference"),
    [
        (1.5, 6, MORE, "both", Difference.MORE),
        (1.0, 6, MANY, "both", Difference.SAME),
        (1.5, 2, MORE, "counter", Difference.MORE),  # two blocks settle nothing
        (1.5, 6, calls(1_000_000, 1_030_000), "clock", Difference.OPEN),
        (1.5, 2, calls(1_000_000, 1_030_000), None, Difference.OPEN),
    ],
)
def test_a_row_says_which_of_clock_and_counter_settled_it(
    ratio: float, blocks: int, new: Counted, says: str | None, difference: Difference
) -> None:
    work = only(compared(ratio, MANY, new, blocks=blocks))
    assert (work.says, work.difference) == (says, difference)


def test_more_work_alone_is_no_regression() -> None:
    unchanged, still_open = compared(1.0, MANY, MORE), compared(1.0, MANY, MORE, blocks=2)
    assert unchanged.rows[0].verdict is Verdict.SAME
    assert (unchanged.exit_code(), still_open.exit_code()) == (0, 0)
    assert compared(1.5, MANY, MANY).exit_code() == 1  # the clock decides


@pytest.mark.parametrize("metric", ["load_warm_s", "import_s"])
def test_where_times_are_not_judged_work_beyond_the_margin_is(metric: str) -> None:
    codes = [
        compared(1.5, MANY, new, metric=metric, untimed=True).exit_code()
        for new in (MORE, calls(1_090_000), calls(900_000), calls(1_090_000, 1_120_000))
    ]
    assert codes == [1, 0, 0, 0]


def test_of_a_test_plan_without_judged_times_the_import_is_not_judged_either() -> None:
    cell = {"model": "mlp-s", "writer": "tf-module"}
    exact, timed = ({"exact_only": only_exact, "cells": [cell]} for only_exact in (True, False))
    assert exact_only_cells({"groups": [exact]}) == {("mlp-s", "tf-module"), ("-", "-")}
    assert exact_only_cells({"groups": [exact, timed]}) == frozenset()


def test_the_work_of_a_first_call_is_shown_and_not_judged() -> None:
    work = only(compared(1.0, calls(500), calls(900), metric="first_call_s"))
    assert (work.says, work.old, work.new, work.difference) == ("clock", 500, 900, None)
    assert str(work.reason).startswith("not-judged: ")


def test_calls_that_are_worth_too_little_of_the_time_do_not_count() -> None:
    assert only(compared(1.0, calls(1000), calls(1500), seconds=1.0)).difference is Difference.SAME
    assert only(compared(1.0, calls(1000), calls(1500), seconds=0.01)).difference is Difference.MORE


@pytest.mark.parametrize(
    ("old", "new", "pythons", "reason"),
    [
        (MANY, MORE, ("3.11.7", "3.13.0"), "other-python: 3.11.7 and 3.13.0"),
        (MANY, MORE, ("3.11.7", None), "other-python: 3.11.7 and unknown"),
        (MANY, None, ("3.11.7", "3.11.7"), "not-counted: on the new side"),
        (Counted(reason="crashed: no"), MORE, ("3.11.7", "3.11.7"), "crashed: no"),
    ],
)
def test_sides_that_cannot_be_held_against_each_other_say_why(
    old: Counted, new: Counted | None, pythons: tuple[str | None, str | None], reason: str
) -> None:
    comparison = compared(1.0, old, new, pythons=pythons, untimed=True)
    work = only(comparison)
    assert (work.reason, work.difference, work.says, work.fails) == (reason, None, None, False)
    assert comparison.exit_code() == 0


def test_without_counts_no_row_has_work() -> None:
    assert compared(1.0, None, None).work == {}


def test_modules_that_differ_stand_first_by_size() -> None:
    old = calls(1000, by_module={"re": 700, "typing": 200, "ast": 100})
    new = calls(1300, by_module={"re": 650, "typing": 500, "ast": 100, "planted": 50})
    assert [(one.module, one.change) for one in only(compared(1.0, old, new)).by_module] == [
        ("typing", 300), ("planted", 50), ("re", -50),
    ]  # fmt: skip


def test_packages_are_told_by_one_module_where_that_is_nearly_all() -> None:
    every = [
        ModuleWork("tensorflow.python.ops.a", 0, 60),
        ModuleWork("tensorflow.python.ops.b", 0, 40),
        ModuleWork("re._parser", 100, 10),
        ModuleWork("re._compiler", 10, 9),
        ModuleWork("tensorflow.core.c", 0, 5),
    ]
    assert [(one.module, one.change) for one in packages(every)] == [
        ("tensorflow.python", 100), ("re._parser", -91), ("tensorflow.core.c", 5),
    ]  # fmt: skip
