"""The report for a pull request: GitHub-flavoured Markdown, what is undecided folded away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.comparison import Comparison
from harness.remarks import Failure
from harness.report.multiples import Multiple, multiple_text, multiples
from harness.report.numbers import chance, count, interval, quantity
from harness.report.profiled import COLUMNS, HEADING, profiled
from harness.report.sections import by_metric, failure_groups, failure_text, gained, headline, lost, origin, sections
from harness.report.wording import (
    Places,
    blocks_text,
    change_text,
    finding_text,
    other_margin,
    same_within,
    title,
    would_have_shown,
)
from harness.verdict.rows import Row


def render_markdown(comparison: Comparison) -> str:
    """Return the report as Markdown; it starts with a second-level heading."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    parts = sections(comparison)
    yield f"## {escape(comparison.old.name)} → {escape(comparison.new.name)}"
    yield ""
    yield f"**{headline(comparison)}**"
    yield ""
    yield escape(f"{origin(comparison)}. {parts.places.legend}".strip())
    for note in comparison.notes:
        yield ""
        yield f"> **Note:** {escape(note)}"
    if parts.findings:
        yield from ("", "### Findings", "")
        yield from (f"- {escape(finding_text(finding, parts.places))}" for finding in parts.findings)
    for heading, rows in (
        ("Changed exactly", parts.changed_exactly),
        ("Regressions beyond the margin", parts.regressions),
        ("Improvements beyond the margin", parts.improvements),
    ):
        if rows:
            yield from ("", f"### {heading}", "")
            yield from _changes(rows, parts.places, comparison.blocks - comparison.further)
    if parts.equal or parts.changed_within:
        yield ""
        yield (
            f"{count(len(parts.equal), 'exact quantity', 'exact quantities')} equal, "
            f"{len(parts.changed_within)} changed by too little to matter."
        )
    if parts.same:
        heading = f"{len(parts.same)} the same within {same_within(parts.same, comparison.margin)}"
        yield from folded(heading, _same(parts.same, parts.places, comparison.margin))
    if parts.open_rows:
        yield from folded(f"{len(parts.open_rows)} undecided", _open(parts.open_rows, parts.places))
    moved = multiples(comparison.measured[1], comparison.floors)
    if moved:
        yield from folded("How far from what this hardware allows", _multiples(moved, parts.places))
    calls = profiled(*comparison.measured)
    if calls:
        each = [table_row((parts.places.place(one.place), *one.cells())) for one in calls]
        yield from folded(HEADING, [*table_head(("where",), COLUMNS), *each])
    if parts.one_sided:
        sides = ((lost(parts.one_sided), comparison.new.name), (gained(parts.one_sided), comparison.old.name))
        each = [
            f"- {escape(title(row.metric))}: {escape(parts.places.place(row))}: not in {name}"
            for rows, name in sides
            for row in rows
        ]
        yield from folded(f"{len(each)} measured on one side only", each)
    yield from failures(comparison.failures)


def failures(everything: Sequence[Failure]) -> Iterator[str]:
    """Yield what failed or is not supported, folded away; nothing where there is none of it."""
    each = [f"- {escape(failure_text(group))}" for group in failure_groups(everything)]
    if each:
        yield from folded(f"{len(each)} failed or not supported", each)


def table_head(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    """Yield the two lines that begin a table with columns of texts `left` and of numbers `right`."""
    yield table_row((*left, *right))
    yield "|" + "---|" * len(left) + "---:|" * len(right)


def table_row(cells: Iterable[str]) -> str:
    """Return a line of a table; the cells are escaped."""
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def folded(summary: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield what a reader has to open to see."""
    yield from ("", "<details>", f"<summary>{summary}</summary>", "")
    yield from lines
    yield from ("", "</details>")


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: reasons hold what an exception said."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*[]":
        flat = flat.replace(character, f"\\{character}")
    return flat


def _changes(rows: Iterable[Row], places: Places, blocks: int) -> Iterator[str]:
    yield from table_head(("what", "where"), ("old", "new", "change", "95 % interval", "q"))
    for row in rows:
        values = (quantity(row.old, row.unit), quantity(row.new, row.unit), change_text(row))
        yield table_row(
            (
                title(row.metric),
                places.place_and_blocks(row, blocks),
                *values,
                interval(row.low, row.high),
                chance(row.q),
            )
        )


def _same(rows: Iterable[Row], places: Places, margin: float) -> Iterator[str]:
    yield from table_head(("what", "where"), ())
    for metric, members in by_metric(rows).items():
        each = ((places.place(row), filter(None, (change_text(row), other_margin(row, margin)))) for row in members)
        yield table_row((title(metric), ", ".join(f"{place} ({', '.join(said)})" for place, said in each)))


def _open(rows: Iterable[Row], places: Places) -> Iterator[str]:
    yield from table_head(("what", "where"), ("change", "95 % interval", "would have shown", "settled by", "reason"))
    for row in rows:
        spans = (change_text(row), interval(row.low, row.high), would_have_shown(row), blocks_text(row))
        yield table_row((title(row.metric), places.place(row), *spans, row.reason.value))


def _multiples(found: Iterable[Multiple], places: Places) -> Iterator[str]:
    yield from table_head(("what", "where"), ("new", "floor", "times the floor"))
    for one in found:
        measured = one.measured
        values = (quantity(measured.value, measured.unit), quantity(one.floor_s, "seconds"), multiple_text(one))
        yield table_row((title(measured.metric), places.place(measured), *values))
