"""`--format markdown`: GitHub-flavoured Markdown for a pull request or an issue; evidence is folded away."""

from __future__ import annotations

from harness.report import markdown_writer
from harness.report.document import (
    Answer,
    Command,
    Item,
    Items,
    Note,
    Paragraph,
    Part,
    Report,
    Section,
    Style,
    Table,
    Tally,
    Tone,
)
from harness.report.markdown_writer import Code, MarkdownWriter


def render(report: Report, style: Style) -> str:
    """Return the report's document, short enough for a comment; its title is a second-level heading."""
    writer = MarkdownWriter(report.everything)
    if report.document.title is not None:
        writer.heading(report.document.title)
    for part in report.document.parts:
        _write(writer, part, 3)
    return writer.text()


def _write(writer: MarkdownWriter, part: Part, level: int) -> None:
    match part:
        case Paragraph():
            writer.paragraph(part.text, strong=part.tone is Tone.STRONG)
        case Answer() | Tally():
            writer.paragraph(str(part), strong=True)
        case Note():
            writer.note(part.text)
        case Command():
            writer.items([_command(part)], "command")
        case Items():
            writer.items(map(_item, part.items), part.noun)
        case Table():
            numbers = [place for place, column in enumerate(part.columns) if column.numeric]
            rows = (tuple(map(str, row.cells)) for row in part.rows)
            writer.table([column.title for column in part.columns], rows, numbers=numbers)
        case Section(is_folded=True):
            with writer.folded(part.title):
                for inner in part.parts:
                    _write(writer, inner, level + 1)
        case Section():
            writer.heading(part.title, level)
            for inner in part.parts:
                _write(writer, inner, level + 1)


def _item(item: Item) -> markdown_writer.Item:
    below = tuple(_command(one) if isinstance(one, Command) else one for one in item.details)
    return markdown_writer.Item(item.text, below, strong=item.tone is Tone.STRONG)


def _command(command: Command) -> markdown_writer.Text:
    return (f"{command.purpose}: ", Code(command.command)) if command.purpose else (Code(command.command),)
