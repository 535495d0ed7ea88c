"""What a run measured on one screen: the numbers that most people look for, the releases side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.answers.measured import Measured
from harness.answers.notes import Said
from harness.answers.run_facts import RunFacts
from harness.metrics import METRICS
from harness.report.document import (
    Cell,
    Column,
    Command,
    Document,
    Note,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Table,
    Tone,
)
from harness.report.names import one_line
from harness.report.notes import note_text
from harness.report.numbers import count
from harness.report.screens.failed import failed_section
from harness.report.stored_sentences import is_about_gpu, is_disturbance, retold
from harness.report.wording import Places, left_out_text, title, without_asides

_LOOKED_FOR = (
    *("import_s", "load_warm_s", "save_later_s", "first_call_s", "infer_p50_s", "call_p50_s", "load_cold_s"),
    *("save_first_s", "artifact_bytes", "first_result_s", "load_host_peak_bytes"),
)
"""Metrics, the most looked for first: five of them, and more where there is room, are shown in their usual order."""
_MOST_METRICS = 5
_MOST_ROWS = 22
_MOST_NAMED = 3
_MOST_SUBJECTS = 4
_TITLE_WIDTH = 14
_METRICS = list(METRICS)

_Values = tuple[str, str, str, dict[str, float]]
"""What was measured, where, in which unit, and the values by subject."""


def with_run_screen(report: Report, facts: RunFacts, *, plan: str, blocks: int, compare: str | None) -> Report:
    """Return a run's report with its screen.

    Args:
        report: of the run; its `everything` is a command that prints all numbers.
        facts: what the run says of its subjects.
        plan: the test plan's name.
        blocks: the complete blocks.
        compare: the command that compares two of its subjects; None where there is only one.
    """
    parts = (
        *_first(facts),
        *_numbers(facts, plan, blocks),
        *failed_section(facts.failures),
        *_last(report, facts, compare),
    )
    return replace(report, screen=Document(None, parts))


def _first(facts: RunFacts) -> Iterator[Part]:
    """Yield what must be known before the numbers: too little was measured, or the machine was disturbed."""
    if facts.shortfall is not None:
        yield Paragraph(facts.shortfall, Tone.WARNING)
    said = [retold(note.text.removesuffix(".")) for note in facts.notes if isinstance(note, Said)]
    disturbed = [f"{sentence}. " for sentence in said if is_disturbance(sentence)]
    missing = list(dict.fromkeys(title(row.metric) for row in facts.without_value if _is_judged(row.metric)))
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        disturbed.append(f"Without an undisturbed value: {'; '.join(missing[:_MOST_NAMED])}{more}. ")
    if disturbed:
        yield Paragraph(
            f"The machine was disturbed. {''.join(disturbed)}Stop other programs and repeat; `savedmodel-bench doctor` "
            "checks the machine.",
            Tone.WARNING,
        )
    for note in facts.notes:
        if isinstance(note, Said) and not is_about_gpu(note.text) and not is_disturbance(note.text):
            yield Note(note_text(note))


def _numbers(facts: RunFacts, plan: str, blocks: int) -> Iterator[Part]:
    subjects = list(dict.fromkeys(one.subject for one in facts.measured))
    named = ", ".join(subjects) if len(subjects) <= _MOST_SUBJECTS else f"{len(subjects)} releases"
    measured = f"Measured {named}: {count(blocks, 'block')} of the test plan {plan}"
    yield Paragraph(f"{measured}. The medians that most people look for:", Tone.STRONG)
    places = Places.of(facts.measured)
    usual = [one for one in facts.measured if _is_usual(one, places)]
    rows = _rows(usual, places)
    shown = subjects if len(subjects) <= _MOST_SUBJECTS else [subjects[0], *subjects[1 - _MOST_SUBJECTS :]]
    columns = (Column("what"), Column("where"), *(Column(one_line(name), numeric=True) for name in shown))
    yield Table(columns, tuple(_table_rows(rows, shown)))
    every = len({(one.metric, one.device, one.model, one.variant) for one in facts.measured})
    left = [f"{every - len(rows)} more rows"] if every > len(rows) else []
    left += [f"{len(subjects) - len(shown)} more releases"] if len(subjects) > len(shown) else []
    if left:
        yield Paragraph(f"Not shown: {' and '.join(left)}.", Tone.QUIET)


def _table_rows(rows: Sequence[_Values], subjects: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table; the words of a metric's title go down its rows, so that they need no further lines."""
    by_title: dict[str, list[_Values]] = {}
    for row in rows:
        by_title.setdefault(row[0], []).append(row)
    for name, members in by_title.items():
        words = textwrap.wrap(name, _TITLE_WIDTH) if len(members) > 1 else [name]
        words[len(members) - 1 :] = [" ".join(words[len(members) - 1 :])]
        words += [""] * (len(members) - len(words))
        for word, (_, where, unit, values) in zip(words, members, strict=True):
            cells: tuple[Cell, ...] = tuple(Quantity(values.get(subject), unit) for subject in subjects)
            yield Row((word, where, *cells))


def _is_judged(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].judged


def _is_usual(one: Measured, places: Places) -> bool:
    """Return whether a number is of the writer and reader that most rows have: others are for who asks."""
    return "(" not in places.place(one)


def _rows(measured: Sequence[Measured], places: Places) -> list[_Values]:
    """Return (what, where, unit, values by subject) of the metrics looked for most, as many as a screen holds."""
    by_metric: dict[str, dict[tuple[str, str, str], list[Measured]]] = {}
    for one in measured:
        by_metric.setdefault(one.metric, {}).setdefault((one.device, one.model, one.variant), []).append(one)
    order = [name for name in _LOOKED_FOR if name in by_metric]
    order = order or [name for name in by_metric if _is_judged(name)] or list(by_metric)
    chosen = order[:_MOST_METRICS]
    of_each = next(n for n in range(_MOST_ROWS, 0, -1) if n == 1 or _needed(chosen, by_metric, n) <= _MOST_ROWS)
    for name in order[_MOST_METRICS:]:
        chosen += [name] if _needed([*chosen, name], by_metric, _MOST_ROWS) <= _MOST_ROWS else []
    found: list[_Values] = []
    for name in sorted(chosen, key=lambda name: _METRICS.index(name) if name in METRICS else len(_METRICS)):
        for members in list(by_metric[name].values())[:of_each]:
            values = {one.subject: one.value for one in members if one.value is not None}
            found.append((without_asides(places.title(name)), places.place(members[0]), members[0].unit, values))
    return found


def _needed(metrics: Sequence[str], rows: Mapping[str, Collection[object]], of_each: int) -> int:
    return sum(min(len(rows[name]), of_each) for name in metrics)


def _last(report: Report, facts: RunFacts, compare: str | None) -> Iterator[Part]:
    yield Paragraph("")
    told = [f"{one.subject}: {left_out_text(one.repeats, one.kinds)}." for one in facts.left_out[:2]]
    told += [note_text(note) for note in facts.notes if isinstance(note, Said) and is_about_gpu(note.text)]
    if told:
        yield Paragraph(" ".join(told), Tone.QUIET)
    if compare is not None:
        yield Command(compare, "Whether the last two differ")
    if report.everything is not None:
        yield Command(report.everything.replace(" --format json", " --format csv"), "Every sample")
