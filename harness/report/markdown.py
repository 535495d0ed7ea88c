"""The report for a pull request: GitHub-flavoured Markdown, what is undecided folded away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.comparison import Comparison
from harness.report.multiples import Multiple, multiple_text, multiples
from harness.report.numbers import chance, count, interval, quantity
from harness.report.profiled import COLUMNS, HEADING, profiled
from harness.report.sections import by_metric, failure_groups, failure_text, gained, headline, lost, origin, sections
from harness.report.wording import Places, blocks_text, change_text, finding_text, title, would_have_shown
from harness.verdict.rows import Row


def render_markdown(comparison: Comparison) -> str:
    """Return the report as Markdown; it starts with a second-level heading."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    parts = sections(comparison)
    yield f"## {_escape(comparison.old.name)} → {_escape(comparison.new.name)}"
    yield ""
    yield f"**{headline(comparison)}**"
    yield ""
    yield _escape(f"{origin(comparison)}. {parts.places.legend}".strip())
    for note in comparison.notes:
        yield ""
        yield f"> **Note:** {_escape(note)}"
    if parts.findings:
        yield from ("", "### Findings", "")
        yield from (f"- {_escape(finding_text(finding, parts.places))}" for finding in parts.findings)
    for heading, rows in (
        ("Changed exactly", parts.changed_exactly),
        ("Regressions beyond the margin", parts.regressions),
        ("Improvements beyond the margin", parts.improvements),
    ):
        if rows:
            yield from ("", f"### {heading}", "")
            yield from _changes(rows, parts.places)
    if parts.equal or parts.changed_within:
        yield ""
        yield (
            f"{count(len(parts.equal), 'exact quantity', 'exact quantities')} equal, "
            f"{len(parts.changed_within)} changed by too little to matter."
        )
    if parts.same:
        yield from _folded(f"{len(parts.same)} the same within the margin", _same(parts.same, parts.places))
    if parts.open_rows:
        yield from _folded(f"{len(parts.open_rows)} undecided", _open(parts.open_rows, parts.places))
    moved = multiples(comparison.rows, comparison.floors)
    if moved:
        yield from _folded("How far from what this hardware allows", _multiples(moved, parts.places))
    calls = profiled(comparison.rows)
    if calls:
        each = [_table_row((parts.places.place(one.busy), *one.cells())) for one in calls]
        yield from _folded(HEADING, [*_table_head(("where",), COLUMNS), *each])
    if parts.one_sided:
        sides = ((lost(parts.one_sided), comparison.new.name), (gained(parts.one_sided), comparison.old.name))
        each = [
            f"- {_escape(title(row.metric))}: {_escape(parts.places.place(row))}: not in {name}"
            for rows, name in sides
            for row in rows
        ]
        yield from _folded(f"{len(each)} measured on one side only", each)
    if comparison.failures:
        each = [f"- {_escape(failure_text(group))}" for group in failure_groups(comparison.failures)]
        yield from _folded(f"{len(each)} failed or not supported", each)


def _changes(rows: Iterable[Row], places: Places) -> Iterator[str]:
    yield from _table_head(("what", "where"), ("old", "new", "change", "95 % interval", "q"))
    for row in rows:
        values = (quantity(row.old, row.unit), quantity(row.new, row.unit), change_text(row))
        yield _table_row((title(row.metric), places.place(row), *values, interval(row.low, row.high), chance(row.q)))


def _same(rows: Iterable[Row], places: Places) -> Iterator[str]:
    yield from _table_head(("what", "where"), ())
    for metric, members in by_metric(rows).items():
        yield _table_row((title(metric), ", ".join(f"{places.place(row)} ({change_text(row)})" for row in members)))


def _open(rows: Iterable[Row], places: Places) -> Iterator[str]:
    yield from _table_head(("what", "where"), ("change", "95 % interval", "would have shown", "settled by", "reason"))
    for row in rows:
        spans = (change_text(row), interval(row.low, row.high), would_have_shown(row), blocks_text(row))
        yield _table_row((title(row.metric), places.place(row), *spans, row.reason.value))


def _multiples(found: Iterable[Multiple], places: Places) -> Iterator[str]:
    yield from _table_head(("what", "where"), ("new", "floor", "times the floor"))
    for one in found:
        values = (quantity(one.row.new, one.row.unit), quantity(one.floor_s, "seconds"), multiple_text(one))
        yield _table_row((title(one.row.metric), places.place(one.row), *values))


def _table_head(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    yield _table_row((*left, *right))
    yield "|" + "---|" * len(left) + "---:|" * len(right)


def _table_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _folded(summary: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", "<details>", f"<summary>{summary}</summary>", "")
    yield from lines
    yield from ("", "</details>")


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is: reasons hold what an exception said."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*[]":
        flat = flat.replace(character, f"\\{character}")
    return flat
