"""The comparison for a pull request: GitHub-flavoured Markdown, what is undecided folded away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.comparison import Comparison
from harness.remarks import Failure
from harness.report.markdown_writer import MarkdownWriter
from harness.report.multiples import HEADING as FLOORS_HEADING
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
    would_have_shown,
)
from harness.verdict.rows import Row

_MOST_PLACES = 20
"""Places that one cell names; JSON has all."""


def render_markdown(comparison: Comparison, *, everything: str | None = None) -> str:
    """Return the report as Markdown that fits in a comment; it starts with a second-level heading.

    `everything` is the command that prints what has no room, by default the same one with `--format json`.
    """
    report, parts = MarkdownWriter(everything), sections(comparison)
    places, blocks = parts.places, comparison.blocks - comparison.further
    report.heading(f"{comparison.old.name} → {comparison.new.name}")
    report.paragraph(headline(comparison), strong=True)
    report.paragraph(f"{origin(comparison)}. {places.legend}")
    for note in comparison.notes:
        report.note(note)
    if parts.findings:
        report.heading("Findings", 3)
        report.items((finding_text(finding, places) for finding in parts.findings), "finding")
    for heading, rows in (
        ("Changed exactly", parts.changed_exactly),
        ("Regressions beyond the margin", parts.regressions),
        ("Improvements beyond the margin", parts.improvements),
    ):
        if rows:
            report.heading(heading, 3)
            _changes(report, rows, places, blocks)
    if parts.equal or parts.changed_within:
        report.paragraph(
            f"{count(len(parts.equal), 'exact quantity', 'exact quantities')} equal, "
            f"{len(parts.changed_within)} changed by too little to matter."
        )
    if parts.same:
        with report.folded(f"{len(parts.same)} the same within {same_within(parts.same, comparison.margin)}"):
            _same(report, parts.same, places, comparison.margin)
    if parts.open_rows:
        with report.folded(f"{len(parts.open_rows)} undecided"):
            _open(report, parts.open_rows, places)
    moved = multiples(comparison.measured[1], comparison.floors)
    if moved:
        with report.folded(FLOORS_HEADING):
            _multiples(report, moved, places)
    calls = profiled(*comparison.measured)
    if calls:
        with report.folded(HEADING):
            rows_of_calls = [(places.place(one.place), *one.cells()) for one in calls]
            report.table(("where", *COLUMNS), rows_of_calls, numbers=range(1, 1 + len(COLUMNS)))
    if parts.one_sided:
        sides = ((lost(parts.one_sided), comparison.new.name), (gained(parts.one_sided), comparison.old.name))
        with report.folded(f"{len(parts.one_sided)} measured on one side only"):
            report.items((f"{places.row(row)}: not in {name}" for rows, name in sides for row in rows), "row")
    write_failures(report, comparison.failures)
    return report.text()


def write_failures(report: MarkdownWriter, everything: Sequence[Failure]) -> None:
    """Add what failed or is not supported, folded away; nothing where there is none of it."""
    groups = failure_groups(everything)
    if groups:
        with report.folded(f"{len(groups)} failed or not supported"):
            report.items(map(failure_text, groups), "failure")


def _changes(report: MarkdownWriter, rows: Iterable[Row], places: Places, blocks: int) -> None:
    report.table(
        ("what", "where", "old", "new", "change", "95 % interval", "q"),
        (
            (
                places.title(row.metric),
                places.place_and_blocks(row, blocks),
                *(quantity(value, row.unit) for value in (row.old, row.new)),
                change_text(row),
                interval(row.low, row.high),
                chance(row.q),
            )
            for row in rows
        ),
        numbers=range(2, 7),
    )


def _same(report: MarkdownWriter, rows: Iterable[Row], places: Places, margin: float) -> None:
    grouped = by_metric(rows).items()
    report.table(
        ("what", "where"), ((places.title(metric), _seen(members, places, margin)) for metric, members in grouped)
    )


def _seen(rows: Sequence[Row], places: Places, margin: float) -> str:
    """Return where a metric is the same, each place with its change: "mlp-s (+0.3 %), mlp-m (-1.2 %, within 32 %)"."""
    named = []
    for row in rows[:_MOST_PLACES]:
        said = ", ".join(filter(None, (change_text(row), other_margin(row, margin))))
        named.append(f"{places.place(row)} ({said})".strip() if said else places.place(row))
    more = [f"and {len(rows) - _MOST_PLACES} more"] if len(rows) > _MOST_PLACES else []
    return ", ".join([*named, *more])


def _open(report: MarkdownWriter, rows: Iterable[Row], places: Places) -> None:
    report.table(
        ("what", "where", "change", "95 % interval", "would have shown", "settled by", "reason"),
        (
            (
                places.title(row.metric),
                places.place(row),
                change_text(row),
                interval(row.low, row.high),
                would_have_shown(row),
                blocks_text(row),
                row.reason.value,
            )
            for row in rows
        ),
        numbers=range(2, 7),
    )


def _multiples(report: MarkdownWriter, found: Iterable[Multiple], places: Places) -> None:
    report.table(
        ("what", "where", "new", "floor", "times the floor"),
        (
            (
                places.title(one.measured.metric),
                places.place(one.measured),
                quantity(one.measured.value, one.measured.unit),
                quantity(one.floor_s, "seconds"),
                multiple_text(one),
            )
            for one in found
        ),
        numbers=range(2, 5),
    )
