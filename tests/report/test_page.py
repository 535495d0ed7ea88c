"""The page: a stranger's words stay words, nothing comes from elsewhere, and it reads without scripts."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace

import pytest
from browser import chromium
from pages import HOSTILE, Page, report_of
from stored_runs import PROJECT

from harness.report import figures
from harness.report.document import (
    Answer,
    Column,
    Document,
    Effect,
    Figure,
    Paragraph,
    Quantity,
    Report,
    Row,
    Section,
    Style,
    Table,
    Tally,
    Tone,
)
from harness.report.formats import FORMATS, render
from harness.report.formats.html.anchors import Anchors, slug
from harness.report.formats.html.cells import MOST_ROWS, effect, scale_of, shade, sort_key
from harness.report.names import printable


def page_of(*parts: object, title: str | None = "A title") -> str:
    return render(Report("compare", Document(title, parts), {}), "html", Style())  # type: ignore[arg-type]


def test_a_page_is_a_format_like_others() -> None:
    assert "html" in FORMATS


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_stranger_names_stays_text(name: str) -> None:
    page = Page(render(report_of(name), "html", Style()))
    own = Page(render(report_of("a name"), "html", Style()))
    assert [tag for tag, _ in page.elements if tag in ("script", "style", "img", "iframe", "object", "b")] == [
        tag for tag, _ in own.elements if tag in ("script", "style", "img", "iframe", "object", "b")
    ]
    for tag, attributes in page.elements:
        assert not [one for one in attributes if one.startswith("on") or one == "style"], (tag, attributes)
        assert not str(attributes.get("href", "")).startswith("javascript"), attributes
    shown = page.texts["h1"][0] + "".join(page.texts.get("summary", []))
    assert printable(name)[:20].strip("`") in shown or name.startswith("`")
    assert "\x00" not in str(page.texts)
    assert "\u202e" not in str(page.texts)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_the_data_of_figures_is_json_that_nothing_ends(name: str) -> None:
    text = render(report_of(name), "html", Style())
    data = next(one for one in re.findall(r'<script type="application/json" id="figures">(.*?)</script>', text, re.S))
    drawings = json.loads(data)
    assert {one["kind"] for one in drawings} == {"courses", "stack", "levels", "pairs", "growth", "timeline"}
    assert drawings[-1]["stretches"][0][0] == printable(name)
    assert "<" not in data


def test_only_the_scripts_that_the_page_was_made_with_may_run() -> None:
    page = Page(render(report_of("a name"), "html", Style()))
    policy = str(
        next(one["content"] for one in page.named("meta") if one.get("http-equiv") == "Content-Security-Policy")
    )
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    scripts = [
        text
        for text, attributes in zip(page.texts["script"], page.named("script"), strict=True)
        if attributes.get("type") is None
    ]
    assert len(scripts) == 3
    for kind, texts in (("script-src", scripts), ("style-src", page.texts["style"])):
        for text in texts:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules[kind]


def test_nothing_comes_from_elsewhere() -> None:
    page = Page(render(report_of("a name"), "html", Style()))
    for tag, attributes in page.elements:
        assert "src" not in attributes, tag
        href = attributes.get("href") or "#"
        assert href.startswith(("#", "data:")), href


@pytest.mark.parametrize("name", ["a name", HOSTILE[0]])
def test_every_place_has_a_name_of_its_own_and_every_link_leads_somewhere(name: str) -> None:
    page = Page(render(report_of(name), "html", Style()))
    assert len(page.ids) == len(set(page.ids))
    for _, attributes in page.elements:
        target = attributes.get("aria-controls") or (attributes.get("href") or "#main").removeprefix("#")
        assert target.startswith("data:") or target in page.ids
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_page_without_figures_carries_no_library() -> None:
    assert len(page_of(Paragraph("A sentence.")).encode()) < 60_000


def test_a_figure_is_named_for_who_does_not_see_it_and_says_it_in_words() -> None:
    drawing = figures.Stack(("load",), ("v1",), "seconds", (figures.Bar("mlp-s", "v1", (1.0,)),))
    page = Page(page_of(Figure("Start", drawing, "What a user waits for.")))
    box = next(one for _, one in page.elements if one.get("data-figure") == "0")
    assert box["aria-label"] == "Start. What a user waits for."
    assert box["tabindex"] == "0"
    assert "What a user waits for." in page.texts["p"]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_terminal_and_a_comment_have_the_words_without_the_figures(form: str) -> None:
    drawing = figures.Stack(("load",), ("v1",), "seconds", ())
    parts = (Answer(("Saving is slower.",)), Tally(1, 0, 2, 3), Section("Start", (Figure("Start", drawing, "-"),)))
    text = render(Report("compare", Document(None, parts), {}), form, Style())
    assert "Saving is slower." in text
    assert "1 worse, 0 better, 2 unchanged, 3 inconclusive, of 6 comparisons" in text


def test_a_report_may_have_a_document_of_its_own_for_the_page() -> None:
    report = Report("compare", Document("short", (Paragraph("brief"),)), {})
    longer = replace(report, page=Document("long", (Paragraph("everything"),)))
    assert "everything" not in render(longer, "table", Style())
    assert "everything" in render(longer, "html", Style())


def test_a_very_long_table_has_its_first_rows_in_the_page_and_the_rest_as_data() -> None:
    rows = tuple(
        Row((f"benchmark {at} </script>", Quantity(float(at), "seconds")), tags=("current",)) for at in range(5000)
    )
    text = page_of(Table((Column("name"), Column("value", True)), rows))
    page = Page(text)
    rest = json.loads(next(text for text in page.texts["script"] if text.startswith("[[")))
    assert len(page.named("tr")) - 1 + len(rest) == 5000
    assert rest[-1] == ["current", "benchmark 4999 </script>", ["4,999 s", 4999.0]]
    assert len(text.encode()) < 1_000_000
    assert MOST_ROWS < 5000


def test_cells_are_sorted_by_what_they_are_and_changes_by_their_size() -> None:
    assert float(sort_key(Quantity(0.5, "seconds"))) == 0.5
    assert sort_key("a text") == ""
    assert sort_key(Quantity(None, "seconds")) == ""
    twice, half = (float(sort_key(Effect(ratio, None, None, 0.1))) for ratio in (2.0, 0.5))
    assert twice == pytest.approx(half)


def test_all_changes_of_a_table_share_an_axis_with_nothing_in_common_for_none() -> None:
    cells = [
        Effect(1.2, 1.1, 1.3, 0.1, Tone.WORSE),
        Effect(0.5, 0.4, 0.6, 0.1, Tone.BETTER),
        Effect(50.0, None, None, 0.0),
    ]
    table = Table((Column("effect"),), tuple(Row((cell,)) for cell in cells))
    scale = scale_of(table)
    assert scale is not None
    worse, better, beyond = (effect(cell, scale) for cell in cells)
    assert better["middle"] < scale.x(1) < worse["line"][0] < worse["middle"] < worse["line"][1]
    assert worse["band"][0] < scale.x(1) < worse["band"][1]
    assert beyond["beyond"] == "right"
    assert (worse["kind"], beyond["is_exact"]) == ("worse", True)
    assert scale_of(Table((Column("a"),), (Row(("b",)),))) is None


def test_shades_grow_with_the_change_and_tell_its_direction() -> None:
    assert [shade(ratio) for ratio in (None, 1.0, 1.03, 1.07, 1.2, 2.0, 0.5, 0.0)] == [
        "", "", "worse-1", "worse-2", "worse-3", "worse-4", "better-4", "better-4",
    ]  # fmt: skip


def test_names_of_places_are_readable_and_never_the_same() -> None:
    anchors = Anchors()
    assert [anchors.name(wanted) for wanted in ("Load, cold", "load cold", "load-cold-2", "💥")] == [
        "load-cold", "load-cold-2", "load-cold-2-2", "part",
    ]  # fmt: skip
    assert len(slug("x" * 10_000)) <= 60


def test_the_libraries_in_the_page_are_those_that_the_documentation_names() -> None:
    folder = PROJECT / "harness" / "report" / "formats" / "html" / "vendor"
    told = (PROJECT / "docs" / "dependencies.md").read_text()
    for path in folder.glob("*.js"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in told, path.name
        assert (folder / f"{path.name.partition('.')[0]}.LICENSE").exists()


@pytest.mark.parametrize(("is_ci", "outcome"), [(False, "Skipped"), (True, "Failed")])
def test_without_a_browser_its_tests_are_skipped_with_a_sentence_and_failed_where_all_must_run(
    monkeypatch: pytest.MonkeyPatch, is_ci: bool, outcome: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    if is_ci:
        monkeypatch.setenv("CI", "true")
    with pytest.raises(BaseException, match="apt-get install chromium") as raised:
        chromium()
    assert type(raised.value).__name__ == outcome
