"""From the results' tables to a comparison: pairing over runs, what is judged, what is said beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from shown import as_json, as_markdown, as_table

from harness.answers.comparison import Comparison, compare_subjects, exact_only_cells
from harness.answers.notes import OwnInterpreters, Said, SidesDiffer, Unpaired
from harness.answers.sides import SubjectFacts
from harness.report.comparison import report_bench, report_comparison
from harness.report.notes import notes_text
from harness.report.sections import origin
from harness.store.frame import (
    failures_frame,
    repeats_frame,
    samples_frame,
    taint_kinds,
    tainted_frame,
    tainted_repeats,
)
from harness.verdict.margins import margin_table
from harness.verdict.rows import Method, Reason, Row, Verdict

COLUMNS = ["run", "block", "subject", "device", "model", "variant", "metric", "unit", "value", "n", "tainted"]
CELL = "tf-module/tf-load"
OLD, NEW = SubjectFacts("a"), SubjectFacts("b")
SETTLE = ["savedmodel-bench", "compare", "a", "b", "--preset", "quick"]
JITTER = (1.0, 1.01, 0.99, 1.005, 0.995, 1.002)


def table(rows: Iterable[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


def sample(
    subject: str, value: float, block: int = 0, *, run: str = "r1", model: str = "mlp-s", variant: str = CELL,
    metric: str = "load_warm_s", unit: str = "seconds", tainted: int = 0,
) -> tuple[object, ...]:  # fmt: skip
    return (run, block, subject, "cpu", model, variant, metric, unit, value, 3, tainted)


def timed(ratio: float, runs: tuple[str, str] = ("r1", "r1")) -> list[tuple[object, ...]]:
    old = [sample("a", value, block, run=runs[0]) for block, value in enumerate(JITTER)]
    new = [sample("b", ratio * value**2, block, run=runs[1]) for block, value in enumerate(JITTER)]
    return [*old, *new]


def compare(samples: pd.DataFrame, **options: object) -> Comparison:
    arguments = {"margins": margin_table(0.10), "machine": {"name": "desk"}, "preset": "quick", **options}
    return compare_subjects(samples, None, OLD, NEW, **arguments)  # type: ignore[arg-type]


def only(comparison: Comparison) -> Row:
    (row,) = comparison.rows
    return row


def test_a_regression_makes_exit_code_1() -> None:
    comparison = compare(table(timed(1.5)))
    assert only(comparison).verdict is Verdict.REGRESSION
    assert (comparison.blocks, comparison.paired, comparison.notes) == (6, True, ())
    assert comparison.exit_code() == 1
    assert comparison.exit_code(require_decision=True) == 1


def test_a_row_whose_every_repeat_was_disturbed_is_open_and_not_gone() -> None:
    samples = table([row for row in timed(1.0) if row[2] == "a"])
    place = {"metric": "load_warm_s", "device": "cpu", "model": "mlp-s", "variant": CELL}
    left_out = {"run": "r1", "subject": "b", **place}
    disturbed = compare(samples, tainted=pd.DataFrame([{**left_out, "repeats": 6, "blocks": 6}]), paired=True)
    assert (only(disturbed).reason, only(disturbed).tainted) == (Reason.ALL_TAINTED, 6)
    assert disturbed.exit_code(require_decision=True) == 2
    shown = as_table(report_comparison(disturbed), 140)
    assert "Inconclusive: other load disturbed one of the two releases in every round" in shown
    assert re.search(r"load, warm page cache .* idle machine$", shown, re.MULTILINE)
    markdown = as_markdown(report_comparison(disturbed))
    assert "<summary>Inconclusive: other load " in markdown
    assert re.search(r"^\| load, warm page cache \|.*\| idle machine \|$", markdown, re.MULTILINE)
    narrative = as_table(report_bench(disturbed, settle_command=SETTLE, next_commands=()))
    assert "1 comparison had no undisturbed pair of measurements: repeat this when" in narrative
    assert "--blocks" not in narrative
    nothing = compare(samples[:0], tainted=pd.DataFrame([{**left_out, "subject": name, "repeats": 6} for name in "ab"]))
    assert (only(nothing).reason, only(nothing).unit) == (Reason.ALL_TAINTED, "seconds")
    # A side that never had the metric is missing for another reason than the machine.
    other = compare(samples, tainted=pd.DataFrame([{**left_out, "subject": "a", "repeats": 6}]))
    assert only(other).reason is Reason.NOT_MEASURED


def test_what_neither_side_has_is_not_told_as_one_sided() -> None:
    place = {"metric": "load_warm_s", "device": "cpu", "model": "mlp-s", "variant": CELL}
    neither = compare(table([]), tainted=pd.DataFrame([{"run": "r1", "subject": "a", **place, "repeats": 6}]))
    assert only(neither).reason is Reason.NOT_MEASURED
    assert [row["reason"] for row in as_json(report_comparison(neither))["rows"]] == ["not-measured"]
    for report in (as_table(report_comparison(neither)), as_markdown(report_comparison(neither))):
        assert "only one" not in report
        assert "load, warm page cache" not in report


def test_of_a_missing_way_only_what_is_judged_is_listed() -> None:
    metrics = ("call_p50_s", "call_p90_s", "call_item_s", "novel_s")
    missing = compare(table(sample("a", 1.0, metric=metric, variant=f"{CELL} xla b1") for metric in metrics))
    assert len(as_json(report_comparison(missing))["rows"]) == 4
    shown = as_table(report_comparison(missing), 140)
    markdown = as_markdown(report_comparison(missing))
    for report in (shown, markdown):
        assert "Measured in only one of the two releases: 2" in report
        assert "inference latency, median" in report
        assert "novel_s" in report
        assert "90th percentile" not in report


def test_what_left_zero_reads_the_same_in_every_report() -> None:
    rows = [
        sample(subject, value, block, metric="cell_failed", unit="cells")
        for subject, value in (("a", 0), ("b", 2))
        for block in range(2)
    ]
    comparison = compare(table(rows))
    assert re.search(
        r"failed \(retried once\) +mlp-s +0 +2 +from 0$", as_table(report_comparison(comparison)), re.MULTILINE
    )
    assert "| mlp-s | 0 | 2 | from 0 |" in as_markdown(report_comparison(comparison))


def test_what_is_the_same_names_its_margin_where_it_is_not_the_presets() -> None:
    """A host peak counts from 4 MiB on, so the smaller it is, the wider its margin."""

    def peaks(subject: str, power: int) -> list[tuple[object, ...]]:
        return [
            sample(subject, peak * value**power, block, model=model, metric="load_host_peak_bytes", unit="bytes")
            for model, peak in (("mlp-s", 16e6), ("conv-s", 40e6))
            for block, value in enumerate(JITTER)
        ]

    rows = timed(1.0)
    assert "Unchanged, within 10 %\n" in as_table(report_comparison(compare(table(rows))))
    mixed = compare(table([*rows, *peaks("a", 1), *peaks("b", 2)]))
    shown = as_table(report_comparison(mixed), 140)
    assert "nothing got slower by more than 10 %, or larger, in 3 of 3 comparisons" in shown
    assert "Unchanged, within 10 % unless a row names another margin\n" in shown
    assert re.search(r"load, warm page cache +mlp-s +\+0\.03 %$", shown, re.MULTILINE)
    peaks_row = r"conv-s \(within 12 %\), mlp-s \(within 36 %\)[ |]+0\.0 \.\. 0\.0 %"
    assert re.search(peaks_row, shown)
    markdown = as_markdown(report_comparison(mixed))
    assert "<summary>Unchanged, within 10 % unless a row names another margin</summary>" in markdown
    assert re.search(peaks_row, markdown)


def test_a_heading_leaves_out_the_numbers_in_which_its_rows_differ() -> None:
    rows = [
        sample(subject, value, block, model=model)
        for model, blocks in (("mlp-s", 2), ("conv-s", 3))
        for subject in "ab"
        for block, value in enumerate(JITTER[:blocks], start=1)
    ]
    rows = [(*row[:8], row[8] * (1.01 if row[2] == "b" and row[1] == 2 else 1), *row[9:]) for row in rows]
    both = as_table(report_comparison(compare(table(rows))))
    assert "Inconclusive: too few blocks for a verdict\n" in both
    alone = compare(table(row for row in rows if row[4] == "mlp-s"))
    assert "Inconclusive: too few blocks (2) for a verdict\n" in as_table(report_comparison(alone))


def failed(subject: str, reason: str, model: str = "mlp-s", count: int = 1) -> tuple[object, ...]:
    return ("r1", subject, "cpu", model, CELL, "load", "failed", reason, count)


def with_failures(*failures: tuple[object, ...]) -> Comparison:
    columns = ["run", "subject", "device", "model", "variant", "operation", "status", "reason", "count"]
    found = pd.DataFrame(failures, columns=columns)
    return compare_subjects(
        table(timed(1.0)), found, OLD, NEW, margins=margin_table(0.1), machine={"name": "desk"}, preset="quick"
    )


def test_failures_that_differ_in_their_text_alone_are_one_line() -> None:
    comparison = with_failures(
        failed("a", "timeout"), failed("b", "no variable_1"), failed("b", "no variable_7", count=3), failed("b", "hung")
    )
    lines = [
        line.strip() for line in as_table(report_comparison(comparison), 140).splitlines() if "load on cpu" in line
    ]
    assert lines == [
        f"b, load on cpu mlp-s {CELL}: no variable_7 (5 measurements, and 2 other reasons)",
        f"a, load on cpu mlp-s {CELL}: timeout (1 measurement)",
    ]
    markdown = as_markdown(report_comparison(comparison))
    assert "2 operations failed; see Failed below." in markdown
    assert "### Failed\n" in markdown
    assert [line for line in markdown.splitlines() if "load on cpu" in line] == [f"- {line}" for line in lines]
    assert len(as_json(report_comparison(comparison))["failures"]) == 4


def test_failures_of_the_old_side_hide_none_of_the_new_one() -> None:
    old = [failed("a", f"reason {number}", model=f"deep-{number}") for number in range(20)]
    comparison = with_failures(*old, failed("b", "killed by signal 11 (SIGSEGV)"))
    shown = as_table(report_comparison(comparison), 140)
    assert "b, load on cpu mlp-s" in shown
    assert "... and 9 more" in shown


def test_what_a_side_lost_stands_apart_from_what_it_gained() -> None:
    ways = {"a": "v1-session", "b": "tfsm-layer"}
    rows = [
        sample(side, 1.0, 0, metric="call_p50_s", variant=f"{CELL} {way} b{batch}")
        for side, way in ways.items()
        for batch in (1, 32)
    ]
    lines = as_table(report_comparison(compare(table(rows))), 140).splitlines()
    lost, gained = (next(line for line in lines if f"({way})" in line) for way in ways.values())
    assert lost.split()[-4:] == ["measured", "in", "2", "n/a"]
    assert gained.split()[-4:] == ["n/a", "measured", "in", "2"]


def test_an_open_row_makes_exit_code_2_only_on_demand() -> None:
    comparison = compare(table(timed(1.10)))
    assert only(comparison).verdict is Verdict.INCONCLUSIVE
    assert comparison.exit_code() == 0
    assert comparison.exit_code(require_decision=True) == 2
    assert compare(table(timed(1.0))).exit_code(require_decision=True) == 0


def test_nothing_judged_is_no_decision() -> None:
    nothing = compare(table([]))
    assert nothing.exit_code() == 3
    assert nothing.exit_code(require_decision=True) == 2


def test_blocks_of_equal_number_in_two_runs_are_two_blocks() -> None:
    comparison = compare(table([*timed(1.0), *[("r2", *row[1:]) for row in timed(1.0)]]))
    assert comparison.blocks == 12
    assert only(comparison).blocks == 12


def test_sides_from_different_runs_are_compared_unpaired_and_the_report_says_so() -> None:
    comparison = compare(table(timed(1.5, ("r1", "r2"))))
    assert not comparison.paired
    assert only(comparison).method is Method.WELCH_T
    assert comparison.notes == (Unpaired(),)
    report = report_comparison(comparison)
    assert "not measured in the same blocks" in report.notes[0]
    assert f"Note: {report.notes[0]}" in " ".join(as_table(report).split())
    assert comparison.blocks == 6


def test_other_subjects_of_the_run_do_not_matter() -> None:
    others = [sample("c", 9.0, block) for block in range(9)]
    assert compare(table([*timed(1.5), *others])).rows == compare(table(timed(1.5))).rows


def test_of_an_exact_only_cell_times_are_shown_and_sizes_judged() -> None:
    size = [
        sample(subject, 5e6, block, metric="artifact_bytes", unit="bytes", variant="tf-module")
        for subject in "ab"
        for block in range(2)
    ]
    rows = compare(table([*timed(1.5), *size]), exact_only={("mlp-s", "tf-module")}).rows
    assert [(row.metric, row.judged) for row in rows] == [("artifact_bytes", True), ("load_warm_s", False)]
    assert rows[1].reason is Reason.NOT_JUDGED


def test_metrics_of_no_known_name_are_shown() -> None:
    rows = [sample(subject, 1.0 + block, block, metric="novel_s") for subject in "ab" for block in range(5)]
    assert not only(compare(table(rows))).judged


def test_margins_follow_the_kind_and_the_overrides() -> None:
    assert only(compare(table(timed(1.0)))).margin == 0.10
    assert only(compare(table(timed(1.0)), margins=margin_table(0.1, {"load_warm_s/*": 0.3}))).margin == 0.3


def test_failures_counted_as_zero_on_both_sides_make_no_row() -> None:
    def failed(old: float, new: float) -> pd.DataFrame:
        values = {"a": old, "b": new}
        return table(
            sample(subject, values[subject], block, metric="cell_failed", unit="cells")
            for subject in "ab"
            for block in range(2)
        )

    assert compare(failed(0, 0)).rows == ()
    row = only(compare(failed(0, 3)))
    assert (row.verdict, row.ratio, row.old, row.new) == (Verdict.REGRESSION, None, 0, 3)


def test_rows_stand_in_the_order_of_metrics_then_sizes() -> None:
    models = ("mlp-l", "mlp-s", "mlp-xs", "mlp-m", "conv-s")
    rows = [sample(subject, 1.0, model=model) for model in models for subject in "ab"]
    rows += [sample("a", 1.0, metric="import_s", model="-", variant="-")]
    ordered = compare(table(rows)).rows
    assert [row.metric for row in ordered[:2]] == ["import_s", "load_warm_s"]
    assert [row.model for row in ordered[1:]] == ["conv-s", "mlp-xs", "mlp-s", "mlp-m", "mlp-l"]


def test_batches_stand_in_the_order_of_numbers() -> None:
    rows = [
        sample(subject, 1.0, metric="call_p50_s", variant=f"{CELL} {way}b{batch}")
        for batch in (1, 128, 256, 32, 8)
        for way in ("", "xla ")
        for subject in "ab"
    ]
    variants = [row.variant for row in compare(table(rows)).rows]
    batches = (1, 8, 32, 128, 256)
    assert variants == [f"{CELL} {way}b{batch}" for way in ("", "xla ") for batch in batches]


def test_differences_of_the_sides_are_said_on_top() -> None:
    old = SubjectFacts("a", keras="2.15.0", policy="today", wheel="cpu", python="3.11")
    new = replace(old, name="b", keras="3.12.0", policy="at-release")
    notes = compare_subjects(
        table(timed(1.0)), None, old, new, margins=margin_table(0.1), machine={}, preset="q", notes=(Said("One more."),)
    ).notes
    assert notes == (
        SidesDiffer("Keras", "2.15.0", "3.12.0"), SidesDiffer("lock policy", "today", "at-release"), Said("One more."),
    )  # fmt: skip
    assert notes_text(notes) == (
        "The two sides also differ in Keras (2.15.0 and 3.12.0), so Keras may be the cause of a change.",
        "The two sides also differ in lock policy (today and at-release), so any dependency may be the cause of a "
        "change.",
        "One more.",
    )


def test_an_interpreter_of_its_own_is_told_once_and_lacks_nothing() -> None:
    locked = SubjectFacts("v2.20.0", keras="3.15.1", policy="today", wheel="cpu", python="3.11")
    bound = SubjectFacts.of({"name": "patched", "keras": "3.15.1", "python": "3.11", "installation": {"keras": None}})
    for sides in ((locked, bound), (bound, locked)):
        (note,) = compare_subjects(
            table([]), None, *sides, margins=margin_table(0.1), machine={}, preset="q", paired=True
        ).notes
        assert note == OwnInterpreters(("patched",))
        assert notes_text([note])[0].startswith(
            "patched uses your own TensorFlow installation. Its build and its dependencies are not pinned"
        )
    other = replace(bound, name="vendor", keras="3.14.0")
    notes = compare_subjects(
        table([]), None, bound, other, margins=margin_table(0.1), machine={}, preset="q", paired=True
    ).notes
    assert notes == (OwnInterpreters(("patched", "vendor")), SidesDiffer("Keras", "3.15.1", "3.14.0"))
    assert notes_text(notes)[0].startswith("patched and vendor use your own TensorFlow installations.")


def test_subject_facts_come_from_run_json() -> None:
    facts = {"name": "a", "python": "3.11.9", "keras": None, "wheel": "cuda", "release_id": "f" * 40}
    assert SubjectFacts.of(facts) == SubjectFacts("a", wheel="cuda", python="3.11")
    assert SubjectFacts.of({"name": "a", "python": "/opt/tf/bin/python"}).python is None


def test_exact_only_cells_are_those_that_no_other_group_times() -> None:
    def group(exact: bool, *cells: tuple[str, str]) -> dict[str, object]:
        return {"exact_only": exact, "cells": [{"model": model, "writer": writer} for model, writer in cells]}

    preset = {
        "groups": [group(True, ("mlp-s", "keras-export"), ("mlp-s", "tf-module")), group(False, ("mlp-s", "tf-module"))]
    }
    assert exact_only_cells(preset) == {("mlp-s", "keras-export")}
    assert exact_only_cells({}) == frozenset()


@pytest.fixture
def stored_run(tmp_path: Path) -> Path:
    """A run as the store keeps it: six blocks, b loads 50 % slower, fails once a block, cannot keras-export."""
    cell = {"device": "cpu", "model": "mlp-s", "writer": "tf-module", "reader": "tf-load"}
    exporting = {**cell, "writer": "keras-export"}
    records: list[dict[str, object]] = []
    for block, jitter in enumerate(JITTER):
        for subject, ratio in (("a", 1.0), ("b", 1.5)):
            shared = {
                "type": "repeat", "block": block, "subject": subject, "operation": "load", "page_cache": "warm",
                "isolation": "fork", "started_at": 0.0, "wall_s": 1.0, "absent": [], "phases": [], "evidence": {},
            }  # fmt: skip
            measured = {"metric": "load_warm_s", "value": ratio * jitter ** (1 + (subject == "b"))}
            good = {**shared, "cell": cell, "status": "ok", "reason": None, "metrics": [measured], "repeat": 0}
            records.append({**good, "taints": []})
            records.append({**good, "taints": ["throttle: 5 events"], "repeat": 1})
            if subject == "b":
                bad = {**shared, "metrics": [], "taints": []}
                records.append({**bad, "cell": cell, "status": "failed", "reason": "timeout", "repeat": 2})
                reason = "unsupported: AttributeError: export"
                records.append({**bad, "cell": exporting, "status": "unsupported", "reason": reason, "repeat": 0})
        records.append({"type": "block", "block": block, "duration_s": 1.0, "complete": True})
    run = {
        "schema": 1, "run": "r1", "kind": "compare", "created_at": "2026-01-02T03:04:05+00:00", "state": "complete",
        "subjects": [{"name": "a"}, {"name": "b"}], "machine": {"name": "desk"}, "fingerprint": "0" * 64,
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return tmp_path


def test_a_stored_run_from_records_to_verdicts(stored_run: Path) -> None:
    repeats = repeats_frame([stored_run])
    comparison = compare_subjects(
        samples_frame(repeats),
        failures_frame(repeats),
        OLD,
        NEW,
        margins=margin_table(0.10),
        machine={"name": "desk"},
        preset="quick",
        tainted=tainted_frame(repeats),
        tainted_repeats=tainted_repeats(repeats, ("a", "b")),
        taint_kinds=taint_kinds(repeats, ("a", "b")),
        further=[5, 6],
    )
    assert origin(comparison) == (
        "Test plan quick; changes in time up to 10 % are ignored; 6 blocks, each with both releases (1 replacement "
        "block included); machine desk. 12 measurements were discarded: the GPU was throttled (12)."
    )
    assert [(row.metric, row.verdict, row.reason) for row in comparison.rows] == [
        ("load_warm_s", Verdict.REGRESSION, Reason.BEYOND_MARGIN),
        ("cell_failed", Verdict.REGRESSION, Reason.CHANGED),
    ]
    assert comparison.rows[0].tainted == comparison.tainted == 12
    for report in (
        as_table(report_comparison(comparison), 160),
        as_markdown(report_comparison(comparison)),
        as_table(report_bench(comparison, settle_command=SETTLE, next_commands=())),
    ):
        assert "12 measurements were discarded: the GPU was throttled (12)." in " ".join(report.split())
    told = as_json(report_comparison(comparison))
    assert (told["tainted"], told["taint_kinds"]) == (12, {"throttle": 12})
    found = [(failure.status, failure.variant, failure.reason, failure.count) for failure in comparison.failures]
    assert found == [
        ("failed", CELL, "timeout", 6),
        ("unsupported", "keras-export/tf-load", "unsupported: AttributeError: export", 6),
    ]
