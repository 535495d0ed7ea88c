"""Reports with every kind of part, in which a stranger chose every text; and pages read as a browser reads them."""

from __future__ import annotations

from html.parser import HTMLParser

from harness.report import figures
from harness.report.document import (
    Answer,
    Case,
    Change,
    Column,
    Command,
    Difference,
    Document,
    Effect,
    Figure,
    Figures,
    Interval,
    Item,
    Items,
    Lines,
    Marked,
    Note,
    Outcome,
    Paragraph,
    Quantity,
    Report,
    Row,
    Section,
    Shade,
    Table,
    Tally,
    Tone,
)

HOSTILE = (
    "<script>document.title='broken'</script>",
    "</script><script>document.title='broken'</script>",
    '"><img src=x onerror="document.title=1">',
    "' onmouseover='document.title=1",
    "[click](javascript:document.title=1)",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eesrever\u202c\x00nul",
    "`<b>code</b>`",
    "&lt;b&gt; &amp;",
    "x" * 10_000,
)
_VOID = {"meta", "link", "input", "br", "img"}


def report_of(name: str) -> Report:
    """Return a report in which a stranger named everything: each kind of part, cell and figure."""
    point = figures.Point(0, 1.0, 0.9, 1.1, name)
    drawings = (
        figures.Courses(
            (name, "b"), "seconds", (figures.Line(name, (point, figures.Point(1, 1.3, None, None, ""))),),
            (figures.Mark(name, 1, True, name),),
        ),
        figures.Stack((name,), (name,), "seconds", (figures.Bar(name, name, (1.0,)),)),
        figures.Levels((name,), "bytes", (figures.Level(name, (5.0,), (name,)),)),
        figures.Pairs(
            name, name, "seconds", (figures.Pair(0, 1.0, 1.2), figures.Pair(1, 1.0, None)), 1.2, 1.1, 1.3, 0.1, "worse"
        ),
        figures.Growth("bytes", "seconds", (figures.Size(name, 1e6, 0.1), figures.Size("b", 1e8, 1.0)), 0.5, 1e-4),
        figures.Timeline(((0.0, 1e6), (1.0, 2e6)), ((name, 0.0, 1.0),)),
    )  # fmt: skip
    drawn = tuple(Figure(name, drawing, name) for drawing in drawings)
    rows = tuple(
        Row(
            (
                name if not at else f"row {at}",
                Lines((name, "below")),
                Quantity(float(at), "seconds"),
                Change(1.0 + at / 10),
                Difference(0.1 * at, "seconds"),
                Effect(1.2, 1.1, 1.3, 0.1, Tone.WORSE),
                Interval(1.1, 1.3),
                Shade(1.2, 1.3, Tone.WORSE, name),
                Marked(name, Tone.BETTER, "✓"),
            ),
            Tone.WORSE if at % 2 else Tone.BETTER,
            (Paragraph(name), drawn[3]) if at < 3 else (),
            f"row {at}",
            ("odd" if at % 2 else "even",),
            name if at < 6 else "others",
        )
        for at in range(12)
    )  # fmt: skip
    titles = (name, "where", "value", "change", "difference", "effect", "interval", "heat", "mark")
    table = Table(
        tuple(Column(title, at in (2, 3, 4, 6), at == 6) for at, title in enumerate(titles)),
        rows, filters=(("odd", "even"), (name,)), name=name,
    )  # fmt: skip
    parts = (
        Answer((name, "Saving is slower by 13 to 27 %.")),
        Tally(1, 2, 3, 4),
        Paragraph(name),
        Note(name),
        Section(name, (table, Figures(drawn[:3])), anchor="rows", made_by=name),
        Section(
            name, (Items((Item(name, (name, Command(name, name))),)), *drawn[3:], Command(name, name)), is_folded=True
        ),
    )
    cases = (
        Case(name, name, Outcome.FAILED, name),
        Case(name, name, Outcome.SKIPPED, name),
        Case(name, name, Outcome.PASSED),
    )
    return Report("compare", Document(name, parts, (name,)), {}, cases=cases)


class Page(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    @property
    def ids(self) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get("id"))]

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]
