"""What reports print survives: texts that hold anything, numbers of any size, comments that have an end."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from shown import as_markdown, as_table, rows_of, texts_of, tokens

from harness.report import markdown_writer
from harness.report.document import Command, Document, Item, Items, Note, Paragraph, Report, Section, table
from harness.report.markdown_writer import MarkdownWriter
from harness.report.names import distinct, one_line, shortened
from harness.report.numbers import chance, change, factor, hundredths, interval, percent, plain, quantity, rate
from harness.report.sparkline import bars

ANYTHING = st.text(
    st.sampled_from("ab1 |`*_[]()<>&#+-=~$@!\\\n\r\t\x1b\x00\u2028\u202e\ud800é→.:'\"") | st.characters()
)
ON_ANY_MACHINE = settings(deadline=None, max_examples=60)
NASTY = "<b>x</b> | `y` *z* _w_ [l](u) ~~s~~ $m$\n# h & \\| \x1b[31m"


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
    listed = [line.strip("\xa0") for line in texts_of(text)[5:]]
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
    assert texts_of(whole) == [one_line(text), f"Note: {one_line(text)}", "inside"]
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
    assert "inside" in texts_of(as_markdown(report))


def render_nothing(write: Callable[[MarkdownWriter], None]) -> str:
    report = MarkdownWriter()
    write(report)
    return report.text()


def test_empty_parts_write_nothing() -> None:
    assert render_nothing(lambda report: report.paragraph("")) == "\n"
    assert render_nothing(lambda report: report.items([])) == "\n"
