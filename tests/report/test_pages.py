"""What each question's page holds: the answer in words, its evidence, and figures of what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import Page
from stored_runs import MACHINE, NEW, OLD, block_end, blocks, project_root, store_run

from harness.answers.cold_start import cold_starts
from harness.answers.comparison import Comparison
from harness.answers.courses import courses_of_releases, steps_between_releases
from harness.answers.judging import compare_in_run
from harness.answers.measured import Measured
from harness.answers.records_history import judged_samples
from harness.cli import main
from harness.machine.gpu.tracker import thinned
from harness.report import figures
from harness.report.comparison import report_comparison
from harness.report.document import Answer, Document, Figure, Part, Section, Style, Table, Tone
from harness.report.formats import render
from harness.report.pages.comparison import comparison_page
from harness.report.pages.courses import course_sections, finding_figure
from harness.report.pages.finding_words import answer_sentences
from harness.report.pages.heat import heat_section
from harness.store.runs import RunDirectory
from harness.verdict.course import Change, Course, Finding, Shape

SIX = [1.0, 1.01, 0.99, 1.0, 1.01, 0.99]


def run_of(root: Path, ratios: dict[str, float], old: str = OLD, new: str = NEW, **named: Any) -> RunDirectory:
    """Store a run of six blocks in which each metric is `ratio` times as much in the new release."""
    records = []
    for metric, ratio in ratios.items():
        values = {old: [0.2 * one for one in SIX], new: [0.2 * one * ratio for one in SIX[::-1]]}
        operation = "save" if metric.startswith("save") else "load"
        records += [one for one in blocks(values, metric=metric, operation=operation) if one["type"] == "repeat"]
    records.sort(key=lambda record: record["block"])
    for block in range(len(SIX)):
        records.append(block_end(block))
    return store_run(root, records, subjects=(old, new), **named)


def comparison_of(root: Path, ratios: dict[str, float]) -> Comparison:
    return compare_in_run(run_of(root, ratios), OLD, NEW)


def parts_of(parts: tuple[Part, ...]) -> Iterator[Any]:
    """Yield every part, those in sections and in the rows of tables too."""
    for part in parts:
        yield part
        if isinstance(part, Section):
            yield from parts_of(part.parts)
        if isinstance(part, Table):
            for row in part.rows:
                yield from parts_of(row.details)


def all_of(document: Document, kind: type) -> list[Any]:
    return [part for part in parts_of(document.parts) if isinstance(part, kind)]


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        (
            {"load_warm_s": 1.5, "save_first_s": 1.2},
            ("Loading and saving are slower by 20 to 50 %.",),
        ),
        ({"load_warm_s": 1.3, "save_first_s": 1.0}, ("Loading is slower by 30 %.", "Saving did not change.")),
        (
            {"load_warm_s": 0.5, "save_first_s": 1.0},
            (
                "Nothing got slower or larger by more than 10 % in 2 of 2 comparisons.",
                "Loading is faster by 50 %.",
                "Saving did not change.",
            ),
        ),
        ({"load_warm_s": 1.0}, ("Nothing got slower or larger by more than 10 % in 1 of 1 comparison.",)),
    ],
)
def test_the_answer_names_what_moved_by_how_much_and_what_stayed(
    tmp_path: Path, ratios: dict[str, float], said: tuple[str, ...]
) -> None:
    comparison = comparison_of(project_root(tmp_path), ratios)
    assert answer_sentences(replace(comparison, shortfall=None)) == said


def test_what_is_too_little_to_be_an_answer_is_said_first(tmp_path: Path) -> None:
    comparison = comparison_of(project_root(tmp_path), {"load_warm_s": 1.5})
    short = replace(comparison, shortfall="Half of it was disturbed.")
    assert answer_sentences(short)[0] == "Half of it was disturbed."


def test_where_most_is_open_that_is_said_first_with_the_reason_and_what_decides_it(tmp_path: Path) -> None:
    noisy = [0.2, 0.9, 0.3, 1.0, 0.25, 0.8]
    records = blocks({OLD: noisy, NEW: noisy[::-1]})
    comparison = compare_in_run(store_run(project_root(tmp_path), records), OLD, NEW)
    (said,) = answer_sentences(replace(comparison, shortfall=None))
    assert said.startswith("1 of 1 comparison are inconclusive, most of them because: too noisy")
    document = comparison_page(comparison, settle_command=("savedmodel-bench", "compare", OLD, NEW))
    section = next(one for one in all_of(document, Section) if one.anchor == "inconclusive")
    assert str(section.parts[0].rows[0].cells[0]).startswith("too noisy")


def test_a_finding_opens_to_the_very_blocks_that_were_measured(tmp_path: Path) -> None:
    comparison = comparison_of(project_root(tmp_path), {"load_warm_s": 1.5, "save_first_s": 1.0})
    document = comparison_page(comparison)
    changed = next(part for part in document.parts if isinstance(part, Section) and part.title == "What changed")
    rows = next(part for part in changed.parts if isinstance(part, Table)).rows
    assert [(row.tone, row.anchor) for row in rows] == [(Tone.WORSE, "worse load_warm_s")]
    drawing = next(part.drawing for part in rows[0].details if isinstance(part, Figure))
    assert isinstance(drawing, figures.Pairs)
    assert [pair.old for pair in drawing.pairs] == pytest.approx([0.2 * one for one in SIX])
    assert [pair.new for pair in drawing.pairs] == pytest.approx([0.3 * one for one in SIX[::-1]])
    assert drawing.low is not None
    assert drawing.low < drawing.ratio < drawing.high  # type: ignore[operator]
    assert (drawing.margin, drawing.tone) == (0.10, "worse")


def test_every_judged_row_is_on_the_page_and_can_be_found_by_verdict_and_kind(tmp_path: Path) -> None:
    comparison = comparison_of(project_root(tmp_path), {"load_warm_s": 1.5, "save_first_s": 1.0})
    table = next(one for one in all_of(comparison_page(comparison), Table) if one.name == "comparisons")
    assert sorted(row.tags for row in table.rows) == [("unchanged", "time"), ("worse", "time")]
    assert {row.group for row in table.rows} == {"Save", "Load"}
    assert sum(column.is_extra for column in table.columns) >= 5


def test_parts_of_a_cold_start_follow_each_other_and_absent_ones_are_no_zero() -> None:
    def one(subject: str, metric: str, value: float | None) -> Measured:
        device = "-" if metric == "import_s" else "cpu"
        place = ("-", "-") if metric in ("import_s", "device_init_s") else ("mlp-s", "tf-module/tf-load")
        return Measured(subject, metric, "seconds", device, *place, value)

    measured = [
        one(subject, metric, value)
        for subject, values in {"v1": (1.0, None, 0.5, 0.1), "v2": (2.0, 0.1, 0.5, None)}.items()
        for metric, value in zip(("import_s", "device_init_s", "load_cold_s", "first_call_s"), values, strict=True)
    ]
    (start,) = cold_starts(measured)
    assert (start.subject, start.parts_s, start.total_s) == ("v1", (1.0, None, 0.5, 0.1), pytest.approx(1.6))


def test_courses_have_an_interval_from_three_blocks_on_and_steps_are_those_of_paired_runs(tmp_path: Path) -> None:
    root = project_root(tmp_path)
    run_of(root, {"load_warm_s": 1.5})
    store_run(root, blocks({"v2.19.1": [0.2, 0.21]}), subjects=("v2.19.1",))
    judged = judged_samples(root)
    (course,) = courses_of_releases(judged.samples, judged.order)
    assert [point.subject for point in course.points] == ["v2.19.1", OLD, NEW]
    few, old, new = course.points
    assert (few.low, few.blocks) == (None, 2)
    assert old.low is not None
    assert old.low < old.value == pytest.approx(0.2, rel=0.01)
    assert new.value / old.value == pytest.approx(1.5, rel=1e-6)
    steps = steps_between_releases(root, judged.order)
    assert steps.row(course, OLD, NEW).verdict == "regression"  # type: ignore[union-attr]
    assert steps.row(course, "v2.19.1", OLD) is None
    (heat,) = heat_section([course], steps)
    (row,) = next(part for part in heat.parts if isinstance(part, Table)).rows
    unpaired, called = row.cells[-2:]
    assert (str(unpaired).endswith("·"), str(called), called.tone) == (True, "+50 %", Tone.WORSE)  # type: ignore[union-attr]
    (section,) = course_sections([course], steps)
    marks = [mark for part in parts_of((section,)) for mark in _marks(part)]
    assert [(mark.place, mark.is_worse) for mark in marks] == [(2, True)]


def _marks(part: Any) -> tuple[figures.Mark, ...]:
    found = getattr(part, "figures", ())
    return tuple(mark for one in found for mark in one.drawing.marks)


def test_a_long_course_is_thinned_without_losing_where_it_changed_or_how_far_it_went() -> None:
    values = tuple([1.0] * 700 + [2.0] + [1.3] * 699)
    course = Course(("desk", "env", "time_fill"), "n=1", "seconds", tuple(range(1400)), values)
    change = Change(course, Shape.STEP, 701, 700, 1399, 1.0, 1.3, 0.001)
    finding = Finding(course.group, Shape.STEP, 701, 700, (change,))
    drawing = finding_figure(finding, [f"c{place}" for place in range(1400)]).drawing
    assert isinstance(drawing, figures.Courses)
    (line,) = drawing.lines
    assert len(line.points) <= 125
    assert max(point.high or 0 for point in line.points) == 2.0
    assert drawing.places[drawing.marks[0].place] == "c701"
    assert drawing.places[0] in ("c10", "c11")
    assert len(json.dumps(figures.plain(drawing))) < 20_000


def test_memory_over_time_has_the_cycles_as_stretches(tmp_path: Path) -> None:
    evidence = {
        "device_track": {"series": [[0.0, 1000], [0.5, 9000], [1.0, 2000]]},
        "cycles": {"called_s": [0.6, 1.4], "released_s": [0.8, 1.6]},
    }
    cell = {"device": "gpu", "model": "mlp-s", "writer": "tf-module", "reader": "tf-load"}
    named = {"cell": cell, "operation": "memory", "metric": "host_retained_bytes", "evidence": evidence}
    records = blocks({OLD: [1.0, 1.0], NEW: [1.0, 1.0]}, **named)
    comparison = compare_in_run(store_run(project_root(tmp_path), records), OLD, NEW)
    assert [one.subject for one in comparison.timelines] == [OLD, NEW]
    drawing = next(one for one in all_of(comparison_page(comparison), Section) if one.title == "GPU memory over time")
    timeline = drawing.parts[1].figures[0].drawing
    assert timeline.steps == ((0.0, 1000.0), (0.5, 9000.0), (1.0, 2000.0))
    assert timeline.stretches[:2] == (("load and call", 0.0, 0.6), ("release", 0.6, 0.8))


def test_report_writes_everything_of_the_results_to_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project_root(tmp_path)
    run_of(root, {"load_warm_s": 1.5})
    monkeypatch.chdir(root)
    assert main(["report"]) == 0
    path = root / "results" / "report.html"
    assert str(path.relative_to(root)) in capsys.readouterr().err
    text = path.read_text()
    assert {"steps", "heat", "courses", "numbers", "how-to-read-rows"} <= set(Page(text).ids)
    assert MACHINE in text
    assert "loading is slower by" in Page(text).texts["p"][1]


def test_a_document_without_a_page_of_its_own_is_rendered_as_it_is(tmp_path: Path) -> None:
    comparison = comparison_of(project_root(tmp_path), {"load_warm_s": 1.5})
    text = render(report_comparison(comparison), "html", Style())
    assert "load, warm page cache" in text
    assert isinstance(comparison_page(comparison).parts[0], Answer)


def test_a_record_keeps_the_peak_of_a_long_series_in_few_points() -> None:
    series = [(at / 1000, 9999 if at == 1234 else 1000 + at % 7) for at in range(2000)]
    kept = thinned(series)
    assert len(kept) <= 300
    assert kept == sorted(kept)
    assert (max(used for _, used in kept), kept[0]) == (9999, series[0])
    assert thinned(series[:50]) == series[:50]
