"""What is printed survives: names that hold anything, numbers of any size, comments that have an end, old encodings."""

from __future__ import annotations

import io
import json
import math
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from asv_directories import MACHINE, benchmark, commit, write_benchmarks, write_results
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from shown import as_markdown, as_table
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main
from harness.report import markdown_writer
from harness.report.asv_summary import bars
from harness.report.document import Command, Document, Item, Items, Note, Paragraph, Report, Section, table
from harness.report.markdown_writer import MOST_BYTES, MarkdownWriter
from harness.report.names import distinct, one_line, shortened
from harness.report.numbers import chance, change, factor, hundredths, interval, percent, plain, quantity, rate

ANYTHING = st.text(
    st.sampled_from("ab1 |`*_[]()<>&#+-=~$@!\\\n\r\t\x1b\x00\u2028\u202e\ud800é→.:'\"") | st.characters()
)
ON_ANY_MACHINE = settings(deadline=None, max_examples=60)
NASTY = "<b>x</b> | `y` *z* _w_ [l](u) ~~s~~ $m$\n# h & \\| \x1b[31m"


def tokens(markdown: str) -> list[Token]:
    """Return what a page shows: GitHub's tables and strike-through beside CommonMark."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)


def shown(markdown: str) -> list[str]:
    """Return the text of each cell, paragraph, heading and item, as a reader sees it."""
    return [
        "".join(part.content for part in token.children or () if part.type not in ("html_inline", "code_open"))
        for token in tokens(markdown)
        if token.type == "inline"
    ]


def rows_of(markdown: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    found: list[list[str]] = []
    is_cell = False
    for token in tokens(markdown):
        if token.type == "tr_open":
            found.append([])
        elif is_cell:
            found[-1].append("".join(part.content for part in token.children or () if part.type != "html_inline"))
        is_cell = token.type in ("th_open", "td_open")
    return found


@ON_ANY_MACHINE
@given(cell=ANYTHING, other=ANYTHING)
@example(cell=NASTY, other="@tf.function #12")
def test_markdown_shows_every_text_as_it_is(cell: str, other: str) -> None:
    report = MarkdownWriter()
    report.heading("head")
    report.table(("what", "where"), [(cell, other)])
    report.items([markdown_writer.Item(other, (cell,)), cell])
    expected = [one_line(text) for text in (cell, other)]
    text = report.text()
    assert rows_of(text) == [["what", "where"], expected]
    listed = [line.strip("\xa0") for line in shown(text)[5:]]
    assert [line for line in listed if line] == [line for line in (expected[1], *expected[:1] * 2) if line]
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"html_block", "fence", "code_block", "hr", "blockquote_open", "ordered_list_open"}
    assert sum(token.type == "heading_open" for token in tokens(text)) == 1


@ON_ANY_MACHINE
@given(text=ANYTHING)
def test_paragraphs_notes_and_folded_headings_stay_what_they_are(text: str) -> None:
    assume(one_line(text) and "`" not in text)
    report = MarkdownWriter()
    report.paragraph(text)
    report.note(text)
    with report.folded(text):
        report.paragraph("inside")
    whole = report.text()
    assert shown(whole) == [one_line(text), f"Note: {one_line(text)}", "inside"]
    assert whole.count("<summary>") == whole.count("</summary>") == 1


def test_commands_in_sentences_are_code_to_be_copied() -> None:
    report = MarkdownWriter()
    report.paragraph("Ask `savedmodel-bench doctor --floors` first, not `a_b|c`.")
    assert report.text() == "Ask `savedmodel-bench doctor --floors` first, not `a_b|c`.\n"


@ON_ANY_MACHINE
@given(
    parts=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 200), st.booleans()), min_size=1, max_size=8),
    most=st.integers(2_000, 6_000),
)
def test_a_report_keeps_to_its_bytes_and_counts_what_it_leaves_out(
    parts: list[tuple[int, int, bool]], most: int
) -> None:
    report = MarkdownWriter("savedmodel-bench tell --format json")
    for number, size, is_folded in parts:
        row = ["é" * size, "x"]
        if is_folded:
            with report.folded("evidence"):
                report.table(("what", "where"), [row] * number)
        else:
            report.items(row[:1] * number, "change")
    text = report.text(most)
    assert len(text.encode()) <= most
    assert text.count("<details>") == text.count("</details>")
    rows = sum(number for number, _, is_folded in parts if is_folded)
    findings = sum(number for number, _, is_folded in parts if not is_folded)
    kept_rows = text.count("\n| é")
    kept_findings = text.count("- é")
    closing = text.rpartition("**Left out")[2]
    for total, kept, noun in ((rows, kept_rows, "row"), (findings, kept_findings, "change")):
        counted = re.search(rf"([\d,]+) {noun}", closing)
        assert total - kept == (int(counted[1].replace(",", "")) if counted and "**Left out" in text else 0)
    assert ("`savedmodel-bench tell --format json`" in closing) == (rows + findings > kept_rows + kept_findings)


@ON_ANY_MACHINE
@given(names=st.lists(ANYTHING, min_size=1, max_size=8, unique=True), longest=st.integers(3, 30))
def test_shortened_names_stay_distinguishable(names: list[str], longest: int) -> None:
    found = distinct(names, longest)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(names)
    for name, text in found.items():
        assert "\n" not in text
        if len(one_line(name)) <= longest and list(map(one_line, names)).count(one_line(name)) == 1:
            assert text == one_line(name)


def test_what_names_have_in_common_is_cut_and_their_ends_are_kept() -> None:
    names = [f"package.module_of_benchmarks.Suite.time_{what}_{size}" for what in ("fill", "solve") for size in (1, 2)]
    assert list(distinct(names, 24).values()) == [
        "….Suite.time_fill_1", "….Suite.time_fill_2", "….Suite.time_solve_1", "….Suite.time_solve_2",
    ]  # fmt: skip
    assert shortened("a message that goes on and on until it says why", 20).endswith("il it says why")


@ON_ANY_MACHINE
@given(
    value=st.floats()
    | st.sampled_from([0.0, math.inf, math.nan, 1e308, 5e-324, -1e308, 1e15, 999_999_999_999_999.9, float(10**200)]),
    low=st.floats(),
)
def test_no_number_has_more_digits_than_it_has_information(value: float, low: float) -> None:
    texts = [quantity(value, unit) for unit in ("seconds", "CPU seconds", "bytes", "ratio", "points")]
    texts += [
        change(value),
        percent(value),
        chance(min(abs(value), 1.0)),
        factor(value),
        hundredths(value),
        plain(value),
    ]
    texts += [rate(value, "bytes"), *interval(low, value).split(" .. ")]
    assert max(map(len, texts)) <= 27, texts
    assert not any("inf" in text or "nan" in text for text in texts)
    for text in texts[:2]:
        assert value == 0 or not re.fullmatch(r"-?0(\.0*)? \w*s", text)


def test_bars_show_numbers_of_any_size() -> None:
    assert bars([1e308, -1e308, 0.0]) == "█▁▅"
    assert bars([5e-324, 5e-324]) == "▄▄"


def test_plain_tables_keep_a_row_a_line_and_their_columns_in_place() -> None:
    rows = [("two\nlines\x1b[0m", "1"), ("日本", "22"), ("end", "333")]
    lines = as_table(Report("x", Document(None, (table(("what",), ("n",), rows),)), {})).splitlines()
    assert [re.split(" {2,}", line) for line in lines] == [
        ["what", "n"], ["two lines�[0m", "1"], ["日本", "22"], ["end", "333"],
    ]  # fmt: skip
    assert {line.rstrip()[-1] for line in lines} == {"n", "1", "2", "3"}
    assert len({len(line) for line in (lines[0], lines[1], lines[3])}) == 1


def test_a_listing_keeps_a_row_a_line_where_other_tables_are_broken() -> None:
    rows = [("a name that is longer than its column " * 4, "b" * 60, "1"), ("a", "b", "22")]
    for is_listing in (True, False):
        part = table(("what", "where"), ("how many there are",), rows, is_listing=is_listing)
        lines = as_table(Report("x", Document(None, (part,)), {}), 80).splitlines()
        assert (len(lines) == 3) == is_listing


@pytest.mark.parametrize("width", [80, 100])
def test_commands_and_numbers_are_never_cut_or_broken(width: int) -> None:
    command = "savedmodel-bench compare " + " ".join(f"--model 'mlp-{number}'" for number in range(30))
    cells = ("a name that is longer than its column " * 4, *("123 456 789 KiB",) * 3)
    parts = (Items((Item("what", (Command(command, "to measure"),)),)), table(("what",), ("one", "two", "3"), [cells]))
    text = as_table(Report("x", Document(None, parts), {}), width)
    assert sum(line.strip() == command for line in text.splitlines()) == 1
    assert text.count("123 456 789 KiB") == 3
    assert f"`{command}`" in as_markdown(Report("x", Document(None, parts), {}))


def test_every_part_of_a_document_shows_texts_as_they_are() -> None:
    parts = (Paragraph(NASTY), Note(NASTY), Items((Item(NASTY, (NASTY,)),)), Section(NASTY, (Paragraph("inside"),)))
    report = Report("x", Document(NASTY, (*parts, table((NASTY,), (), [(NASTY,)]))), {})
    plain = as_table(report, 500)
    assert plain.count(one_line(NASTY)) == 8
    assert "\x1b" not in plain
    assert rows_of(as_markdown(report)) == [[one_line(NASTY)]] * 2
    assert "inside" in shown(as_markdown(report))


SUITE = "a_package_of_benchmarks.a_module_with_a_long_name.SuiteOfTests"
PARAMETERS = ["<class 'numpy.uint64'>", "array([[1, 2],\n       [3, 4]])", "a|`b`*_c_", "'@someone #1'"]


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    suite = [{**benchmark(f"s.time_p{n}"), "params": [PARAMETERS], "param_names": ["p"]} for n in range(2)]
    for number in range(8):
        values = {one["name"]: [[1.0 + (number > 3)] * 5] * len(PARAMETERS) for one in suite}
        write_results(tmp_path / "results", number, values, suite)
    write_benchmarks(tmp_path / "results", *suite)
    return tmp_path / "results"


@pytest.mark.parametrize("command", ["summary", "history", "compare"])
def test_parameters_of_any_kind_come_through_every_command(
    results: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    more = {"compare": [commit(1), commit(6)], "summary": ["--changes"]}.get(command, [])
    assert main([command, *more, "--results", str(results), "--format", "markdown"]) in (0, 1)
    told = capsys.readouterr().out
    rows = rows_of(told)
    assert {len(row) for row in rows} == (set() if command == "history" else {6})
    texts = " ".join([*(cell for row in rows for cell in row), *shown(told)])
    for parameter in PARAMETERS:
        assert one_line(parameter) in texts
    assert "<class" not in told
    assert "@someone" not in told
    assert main([command, *more, "--results", str(results)]) in (0, 1)
    assert one_line(PARAMETERS[1]) in " ".join(capsys.readouterr().out.split())


def many(results: Path, number: int, factors: tuple[float, float]) -> list[str]:
    """Write two commits with so many benchmarks of five parameters, and return the benchmarks' names."""
    names = [f"{SUITE}{place % 10}.time_operation_{place}" for place in range(number)]
    parameters = [[str(10**power) for power in range(5)]]
    suite = {name: {**benchmark(name), "params": parameters, "param_names": ["n"]} for name in names}
    write_benchmarks(results, *suite.values())
    (results / MACHINE).mkdir()
    for side, factor_of_side in enumerate(factors):
        values = [[factor_of_side * (1 + 0.001 * sample) for sample in range(5)]] * 5
        document = {
            "version": 2,
            "commit_hash": commit(side),
            "date": 1_700_000_000_000 + side,
            "env_name": "py",
            "params": {"machine": MACHINE},
            "result_columns": ["result", "params", "version", "samples"],
            "results": {name: [[factor_of_side] * 5, parameters, "1", values] for name in names},
        }
        (results / MACHINE / f"{commit(side)[:8]}-py.json").write_text(json.dumps(document))
    return names


def test_a_comparison_of_thousands_of_rows_fits_in_a_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results = tmp_path / "results"
    names = many(results, 130, (1.0, 2.0))
    arguments = ["compare", "--results", str(results), commit(0), commit(1), "--margin", "0.2"]
    assert main([*arguments, "--format", "markdown"]) == 1
    told = capsys.readouterr().out
    assert 50_000 < len(told.encode()) <= MOST_BYTES
    assert told.index("### Changes") < told.index("### Regressions")
    assert told.count("\n- ") == len(names)
    left_out = re.search(r"\*\*Left out here.*: ([\d,]+) rows\.\*\* `([^`]+)` prints", told)
    assert left_out is not None
    assert len(rows_of(told)) - 1 + int(left_out[1].replace(",", "")) == 5 * len(names)
    command = shlex.split(left_out[2])[1:]
    assert command == [*arguments, "--format", "json"]
    assert main(command) == 1
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 5 * len(names)


def test_long_names_differ_in_every_row_of_terminal_and_markdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    many(tmp_path / "results", 20, (1.0, 2.0))
    arguments = ["compare", "--results", str(tmp_path / "results"), commit(0), commit(1), "--format"]
    main([*arguments, "markdown"])
    whats = {tuple(row[:2]) for row in rows_of(capsys.readouterr().out)}
    assert len(whats) == 1 + 100
    assert max(len(what) for what, _ in whats) <= 60
    main([*arguments, "table"])
    told = capsys.readouterr().out
    assert "--format json has them whole" in " ".join(told.split())
    for place in range(20):
        assert re.search(rf"operation_{place}:", told)


@pytest.mark.parametrize(("encoding", "sign"), [("ascii", "->"), ("latin-1", "->"), ("utf-8", "→")])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_encoding_that_lacks_a_character_gets_another_one(
    encoding: str, sign: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, stream, io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    # An argument that is no UTF-8 reaches Python as half of a character.
    assert main(["compare", "a", "b", "--results", "no-→-\udcff-µ-▁█"]) == 3
    print("bars ▁█ → \udcff", file=getattr(sys, stream))
    told = raw.getvalue().decode(encoding)
    assert f"{sign} ?" in told
    assert ("bars _#" in told) == (encoding != "utf-8")


@pytest.mark.parametrize("form", ["table", "markdown", "json", "csv"])
def test_files_are_utf_8_whatever_the_terminal_is(
    results: Path, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    path = tmp_path / "report"
    assert main(["summary", "--results", str(results), "--format", form, "--output", str(path)]) == 0
    assert ("▁" in path.read_text(encoding="utf-8")) == (form in ("table", "markdown"))


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def test_records_of_many_models_fit_in_a_comment_with_all_that_stands_below(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        {**record, "cell": {**record["cell"], "model": f"mlp-<{number}>{'-' * 500}"}} if record.get("cell") else record
        for number in range(110)
        for record in blocks({OLD: [1.0], NEW: [2.0]})[: None if number == 109 else 2]
    ]
    store_run(root, records)
    assert main(["summary", "--format=markdown", "--changes", "--output", "report.md"]) == 0
    assert capsys.readouterr().out == ""
    told = (root / "report.md").read_text(encoding="utf-8")
    assert len(told.encode()) <= MOST_BYTES
    assert "mlp-&lt;" in told
    assert "## Over releases" in told
    left_out = r"Left out here, since a comment holds no more: [\d,]+ rows\.\*\* `\S+ summary --changes --format json`"
    assert re.search(left_out, told)
    (row,) = (row for row in rows_of(told) if f"mlp-<0>{'-' * 500}" in row)
    assert len(row) == 8


def test_a_finding_without_a_place_or_a_ratio_is_a_whole_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    suite = [benchmark("s.time_plain"), benchmark("s.time_far"), benchmark("s.time_pair", [[1, 2]])]
    write_benchmarks(tmp_path / "results", *suite)
    for number, factor_of_side in enumerate((1.0, 3.0)):
        noisy = [factor_of_side * (1 + 0.001 * sample) for sample in range(6)]
        values = {"s.time_plain": noisy, "s.time_pair": [noisy, noisy], "s.time_far": [1e-30, 1e300][number]}
        values["s.time_far"] = [values["s.time_far"] * (1 + 0.001 * sample) for sample in range(6)]
        write_results(tmp_path / "results", number, values, suite)
    assert main(["compare", "--results", str(tmp_path / "results"), commit(0), commit(1)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "s.time_plain: slower, x3.00 (q <0.001)." in told
    assert "s.time_pair: slower in 2 rows, x3.00 .. x3.00, most in " in told
    assert "s.time_far: slower, from 1.00e-21 ns to 1.00e+300 s (q <0.001)." in told


def render_nothing(write: Callable[[MarkdownWriter], None]) -> str:
    report = MarkdownWriter()
    write(report)
    return report.text()


def test_the_command_that_has_everything_reads_the_run_that_was_judged(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MarkdownWriter, "text", lambda writer: writer.everything)
    run = store_run(root, blocks({OLD: [1.0] * 5, NEW: [2.0] * 5}))
    chosen = ["--run", str(run.path.relative_to(root)), "--device", "cpu", "--model", "mlp-*"]
    margin = ["--margin", "load_*=0.5"]
    main(["compare", OLD[1:], NEW, *chosen, *margin, "--format", "markdown"])
    command = shlex.split(capsys.readouterr().out)[1:]
    assert command == ["compare", OLD, NEW, *chosen, *margin, "--format", "json"]
    main(command)
    assert json.loads(capsys.readouterr().out)["rows"]


def test_empty_parts_write_nothing() -> None:
    assert render_nothing(lambda report: report.paragraph("")) == "\n"
    assert render_nothing(lambda report: report.items([])) == "\n"
