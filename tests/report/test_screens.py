"""What a terminal shows of an answer: one screen of 80 columns and 40 lines, whatever was measured.

SAVEDMODEL_BENCH_REGENERATE=1 writes the golden files anew.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import HOSTILE
from shown import as_markdown, as_table

from harness.answers.check import Advice, Check, CheckedModel, Error, State, Unread
from harness.answers.check import Cell as Try
from harness.answers.comparison import Comparison
from harness.answers.measured import Failure, Measured
from harness.answers.notes import BlocksAdded, Said, SidesDiffer, Unpaired
from harness.answers.run_facts import RunFacts
from harness.answers.sides import SubjectFacts
from harness.cli import main
from harness.commands.shared.output import Output
from harness.measure.own_models import SAVED_MODEL, OwnModel
from harness.metrics import METRICS, Kind
from harness.report.check import report_check
from harness.report.comparison import report_comparison
from harness.report.document import Command, Document, Paragraph, Report
from harness.report.screens.check import with_check_screen
from harness.report.screens.comparison import with_comparison_screen
from harness.report.screens.run import with_run_screen
from harness.verdict.rows import Method, Reason, Row, Verdict

GOLDEN = Path(__file__).parent / "golden"
PROJECT = Path(__file__).parents[2]
OLD, NEW = "v2.20.0", "v2.21.0"
SETTLE = ("savedmodel-bench", "compare", OLD, NEW, "--preset", "quick")
GPU = "GPU tests are skipped: no NVIDIA GPU was found on this machine."
MODELS = ("conv-s", "mlp-s", "mlp-m", "transformer-s")
_VERDICTS = {
    Reason.BEYOND_MARGIN: None, Reason.CHANGED: None, Reason.FAILED: None, Reason.WITHIN_MARGIN: Verdict.SAME,
    Reason.EQUAL: Verdict.SAME,
}  # fmt: skip


def row(
    metric: str, model: str = "mlp-s", reason: Reason = Reason.WITHIN_MARGIN, ratio: float = 1.0, **more: Any
) -> Row:
    """Return a judged row; a change of more than nothing is a verdict where the reason is one of a change."""
    known = METRICS[metric]
    verdict = _VERDICTS.get(reason, Verdict.INCONCLUSIVE) or (Verdict.REGRESSION if ratio > 1 else Verdict.IMPROVEMENT)
    is_exact = known.kind is Kind.EXACT
    variant = {"import_s": "-", "build_s": "-"}.get(metric, "tf-module" if "save" in metric else "tf-module/tf-load")
    facts: dict[str, Any] = {
        "low": None if is_exact else ratio * 0.95, "high": None if is_exact else ratio * 1.05, "p": None,
        "q": None if is_exact else 0.01, "blocks": 10, "tainted": 0, "detectable_ratio": 1.38, "blocks_needed": 27,
        "spread": 0.1, "pairs": 10, "pairs_dropped": 0, "estimator": "mean", **more,
    }  # fmt: skip
    return Row(
        metric, known.unit, known.kind, "cpu", model, variant, 0.2, 0.2 * ratio, ratio, verdict=verdict, reason=reason,
        judged=known.judged, margin=0.1, method=Method.PAIRED_T, **facts,
    )  # fmt: skip


def compared(*rows: Row, **more: Any) -> Comparison:
    sides = [SubjectFacts(name, tensorflow=name[1:], keras="3.15.1", python="3.11") for name in (OLD, NEW)]
    facts: dict[str, Any] = {"machine": {"name": "desk"}, "preset": "quick", "margin": 0.1, "blocks": 10, **more}
    return Comparison(*sides, paired=True, rows=rows, **facts)


def screen(comparison: Comparison, *, is_here: bool = True, settle: Sequence[str] | None = SETTLE) -> str:
    everything = f"savedmodel-bench compare {OLD} {NEW} --run results/runs/desk/20260102T030405-0001 --format json"
    report = replace(report_comparison(comparison), everything=everything)
    commands = (Command("make bench", "run more blocks for this comparison"),)
    shown = with_comparison_screen(
        report, comparison, is_here=is_here, settle_command=settle, next_commands=commands if is_here else ()
    )
    return as_table(shown, 80)


def lines(text: str) -> int:
    """Return how many lines a terminal of 80 columns needs, which breaks a command where it ends."""
    return sum(max(1, -(-len(line) // 80)) for line in text.splitlines())


def one_line(text: str) -> str:
    return " ".join(text.split())


def noisy(known: int, metrics: Sequence[str]) -> Comparison:
    """Return a comparison in which nothing got worse in some rows and others are too noisy to tell."""
    fine = [row("artifact_bytes", f"mlp-{place}", Reason.EQUAL) for place in range(known)]
    return compared(*fine, *(row(name, f"mlp-{place}", Reason.TOO_NOISY) for place, name in enumerate(metrics)))


def eventful() -> Comparison:
    """Return a comparison in which everything happens at once, and of everything much."""
    judged = [name for name, metric in METRICS.items() if metric.judged]
    reasons = (Reason.BEYOND_MARGIN, Reason.TOO_NOISY, Reason.ALL_TAINTED, Reason.NEAR_MARGIN, Reason.TOO_FEW_BLOCKS)
    rows = [
        row(
            name, model, Reason.CHANGED if METRICS[name].kind is Kind.EXACT else reasons[place % 5],
            (0.5 if place % 3 == 0 else 1.2) + place / 50, pairs_dropped=5,
        )
        for place, name in enumerate(judged)
        for model in MODELS
    ]  # fmt: skip
    reason = "raised: " + "NotFoundError: Op type not registered 'SomethingCustom' in binary running on desk. " * 5
    failures = tuple(Failure(NEW, "cpu", f"{model}-l", "-", "load", "failed", reason, 3) for model in MODELS)
    more = [
        row(name, "mlp-l", reason) for reason in (Reason.ZERO_VARIANCE, Reason.FAILED) for name in ("save_later_s",)
    ]
    return compared(
        *rows, *more, failures=failures, tainted=321, taint_kinds={"steal": 300, "foreign-load": 21},
        notes=(SidesDiffer("Keras", "2.15.0", "3.15.1"), BlocksAdded(5), Said(GPU)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "comparison"),
    [
        ("screen_changes.txt", compared(
            *(row("save_later_s", model, Reason.BEYOND_MARGIN, 1.2 + place / 50) for place, model in enumerate(MODELS)),
            row("infer_p50_s", "conv-s", Reason.BEYOND_MARGIN, 0.7),
            row("artifact_bytes", "conv-s", Reason.CHANGED, 1.5),
            *(row("load_warm_s", model) for model in MODELS), row("import_s", "-", Reason.NEAR_MARGIN, 1.08),
            notes=(SidesDiffer("Keras", "2.15.0", "3.15.1"), Said(GPU)), tainted=1, taint_kinds={"cold-import": 1},
        )),
        ("screen_noisy.txt", noisy(59, ["save_later_s"] * 20 + ["load_warm_s"] * 11)),
        ("screen_eventful.txt", eventful()),
    ],
)  # fmt: skip
def test_screens_are_the_approved_ones_and_fit_80_columns_and_40_lines(name: str, comparison: Comparison) -> None:
    text = screen(comparison)
    if os.environ.get("SAVEDMODEL_BENCH_REGENERATE"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")
    assert lines(text) <= 38  # the path of the page follows
    assert all(len(line) <= 80 for line in text.splitlines() if "savedmodel-bench compare" not in line)


@pytest.mark.parametrize(
    ("comparison", "answer"),
    [
        (
            noisy(59, ["save_later_s"] * 20 + ["load_warm_s"] * 11),
            "nothing got slower by more than 10 %, or grew, in 59 of 90 comparisons; 31 are too noisy to tell here "
            "(mostly save times).",
        ),
        (noisy(2, []), "nothing got slower by more than 10 %, or grew, in 2 of 2 comparisons."),
        (
            noisy(1, ["save_later_s", "save_later_s", "load_warm_s"]),
            "mostly not known. Of 4 comparisons 3 are too noisy to tell here (mostly save times); in the other 1 "
            "nothing got slower by more than 10 %, or grew.",
        ),
        (compared(row("load_warm_s", reason=Reason.TOO_FEW_BLOCKS)),
         "no verdict yet. Of 1 comparison 1 has too few blocks to tell."),
        (compared(row("load_warm_s", reason=Reason.BEYOND_MARGIN, ratio=1.3), row("save_later_s"),
                  row("build_s", reason=Reason.ALL_TAINTED), row("import_s", reason=Reason.ALL_TAINTED)),
         "of 4 comparisons, 1 got worse, 1 is unchanged and 2 were disturbed by other load. - Loading is slower by 30 "
         "%."),
        (compared(), "nothing could be compared."),
    ],
)  # fmt: skip
def test_the_answer_is_a_sentence(comparison: Comparison, answer: str) -> None:
    assert f"2.21.0 against 2.20.0 on this machine: {answer}" in one_line(screen(comparison))
    assert f"2.21.0 against 2.20.0 on desk: {answer}" in one_line(screen(comparison, is_here=False))


def test_a_disturbed_or_noisy_machine_is_named_first_with_what_to_do() -> None:
    text = one_line(screen(noisy(59, ["save_later_s"] * 20 + ["load_warm_s"] * 11)))
    assert text.startswith(
        "The machine is too noisy for a margin of 10 % with 10 blocks: 31 of 31 comparisons of times"
    )
    assert "Half of them could only show a change of 38 % or more. Measure more blocks, or stop other programs." in text
    hopeless = compared(row("load_warm_s", reason=Reason.TOO_NOISY, blocks_needed=None))
    assert "More blocks would not help: stop other programs" in one_line(screen(hopeless))
    lost = compared(row("load_warm_s", reason=Reason.ALL_TAINTED), tainted=4, taint_kinds={"steal": 4})
    text = one_line(screen(lost))
    assert text.startswith("The machine was disturbed. 4 measurements were discarded: the hypervisor took the CPU away")
    assert "Stop other programs and repeat; `savedmodel-bench doctor` checks the machine." in text
    assert "To measure again, when nothing else runs here: savedmodel-bench compare" in text
    dropped = row("load_warm_s", pairs=10, pairs_dropped=2)
    assert screen(compared(dropped, taint_kinds={"steal": 2})).startswith("The machine was disturbed.")
    assert not screen(compared(dropped, taint_kinds={"cold-import": 2})).startswith("The machine was disturbed.")
    told = "In 1 block some rows have no usable measurement, because the hypervisor took the CPU away"
    for more, is_first in (("", True), (". 1 replacement block was measured", False)):
        text = one_line(screen(compared(row("load_warm_s"), notes=(Said(f"{told}{more}."),))))
        assert text.startswith("The machine was disturbed. In 1 block some rows") == is_first
    short = compared(row("load_warm_s", reason=Reason.ALL_TAINTED), shortfall="Every measurement was disturbed.")
    assert screen(short).startswith("Every measurement was disturbed.\n2.21.0 against 2.20.0")


def test_the_largest_changes_come_first_and_the_rest_are_counted() -> None:
    times = [name for name, metric in METRICS.items() if metric.judged and metric.kind is Kind.TIME][:12]
    worse = [row(name, reason=Reason.BEYOND_MARGIN, ratio=1.2 + place / 10) for place, name in enumerate(times)]
    better = [row(name, "conv-s", Reason.BEYOND_MARGIN, 0.8 - place / 100) for place, name in enumerate(times[:5])]
    changed = one_line(screen(compared(*worse, *better))).partition("What got worse, the largest first")[2]
    found = re.findall(r" ms (x\S+|[+-]\d+) ", changed)
    assert found[:2] == ["x2.3", "x2.2"]
    assert found[-3:] == ["-24", "-23", "-22"]
    assert f"and {17 - len(found)} more changes, smaller than these" in changed
    assert 8 <= len(found) <= 10


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_what_others_named_fits_and_moves_no_cursor(name: str) -> None:
    rows = [
        replace(row("load_warm_s", name, Reason.BEYOND_MARGIN, 1.3), metric=f"{name}{place}") for place in range(20)
    ]
    failures = (Failure(name, "cpu", name, name, "load", "failed", name, 3),)
    sides = [SubjectFacts(f"{name}{place}") for place in range(2)]
    strange = compared(*rows, machine={"name": name}, preset=name[:60], failures=failures, notes=(Said(name),))
    for text in (
        screen(replace(strange, old=sides[0], new=sides[1]), is_here=False, settle=None),
        check_screen(checked(State.ANSWERS, State.REFUSED, name=name), releases=2),
    ):
        assert text.isprintable() or all(line.isprintable() for line in text.splitlines())
        assert lines(text) <= 38


def test_one_command_decides_most_and_says_how_many() -> None:
    needed = [20, 27, 28, 190]
    rows = [row("load_warm_s", f"mlp-{n}", Reason.NEAR_MARGIN, blocks_needed=n) for n in needed[:2]]
    rows += [
        row("save_later_s", f"mlp-{place}", Reason.TOO_NOISY, blocks_needed=n) for place, n in enumerate(needed[2:])
    ]
    text = screen(compared(*rows, *(row("import_s") for _ in range(9))))
    assert text.count("--blocks") == 1
    assert "To decide them:\n    savedmodel-bench compare v2.20.0 v2.21.0 --preset quick --blocks 190" in text
    assert "--blocks" not in screen(compared(*rows), settle=None)
    few = compared(row("load_warm_s", reason=Reason.TOO_FEW_BLOCKS, blocks_needed=None))
    assert "To measure more:\n    savedmodel-bench compare v2.20.0 v2.21.0 --preset quick\n" in screen(few)


def test_what_qualifies_the_answer_is_short_and_stands_beside_it() -> None:
    notes = (SidesDiffer("Keras", "2.15.0", "3.15.1"), SidesDiffer("wheel", None, "cpu"), Unpaired(), BlocksAdded(5))
    text = one_line(screen(compared(row("load_warm_s"), notes=notes)))
    assert "- The two also differ in Keras (2.15.0, 3.15.1), wheel (not recorded, cpu), which may be the cause." in text
    assert "Note: The two releases were not measured in the same blocks" in text
    assert "Tested before" not in text  # nothing was found that could be a false alarm
    changed = compared(row("load_warm_s", reason=Reason.BEYOND_MARGIN, ratio=1.5), notes=notes)
    assert "- Tested before, after 5 blocks: confirm what is new with `compare --budget`." in one_line(screen(changed))


def test_all_of_it_is_printed_on_demand_and_markdown_has_it_folded(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("compare", Document(None, (Paragraph("all"),)), {}, screen=Document(None, (Paragraph("brief"),)))
    Output().put(report)
    Output(verbose=True).put(report)
    assert capsys.readouterr().out == "brief\nall\n"
    assert "all" in as_markdown(report)
    measured, read = (screen(compared(row("load_warm_s")), is_here=here) for here in (True, False))
    assert "--run results/runs/desk/20260102T030405-0001 --verbose" in measured
    assert "Every row: add --verbose. A page with figures and all evidence: add --html FILE." in read


def measured(releases: int, models: int, *metrics: str) -> RunFacts:
    return RunFacts(
        tuple(
            Measured(
                f"v2.{release}.0", name, METRICS[name].unit, "cpu", f"mlp-{model}", "tf-module/tf-load", 0.1 * release
            )
            for release in range(1, releases + 1)
            for name in metrics
            for model in range(models)
        )
    )


def run_screen(facts: RunFacts) -> str:
    report = Report("run", Document(None, ()), {}, everything="savedmodel-bench export --machine desk --format json")
    compare = "savedmodel-bench compare v2.1.0 v2.2.0 --run results/runs/desk/20260102T030405-0001"
    return as_table(with_run_screen(report, facts, plan="quick", blocks=3, compare=compare), 80)


def test_a_run_shows_the_numbers_looked_for_most_on_one_screen() -> None:
    timed = [name for name, metric in METRICS.items() if metric.unit == "seconds"]
    text = run_screen(measured(10, 12, *timed))
    assert lines(text) <= 38
    assert text.startswith("Measured 10 releases: 3 blocks of the test plan quick.")
    for name in ("repeated save", "load, warm", "inference", "v2.1.0", "v2.8.0", "v2.10.0", "6 more releases"):
        assert name in text
    assert "v2.2.0 " not in text.partition("Not shown")[0]
    few = run_screen(measured(2, 2, "load_warm_s", "save_first_s", "resave_s"))
    assert "first save  " in few  # a row that is looked for less has room here
    assert "Not shown: 2 more rows." in few  # which nobody looks for first
    assert "save of what was loaded  mlp-0  100 ms  200 ms" in one_line(run_screen(measured(2, 1, "resave_s"))).replace(
        "mlp-0 100 ms 200 ms", " mlp-0  100 ms  200 ms"
    )


LONG = Error("ValueError", "The graph of this model holds an op that this release does not have. " * 20)


def checked(*states: State, name: str = "pitch", advice: tuple[Advice, ...] = (), readers: int = 1) -> CheckedModel:
    facts = OwnModel(
        f"{name}@01234567", kind=SAVED_MODEL, path=f"/models/{name}", digest="0" * 64, size_bytes=1, inputs=(),
        signature="serving_default", inputs_told="random, seed 1",
    )  # fmt: skip
    cells = tuple(
        Try(f"v2.{12 + place}.0", reader, None, state, error=LONG if state is State.REFUSED else None)
        for reader in ("tf-load", "tfsm-layer", "v1-session", "keras-load")[:readers]
        for place, state in enumerate(states)
    )
    return CheckedModel(facts, cells, advice)


def check_screen(*models: CheckedModel, releases: int, unread: tuple[Unread, ...] = ()) -> str:
    check = Check(tuple(f"v2.{12 + place}.0" for place in range(releases)), "tf-load", models, unread)
    return as_table(with_check_screen(report_check(check), check), 80)


def test_a_check_of_ten_releases_has_a_column_for_neighbours_that_do_alike() -> None:
    states = [State.ANSWERS, *[State.EQUAL] * 4, *[State.REFUSED] * 5]
    advice = tuple(
        Advice("v2.21.0", f"remedy-{n}", True, f"do {n}", f"pip install {'x' * 40 * n}") for n in range(1, 6)
    )
    text = check_screen(checked(*states, advice=advice, readers=4), releases=10)
    assert "v2.12.0  v2.13.0 to v2.16.0  v2.17.0 to v2.21.0" in text
    assert lines(text) <= 38
    assert text.count("…") == 1  # the error is cut
    assert "pip install" in text
    assert "and 2 more remedies" in text
    assert "add --verbose" in text
    hopeless = check_screen(checked(*states), releases=10)
    assert "Nothing that was tried makes it work in v2.21.0." in hopeless
    fine = check_screen(checked(State.ANSWERS, State.EQUAL), releases=2)
    assert "Nothing that was tried" not in fine


def test_a_check_of_many_models_shows_those_that_fail_first() -> None:
    advice = (Advice("v2.13.0", "tf-keras-first", True, "install tf_keras", "pip install tf_keras"),)
    fine = [checked(State.ANSWERS, State.EQUAL, name=f"fine{place}") for place in range(30)]
    broken = [checked(State.ANSWERS, State.REFUSED, name=f"broken{place}", advice=advice) for place in range(3)]
    unread = tuple(Unread(f"/models/{place}", "is a Git LFS pointer, not the file itself. " * 9) for place in range(8))
    text = check_screen(*fine, *broken, releases=2, unread=unread)
    assert lines(text) <= 38
    assert text.index("broken2 ") < text.index("fine0 ")
    assert "more models" in text
    assert "What works: install tf_keras\n    pip install tf_keras\n" in text


@pytest.mark.slow
def test_the_screen_in_readme_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [".venv/bin/savedmodel-bench"])
    run = "results/reference/amd-epyc-2cpu-24gib/20261126T020132-9382"
    assert main(["compare", "2.15", "2.21", "--run", run]) == 1
    printed = capsys.readouterr().out
    assert lines(printed) <= 38
    assert textwrap.indent(printed, "    ") in (PROJECT / "README.md").read_text(encoding="utf-8")
