"""The terminal's report: tables by rich, at the width it is given."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.comparison import Comparison
from harness.remarks import Failure
from harness.report.multiples import HEADING as FLOORS_HEADING
from harness.report.multiples import multiple_text, multiples
from harness.report.names import one_line, printable
from harness.report.numbers import chance, change, count, interval, quantity
from harness.report.profiled import COLUMNS, HEADING, profiled
from harness.report.sections import (
    Sections,
    blocks_to_ask_for,
    by_metric,
    failure_groups,
    failure_text,
    gained,
    headline,
    lost,
    origin,
    sections,
)
from harness.report.wording import (
    Places,
    blocks_text,
    change_text,
    finding_text,
    other_margin,
    same_within,
    shared_reason_text,
    would_have_shown,
)
from harness.verdict.rows import Reason, Row, Verdict

_MOST_FAILURES = 12


def render_table(
    comparison: Comparison,
    *,
    width: int = 100,
    colour: bool = False,
    shown: bool = False,
    settle_command: str | None = None,
) -> str:
    """Return the report for a terminal `width` columns wide.

    `shown` adds the rows that are not judged; `settle_command` is what measures these sides, "--blocks N" is appended.
    """
    below = settle(comparison, settle_command) if settle_command else ()
    return to_text([*top(comparison), *body(comparison, shown=shown), *below], width=width, colour=colour)


def top(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield what stands first: who is compared, how, what qualifies it, and the answer in a sentence."""
    yield Text(f"{comparison.old.name} -> {comparison.new.name}", style="bold")
    yield Text(f"{origin(comparison)}.")
    for note in comparison.notes:
        yield Text(f"Note: {one_line(note)}", style="yellow")
    yield Text()
    yield Text(f"Answer: {headline(comparison)}", style="bold")
    parts = sections(comparison)
    if parts.places.legend:
        yield Text(parts.places.legend, style="dim")
    if parts.findings:
        yield from section("Findings (rows of one metric that moved together are one finding)")
        for finding in parts.findings:
            yield indented(f"{finding_text(finding, parts.places)}.")


def body(comparison: Comparison, *, shown: bool = False) -> Iterator[RenderableType]:
    """Yield the sections, the sure ones first; empty ones are left out."""
    parts = sections(comparison)
    yield from _exact(parts)
    places, blocks = parts.places, comparison.blocks - comparison.further
    if parts.regressions:
        yield from section(
            "Slower or larger: regressions beyond the margin", _changes(parts.regressions, places, blocks)
        )
    if parts.improvements:
        yield from section(
            "Faster or smaller: improvements beyond the margin", _changes(parts.improvements, places, blocks)
        )
    if parts.same:
        heading = f"Same, within {same_within(parts.same, comparison.margin)}"
        yield from section(heading, _same(parts.same, places, comparison.margin))
    for rows in parts.open.values():
        yield from section(f"Undecided ({rows[0].reason}): {shared_reason_text(rows)}", _open(rows, places))
    if parts.one_sided:
        yield from section("Measured on one side only", _one_sided(parts.one_sided, comparison))
    if shown and parts.shown:
        yield from section("Shown, not judged", _changes(parts.shown, places, blocks))
    elif parts.shown:
        names = "; ".join(dict.fromkeys(places.title(row.metric) for row in parts.shown))
        yield from section(f"Measured, not judged ({count(len(parts.shown), 'row')}, see --format json)")
        yield indented(names)
    yield from _multiples(comparison)
    calls = profiled(*comparison.measured)
    if calls:
        table = grid("where", right=COLUMNS)
        for one in calls:
            add_row(table, places.place(one.place), *one.cells())
        yield from section(HEADING, table)
    yield from failures(comparison.failures)


def settle(comparison: Comparison, command: str) -> Iterator[RenderableType]:
    """Yield what would decide the open rows, nothing where there are none; `command` gets "--blocks N"."""
    open_rows = sections(comparison).open_rows
    if not open_rows:
        return
    yield from section("To settle what is undecided")
    asked = blocks_to_ask_for(open_rows)
    if asked is not None:
        blocks, settled = asked
        yield indented(f"{command} --blocks {blocks}")
        rows = count(len(open_rows), "undecided row")
        yield indented(f"should settle {settled} of {rows}, if what may be unchanged is unchanged.")
    hopeless = [row for row in open_rows if row.blocks_needed is None and row.spread is not None]
    if hopeless:
        yield indented(
            f"For {count(len(hopeless), 'row')} even 200 blocks would not do: the change lies at the margin or the "
            "machine is too noisy for it. A quieter machine or a wider margin would help."
        )
    disturbed = [row for row in open_rows if row.reason is Reason.ALL_TAINTED]
    if disturbed:
        yield indented(
            f"For {count(len(disturbed), 'row')} a side has no calm repeat: repeat the comparison when nothing else "
            "runs on the machine."
        )
    failed = [row for row in open_rows if row.reason is Reason.FAILED]
    if failed:
        yield indented(f"{count(len(failed), 'row')} failed on both sides: mend what `Failed` says, then repeat.")
    if any(row.reason is Reason.NO_COMMON_BLOCKS for row in open_rows):
        yield indented("Rows without a block that holds both sides need the comparison to be repeated.")


def to_text(parts: Iterable[RenderableType], *, width: int, colour: bool) -> str:
    """Render to a string without trailing blanks."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def failures(everything: Sequence[Failure]) -> Iterator[RenderableType]:
    """Yield what failed and what is not supported; of each the first dozen, and how many more there are."""
    for status, heading in (("failed", "Failed"), ("unsupported", "Not supported")):
        found = failure_groups(failure for failure in everything if failure.status == status)
        if not found:
            continue
        yield from section(heading)
        for group in found[:_MOST_FAILURES]:
            yield indented(failure_text(group))
        if len(found) > _MOST_FAILURES:
            yield indented(f"... and {len(found) - _MOST_FAILURES} more: --format json names all.")


def section(heading: str, content: RenderableType | None = None) -> Iterator[RenderableType]:
    """Yield an empty line, a heading, and below it what belongs to it."""
    yield Text()
    yield Text(heading, style="bold")
    if content is not None:
        yield Padding(content, (0, 0, 0, 2))


def indented(text: str) -> Padding:
    """Return a paragraph below a heading."""
    return Padding(Text(printable(text)), (0, 0, 0, 2))


def grid(*left: str, right: tuple[str, ...]) -> Table:
    """Return an empty table with these columns: texts `left`, numbers `right`."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in left:
        table.add_column(name, overflow="fold")  # the end of a name is what tells it from others
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def add_row(table: Table, *cells: str, style: str = "") -> None:
    """Add a row to a grid; what would break a line, or move the cursor, is made harmless."""
    table.add_row(*(Text(one_line(cell)) for cell in cells), style=style)


def _exact(parts: Sections) -> Iterator[RenderableType]:
    if not parts.changed_exactly and not parts.changed_within and not parts.equal:
        return
    yield from section("What changed exactly (bytes, files, nodes: the same number in every block)")
    if parts.changed_exactly:
        yield Padding(_changes(parts.changed_exactly, parts.places), (0, 0, 0, 2))
    else:
        yield indented("Nothing.")
    if parts.changed_within:
        for metric, rows in by_metric(parts.changed_within).items():
            each = ", ".join(f"{parts.places.place(row)} {change_text(row)}".strip() for row in rows)
            yield indented(f"Changed by too little to matter: {parts.places.title(metric)}: {each}.")
    if parts.equal:
        others = "other " if parts.changed_exactly or parts.changed_within else ""
        yield indented(f"Equal: {count(len(parts.equal), others + 'exact quantity', others + 'exact quantities')}.")


def _changes(rows: Iterable[Row], places: Places, blocks: int | None = None) -> Table:
    """Return a table of changes; `blocks` are the comparison's, None for exact rows, which have no interval."""
    table = grid("what", "where", right=("old", "new", "change", *(() if blocks is None else ("95 % interval", "q"))))
    for row in rows:
        where = places.place(row) if blocks is None else places.place_and_blocks(row, blocks)
        cells = [places.title(row.metric), where, quantity(row.old, row.unit), quantity(row.new, row.unit)]
        cells.append(change_text(row))
        if blocks is not None:
            cells += [interval(row.low, row.high), chance(row.q)]
        add_row(table, *cells, style=_style(row))
    return table


def _same(rows: Iterable[Row], places: Places, margin: float) -> Table:
    table = grid("what", "where", right=("changes seen",))
    for metric, members in by_metric(rows).items():
        ratios = [row.ratio for row in members if row.ratio is not None]
        seen = change(ratios[0]) if len(ratios) == 1 else interval(min(ratios), max(ratios)) if ratios else ""
        each = ((places.place(row), other_margin(row, margin)) for row in members)
        where = ", ".join(f"{place} ({within})" if within else place for place, within in each)
        add_row(table, places.title(metric), where, seen)
    return table


def _open(rows: Iterable[Row], places: Places) -> Table:
    table = grid("what", "where", right=("change", "95 % interval", "would have\nshown", "settled by"))
    for row in rows:
        cells = (places.title(row.metric), places.place(row), change_text(row), interval(row.low, row.high))
        add_row(table, *cells, would_have_shown(row), blocks_text(row))
    return table


def _one_sided(rows: Sequence[Row], comparison: Comparison) -> Table:
    table = grid("what", "where", right=(comparison.old.name, comparison.new.name))
    places = Places.of(comparison.rows)
    # What the new side lost and what it gained stand apart, also where a metric has both.
    for some in (lost(rows), gained(rows)):
        for metric, members in by_metric(some).items():
            where = ", ".join(places.place(row) for row in members)
            unit = members[0].unit
            sides = (_side([row.old for row in members], unit), _side([row.new for row in members], unit))
            add_row(table, places.title(metric), where, *sides)
    return table


def _side(values: list[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "n/a"
    return quantity(known[0], unit) if len(values) == 1 else f"measured in {len(known)}"


def _multiples(comparison: Comparison) -> Iterator[RenderableType]:
    found = multiples(comparison.measured[1], comparison.floors)
    if not found:
        return
    places = Places.of(comparison.rows)
    table = grid("what", "where", right=(comparison.new.name, "floor", "times the floor"))
    for one in found:
        measured = one.measured
        what = (places.title(measured.metric), places.place(measured), quantity(measured.value, measured.unit))
        add_row(table, *what, quantity(one.floor_s, "seconds"), multiple_text(one))
    yield from section(FLOORS_HEADING, table)


def _style(row: Row) -> str:
    return {Verdict.REGRESSION: "red", Verdict.IMPROVEMENT: "green"}.get(row.verdict, "")
