"""What other programs read of a report: JUnit XML, GitHub's job summary and annotations, the page beside a run."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from pages import HOSTILE, report_of
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.answers.judging import compare_in_run
from harness.cli import main
from harness.commands.shared.output import Output, page_of_run
from harness.report.document import Case, Document, Outcome, Paragraph, Report
from harness.report.github import workflow_commands
from harness.report.junit import junit

SLOWER = {OLD: [1.0, 1.01, 0.99, 1.0, 1.01], NEW: [1.5, 1.51, 1.49, 1.5, 1.51]}


def report(*cases: Case, shortfall: str | None = None) -> Report:
    return Report("compare", Document(None, (Paragraph("text"),)), {}, cases=cases, shortfall=shortfall)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path)
    stored = store_run(root, blocks(SLOWER))
    monkeypatch.chdir(root)
    return stored.path


def test_a_case_a_row_with_the_reason_where_it_failed(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    assert main(["compare", OLD, NEW, "--run", str(run), "--junit", str(path), "--format", "json"]) == 1
    suite = ElementTree.parse(path).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped"), suite.get("errors")) == (
        "1",
        "1",
        "0",
        "0",
    )
    (case,) = suite
    assert (case.get("classname"), case.get("name")) == ("load, warm page cache", "mlp-s")
    assert str(case[0].get("message")).startswith("1.00 s to 1.50 s, +49.9 % (95 % interval")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_junit_is_xml_whatever_a_stranger_names(name: str) -> None:
    suite = ElementTree.fromstring(junit(report_of(name)))[0]
    assert [len(case) for case in suite] == [1, 1, 0]


def test_too_little_measured_is_an_error_of_its_own_and_no_verdicts_are_one_case() -> None:
    suite = ElementTree.fromstring(junit(report(shortfall="Half was disturbed.")))[0]
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")


def test_a_workflow_shows_what_got_worse_and_keeps_to_ten_annotations() -> None:
    cases = [Case("load", f"model {at}", Outcome.FAILED, "slower by 10 %\n::set-output x::y") for at in range(30)]
    lines = list(workflow_commands(report(*cases, Case("save", "m", Outcome.PASSED), shortfall="short")))
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 10
    assert errors[0] == "::error title=load%3A model 0::slower by 10 %25 ::set-output x::y"
    assert "21 more" in errors[-1]
    assert lines[-1] == "::warning title=savedmodel-bench::short"
    assert not any("\n" in line for line in lines)


def test_in_a_workflow_the_answer_is_added_to_the_summary_and_printed_output_stays_clean(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    main(["compare", OLD, NEW, "--run", str(run)])
    printed = capsys.readouterr()
    assert summary.read_text().startswith("before\n## v2.20.0 to v2.21.0\n")
    assert "::error title=load, warm page cache%3A mlp-s" in printed.err.replace("%2C", ",")
    assert "::error" not in printed.out


def test_a_page_that_was_asked_for_is_written_beside_what_is_printed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compare", OLD, NEW, "--run", str(run), "--html", str(tmp_path / "page.html")])
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{NEW[1:]} against {OLD[1:]} on ")
    assert "page.html" in printed.err
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_reading_a_run_writes_nothing_into_it(run: Path) -> None:
    before = sorted(run.iterdir())
    main(["compare", OLD, NEW, "--run", str(run)])
    assert sorted(run.iterdir()) == before


def test_what_was_just_measured_has_its_page_beside_its_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.store.runs import open_run

    comparison = compare_in_run(open_run(run), OLD, NEW)
    path = page_of_run(comparison)
    assert path == run / "v2-20-0-v2-21-0.html"
    assert Output().put(report(), page=path) == 0
    assert path.exists()
    assert "v2-20-0-v2-21-0.html" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_fails_only_where_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "none" / "page.html"
    assert Output().put(report(), page=nowhere) == 0
    assert "cannot be written" in capsys.readouterr().err
    run = store_run(project_root(tmp_path / "project"), blocks(SLOWER)).path
    assert main(["compare", OLD, NEW, "--run", str(run), "--html", str(nowhere)]) == 3
    assert "give another --html" in capsys.readouterr().err
