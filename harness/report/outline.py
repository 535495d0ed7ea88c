"""Results on one screen: a line for each metric and model family, or for each row where these are few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.answers.measured import Measured
from harness.answers.outline import Line, Move, Outline
from harness.metrics import CELL_FAILED
from harness.report.document import Answer, Column, Paragraph, Part, Quantity, Row, Section, Table, Tone
from harness.report.names import distinct
from harness.report.numbers import brief_change, count
from harness.report.sparkline import bars
from harness.report.wording import Places, axis_text, title

_MOST_LINES = 28
"""Lines of a table for people unless all are asked for: a screen of 40 has room for what stands around them."""
_LONGEST = 19
"""Columns of a metric's name: with the rest of a line they make 80."""
_LEAST_SPAN = 0.1
"""What the height of a course stands for at least: less is noise on most machines."""
_BRIEF = {
    "import_s": "import TensorFlow",
    "device_init_s": "device init.",
    "save_first_s": "first save",
    "save_durable_s": "save with fsync",
    "save_host_peak_bytes": "host peak of save",
    "load_host_peak_bytes": "host peak of load",
    "resave_host_peak_bytes": "host peak of resave",
    "save_device_need_bytes": "GPU peak of save",
    "load_device_need_bytes": "GPU peak of load",
    "first_call_device_need_bytes": "GPU peak, first inf.",
    "infer_device_need_bytes": "GPU peak, inference",
    "artifact_bytes": "SavedModel size",
    "artifact_other_bytes": "other files",
    "artifact_files": "files",
    "graph_nodes": "graph nodes",
    "graph_functions": "library functions",
    "load_cold_s": "load, cold cache",
    "load_warm_s": "load, warm cache",
    "load_again_s": "second load",
    "load_tenth_s": "tenth load",
    "first_call_s": "first inference",
    "early_calls_s": "inference 2 to 10",
    "first_result_s": "start to 1st result",
    "outputs_not_bit_equal": "outputs not equal",
    "infer_p50_s": "inference, median",
    "call_p50_s": "call, median",
    "call_first_s": "first call",
    "call_new_shape_s": "call, new shape",
    "resave_s": "resave",
    "resave_bytes": "resaved size",
    "resume_broken_promises": "resume: failed",
    "resume_first_step_s": "resume: first step",
    "custom_code_broken_promises": "no code: failed",
    CELL_FAILED.name: "failed",
}
"""What metrics are called where there is little room; of the others, the title is cut."""
_MAIN = (
    "import_s", "first_result_s", "save_first_s", "load_cold_s", "load_warm_s", "first_call_s", "infer_p50_s",
    "artifact_bytes", "save_host_peak_bytes", "load_host_peak_bytes", "save_device_need_bytes",
    "infer_device_need_bytes",
)  # fmt: skip
"""Metrics that are shown where nothing moved, as long as there is room, in this order."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of outlines: everything where `is_whole`; else of the machine called `here`, if it has results."""

    here: str = ""
    is_whole: bool = False
    everything: str = "savedmodel-bench export --medians"


def outline_parts(outlines: Sequence[Outline], shown: Shown) -> Iterator[Part]:
    """Yield the outline of one machine and environment, and which others there are; all where all are asked for."""
    if not outlines:
        yield Paragraph("The results have no number of a release to show.")
        return
    first = max(outlines, key=lambda one: (one.machine == shown.here, len(one.by_row)))
    others = [one for one in outlines if one is not first]
    yield Answer((_said(first),))
    yield from _table(first, shown)
    if not shown.is_whole:
        if others:
            named = "; ".join(
                f"{axis_text((one.machine, one.environment))} ({count(len(one.by_row), 'row')})" for one in others
            )
            yield Paragraph(f"Also in the results: {named}. `--machine` or `--verbose` shows them.", Tone.QUIET)
        return
    for one in others:
        yield Section(_said(one), tuple(_table(one, shown)))


def outline_section(outlines: Sequence[Outline]) -> Iterator[Section]:
    """Yield all lines of each machine and environment, for a page."""
    for one in outlines:
        for lines, what in ((one.by_family, "metric and model family"), (one.by_row, "row")):
            heading = f"A line a {what}; {axis_text((one.machine, one.environment))}"
            parts = (Paragraph(_LEGEND, Tone.QUIET), _lines_table(lines, lines is one.by_row, is_brief=False))
            yield Section(heading, parts, lines is one.by_row)


def outline_data(outlines: Sequence[Outline]) -> list[dict[str, Any]]:
    """Return the same as plain data."""
    return [asdict(one) for one in outlines]


_OF_ROWS = "Less is better. `moved` is what was shown to change at a release (`by`: at it or just before)."
_LEGEND = _OF_ROWS.replace(". ", ". A line of several rows shows their mean. ", 1)


def _said(outline: Outline) -> str:
    """Return what it is of, and how much of it moved."""
    moved = sum(bool(line.moves) for line in outline.by_family)
    first, last = outline.releases[0], outline.releases[-1]
    over = first if first == last else f"{count(len(outline.releases), 'release')}, {first} to {last}"
    lines = len(outline.by_family)
    of = "1 metric and model family" if lines == 1 else f"{lines} metrics and model families"
    said = f"{moved or 'none'} of {of} moved" if first != last else of
    return f"{axis_text((outline.machine, outline.environment))}; {over}: {said}."


def _table(outline: Outline, shown: Shown) -> Iterator[Part]:
    is_by_row = shown.is_whole or len(outline.by_row) <= _MOST_LINES
    lines = outline.by_row if is_by_row else outline.by_family
    kept = lines if shown.is_whole else _most_important(lines)
    yield _lines_table(kept, is_by_row)
    yield Paragraph(_OF_ROWS if is_by_row else _LEGEND, Tone.QUIET)
    left = [line for line in lines if line not in kept]
    if left:
        moved = sum(bool(line.moves) for line in left)
        which = "none of which moved" if not moved else f"{moved} of which moved less"
        rows = len(outline.by_row)
        yield Paragraph(
            f"Not shown: {count(len(left), 'line')}, {which}. --metric, --model, --operation, --device and --release "
            f"narrow it; --verbose shows all {rows} rows, `{shown.everything}` every number."
        )


def _most_important(lines: Sequence[Line]) -> list[Line]:
    """Return the lines that moved most and, where there is room, those of the main metrics, in their order."""
    moved = sorted((line for line in lines if line.moves), key=lambda line: -line.moves[0].size)[:_MOST_LINES]
    main = sorted(
        (line for line in lines if not line.moves and line.metric in _MAIN), key=lambda line: _MAIN.index(line.metric)
    )
    kept = [*moved, *main][:_MOST_LINES]
    if len(lines) <= _MOST_LINES:
        return list(lines)
    return [line for line in lines if line in kept]


def _lines_table(lines: Sequence[Line], is_by_row: bool, *, is_brief: bool = True) -> Table:
    places = Places.of([_placed(line) for line in lines])
    metrics = list(dict.fromkeys(line.metric for line in lines))
    long = {metric: title(metric) for metric in metrics}
    brief = distinct((_BRIEF.get(metric, long[metric]) for metric in metrics), _LONGEST)
    names = {metric: brief[_BRIEF.get(metric, long[metric])] if is_brief else long[metric] for metric in metrics}
    columns = (
        Column("metric"), Column("where" if is_by_row else "model"), Column("course"),
        Column("best", True), Column("latest", True), Column("moved"),
    )  # fmt: skip
    rows = []
    before = ""
    for line in lines:
        name = names[line.metric]
        where = places.place(_placed(line)) if is_by_row else _family(line, places)
        cells = (
            "" if is_brief and name == before else name,
            where,
            bars(line.values, _LEAST_SPAN),
            Quantity(line.best, line.unit),
            Quantity(line.latest, line.unit),
            _moved(line, is_whole=not is_brief or is_by_row),
        )
        rows.append(Row(cells, _tone(line)))
        before = name
    return Table(columns, tuple(rows), name="lines")


def _placed(line: Line) -> Measured:
    """Return where a line was measured: a family stands for its models."""
    return Measured("", line.metric, line.unit, line.device, line.model or line.family, line.variant or "-", None)


def _family(line: Line, places: Places) -> str:
    device = line.device if len(places.devices) > 1 and line.device != "-" else ""
    family = "all models" if line.family == "-" else places.names.get(line.family, line.family)
    return f"{device} {family}".strip()


def _moved(line: Line, *, is_whole: bool) -> str:
    """Return the largest change and where it was, "+56 % 2.16.2", with one the other way; all where there is room."""
    if is_whole or not line.moves:
        return ", ".join(_move(brief_change(move.ratio), move) for move in line.moves)
    most = line.moves[0]
    other = next((one for one in line.moves[1:] if one.release == most.release), None)
    size = brief_change(most.ratio)
    if other is not None:  # of another row: "-61/+56 % 2.16.2"
        size = f"{size.removesuffix(' %')}/{brief_change(other.ratio)}"
    return _move(size, most)


def _move(size: str, move: Move) -> str:
    return f"{size} {'' if move.is_next else 'by '}{move.release.removeprefix('v')}"


def _tone(line: Line) -> Tone:
    if not line.moves:
        return Tone.PLAIN
    return Tone.WORSE if line.moves[0].ratio > 1 else Tone.BETTER
