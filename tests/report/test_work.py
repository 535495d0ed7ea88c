"""Clock and counter side by side, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
from shown import as_json, as_table

from harness.answers.comparison import Comparison, compare_subjects
from harness.answers.sides import SubjectFacts
from harness.report.comparison import report_comparison
from harness.report.document import Report
from harness.report.screens.comparison import with_comparison_screen
from harness.store.work import Counted, CountedSubject
from harness.verdict.margins import margin_table

COLUMNS = ["run", "block", "subject", "device", "model", "variant", "metric", "unit", "value", "n", "tainted"]
JITTER = (1.0, 1.001, 0.999, 1.0005, 0.9995, 1.0002)
IMPORT_OLD = Counted((1_198_353,) * 2, {"typing": 146_874, "re": 100_000}, modules_imported=2699)
IMPORT_NEW = Counted((1_331_938,) * 2, {"typing": 327_050, "re": 71_173}, modules_imported=3000)


def compared(
    ratio: float, old: Counted, new: Counted, *, blocks: int = 6, untimed: bool = False, **more: Any
) -> Comparison:
    rows = [
        ("r1", block, side, "-", "-", "-", "import_s", "seconds", 2 * factor * JITTER[block] ** power, 3, 0)
        for side, factor, power in (("a", 1.0, 1), ("b", ratio, 2))
        for block in range(blocks)
    ]
    pythons = more.get("pythons", ("3.11.7", "3.11.7"))
    counts = {
        name: CountedSubject(python, {"import": one})
        for name, python, one in zip(("a", "b"), pythons, (old, new), strict=True)
    }
    return compare_subjects(
        pd.DataFrame(rows, columns=COLUMNS), None, SubjectFacts("a"), SubjectFacts("b"),
        margins=margin_table(0.10), machine={"name": "desk"}, preset="quick", counts=counts,
        exact_only={("-", "-")} if untimed else frozenset(),
    )  # fmt: skip


def report(*arguments: Any, **named: Any) -> Report:
    return report_comparison(compared(*arguments, **named))


def text(*arguments: Any, **named: Any) -> str:
    shown = " ".join(as_table(report(*arguments, **named), 140).split())
    assert "explain" not in shown  # which only a profile could
    return shown


def test_more_work_goes_with_more_time() -> None:
    assert (
        "import TensorFlow: 16 % slower; goes with 11.1 % more Python calls (1,198,353 to 1,331,938), "
        "most of them in typing (+180,176)." in text(1.16, IMPORT_OLD, IMPORT_NEW)
    )


def test_less_work_goes_with_less_time() -> None:
    assert (
        "import TensorFlow: 20 % faster; goes with 10.0 % fewer Python calls (1,331,938 to 1,198,353), "
        "most of them in typing (-180,176)." in text(0.8, IMPORT_NEW, IMPORT_OLD)
    )


def test_the_same_calls_leave_the_time_to_what_no_counter_sees() -> None:
    assert (
        "import TensorFlow: 16 % slower with the same number of Python calls (1,198,353): the time went into native "
        "code, files, the machine, or more work within the same calls." in text(1.16, IMPORT_OLD, IMPORT_OLD)
    )


def test_work_against_the_clock_is_said_as_it_is() -> None:
    assert "import TensorFlow: 16 % slower, and yet with 10.0 % fewer Python calls" in text(
        1.16, IMPORT_NEW, IMPORT_OLD
    )


def test_where_the_clock_is_open_the_counter_speaks_of_work_alone() -> None:
    shown = text(1.0, IMPORT_OLD, IMPORT_NEW, blocks=2)
    assert (
        "import TensorFlow: more work: 11.1 % more Python calls (1,198,353 to 1,331,938), most of them in typing "
        "(+180,176); the clock is inconclusive." in shown
    )
    assert "slower" not in shown[shown.index("Work:") : shown.index("All counts")]
    assert "1 row without a verdict on time has the same work." in text(1.0, IMPORT_OLD, IMPORT_OLD, blocks=2)


def test_work_that_fails_a_comparison_without_times_is_in_its_result() -> None:
    failed = report(1.0, IMPORT_OLD, IMPORT_NEW, untimed=True)
    assert failed.exit_code == 1
    told = " ".join(as_table(failed, 140).split())
    assert "b against a on desk: only work was compared, no times or sizes." in told
    assert "1 row whose time is not judged does more work; see Work." in told
    comparison = compared(1.0, IMPORT_OLD, IMPORT_NEW, untimed=True)
    told = " ".join(as_table(with_comparison_screen(failed, comparison, is_here=True), 80).split())
    assert "- 1 row whose time is not judged does more work; see Work. Work, where no time is judged import" in told
    assert "more work: 11.1 % more Python calls (1,198,353 to 1,331,938), most of them in typing (+180,176)" in told


def test_sides_of_different_pythons_are_not_compared() -> None:
    assert "the sides ran under different Pythons (3.11.7 and 3.13.0), which count calls differently" in text(
        1.0, IMPORT_OLD, IMPORT_NEW, pythons=("3.11.7", "3.13.0")
    )


def test_what_else_changed_stands_in_the_table() -> None:
    assert "modules imported 2,699 to 3,000" in text(1.0, IMPORT_OLD, IMPORT_NEW)


def test_json_has_the_work_of_each_row() -> None:
    (row,) = as_json(report(1.16, IMPORT_OLD, IMPORT_NEW))["rows"]
    work = row["work"]
    assert (work["says"], work["old"], work["new"], work["reason"]) == ("both", 1_198_353, 1_331_938, None)
    assert work["by_module"][0] == {"module": "typing", "old": 146_874, "new": 327_050}
    (row,) = as_json(report(1.16, IMPORT_OLD, IMPORT_NEW, pythons=("3.11.7", "3.13.0")))["rows"]
    assert (row["work"]["says"], row["work"]["by_module"]) == ("clock", [])
    assert row["work"]["reason"] == "other-python: 3.11.7 and 3.13.0"
