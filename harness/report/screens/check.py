"""Whether models still load and answer the same, on one screen: the answer, the table, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.answers.check import Cell, Check, CheckedModel, State, Unread
from harness.measure.own_models import KERAS_FILE
from harness.report.check import error_text, headline_of, missing_packages, reader_text, state_text, title_of
from harness.report.document import (
    Command,
    Document,
    Item,
    Items,
    Paragraph,
    Part,
    Report,
    Row,
    Section,
    Tone,
    items,
    table,
)
from harness.report.names import shortened
from harness.report.numbers import count
from harness.report.screens.failed import beginning

_MOST_COLUMNS = 3
_MOST_MODELS = 8
_MOST_BROKEN = 2
_MOST_ERRORS = 2
_MOST_REMEDIES = 3
_MOST_UNREAD = 3
_LONGEST_TEXT = 150
_LONGEST_ERROR = 120
_LONGEST_COMMAND = 120
_LEGEND = "equal: to the last bit; close: within 1e-6 of the largest value. No time was measured."
_MORE = "Whole errors, every try and every remedy: add --verbose."


@dataclass(frozen=True, slots=True)
class _Column:
    """Releases beside each other in which all tries ended alike; the newest stands for them."""

    title: str
    release: str


def with_check_screen(report: Report, check: Check) -> Report:
    """Return a check's report with its screen."""
    return replace(report, screen=Document(None, tuple(_parts(check))))


def _parts(check: Check) -> Iterator[Part]:
    yield Paragraph(shortened(headline_of(check), 2 * _LONGEST_TEXT), Tone.WORSE if check.broken else Tone.STRONG)
    if check.unread:
        texts = [beginning(_unread(one), _LONGEST_TEXT) for one in check.unread[:_MOST_UNREAD]]
        texts += [f"and {len(check.unread) - _MOST_UNREAD} more"] if len(check.unread) > _MOST_UNREAD else []
        yield Section("Not tried", (items(texts, "model"),))
    if len(check.models) == 1:
        yield Section(shortened(title_of(check.models[0]), _LONGEST_TEXT), tuple(_of_model(check, check.models[0])))
    else:
        yield from _of_models(check)
    yield Paragraph("")
    yield Paragraph(f"{_LEGEND} {_MORE}", Tone.QUIET)


def _unread(one: Unread) -> str:
    """Return why a path could not be tried; most reasons name it already."""
    return one.reason if one.path in one.reason else f"{one.path}: {one.reason}"


def _of_models(check: Check) -> Iterator[Part]:
    """Yield a table of models, those that fail first, and of the first of these why and what helps."""
    fine = [one for one in check.models if one not in check.broken]
    shown = [*check.broken, *fine][:_MOST_MODELS]
    rows = [[_decisive(check, one, release) for release in check.releases] for one in shown]
    columns = _columns(check.releases, rows)
    told = [
        Row((one.model.called, *_texts(check, row, columns)), Tone.WORSE if one in check.broken else Tone.PLAIN)
        for one, row in zip(shown, rows, strict=True)
    ]
    left = len(check.models) - len(shown)
    parts: list[Part] = [table(("model", *(one.title for one in columns)), (), told)]
    parts += [Paragraph(f"and {count(left, 'more model')}", Tone.QUIET)] if left else []
    readers = dict.fromkeys("keras-load" if one.model.kind == KERAS_FILE else check.reader for one in check.models)
    yield Section(f"Loaded by {' or '.join(reader_text(one, None) for one in readers)}", tuple(parts))
    for one in check.broken[:_MOST_BROKEN]:
        works = (Item(f"What works: {item.text}", item.details) for item in _remedies(check, one)[:1])
        yield Section(one.model.called, (Items((*map(Item, _errors(one, 1)), *works), "line"),))


def _of_model(check: Check, checked: CheckedModel) -> Iterator[Part]:
    keys = list(dict.fromkeys((cell.reader, cell.remedy) for cell in checked.cells))
    rows = [[checked.cell(release, *key) for release in check.releases] for key in keys]
    columns = _columns(check.releases, rows)
    told = [
        Row((reader_text(*key), *_texts(check, row, columns)), _tone(check, checked, row))
        for key, row in zip(keys, rows, strict=True)
    ]
    yield table(("loaded by", *(one.title for one in columns)), (), told)
    errors = _errors(checked, _MOST_ERRORS)
    if errors:
        yield items(errors, "error")
    remedies = _remedies(check, checked)
    if remedies and checked in check.broken:
        yield Paragraph("")
        yield Paragraph(f"What works in {check.releases[-1]}, tried on this model:", Tone.STRONG)
        yield Items(tuple(remedies[:_MOST_REMEDIES]), "remedy")
        more = len(remedies) - _MOST_REMEDIES
        if more > 0:
            yield Paragraph(f"and {count(more, 'more remedy', 'more remedies')}", Tone.QUIET)
    elif checked in check.broken:
        yield Paragraph(f"Nothing that was tried makes it work in {check.releases[-1]}.", Tone.STRONG)
        yield from missing_packages(check, checked)


def _decisive(check: Check, checked: CheckedModel, release: str) -> Cell | None:
    return checked.cell(release, "keras-load" if checked.model.kind == KERAS_FILE else check.reader)


def _columns(releases: Sequence[str], rows: Sequence[Sequence[Cell | None]]) -> list[_Column]:
    """Return a column for each release; where they are many, one for neighbours in which all rows ended alike."""
    if len(releases) <= _MOST_COLUMNS:
        return [_Column(release, release) for release in releases]
    groups: list[list[int]] = []
    for place in range(len(releases)):
        if groups and all(_state(row[place]) == _state(row[groups[-1][0]]) for row in rows):
            groups[-1].append(place)
        else:
            groups.append([place])
    names = [(releases[group[0]], releases[group[-1]]) for group in groups]
    return [_Column(first if first == last else f"{first} to {last}", last) for first, last in names]


def _state(cell: Cell | None) -> State | None:
    return None if cell is None else cell.state


def _texts(check: Check, row: Sequence[Cell | None], columns: Sequence[_Column]) -> Iterator[str]:
    for column in columns:
        cell = row[check.releases.index(column.release)]
        yield "" if cell is None else state_text(cell)


def _tone(check: Check, checked: CheckedModel, row: Sequence[Cell | None]) -> Tone:
    decides = any(cell is not None and cell is check.decisive(checked) for cell in row)
    return Tone.WORSE if decides and checked in check.broken else Tone.PLAIN


def _errors(checked: CheckedModel, most: int) -> list[str]:
    """Return the first errors, each once and cut, those of the newest release first, and how many more there are."""
    cells = [cell for cell in checked.cells if cell.error is not None and cell.state is not State.UNSUPPORTED]
    seen = {error_text(cell): cell for cell in cells}  # which keeps the newest release that has it
    texts = [beginning(f"{cell.release}: {text}", _LONGEST_ERROR) for text, cell in reversed(seen.items())]
    more = len(texts) - most
    return [*texts[:most], *([f"and {count(more, 'more error')}"] if more > 0 else [])]


def _remedies(check: Check, checked: CheckedModel) -> list[Item]:
    """Return what works in the newest release, what needs the shortest command first."""
    works = [one for one in checked.advice if one.works and one.release == check.releases[-1]]
    found = []
    for one in sorted(works, key=lambda one: len(one.command)):
        is_short = len(one.command) <= _LONGEST_COMMAND
        found.append(Item(one.text, (Command(one.command),) if is_short else ("(--verbose prints the code)",)))
    return found
