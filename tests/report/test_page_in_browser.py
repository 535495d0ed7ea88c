"""Pages in a real browser: nothing is logged, nobody is asked, what can be clicked works, and everybody can use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import browser, opened
from pages import HOSTILE, report_of
from stored_runs import PROJECT

from harness.cli import main
from harness.report.document import Style
from harness.report.formats import render
from harness.report.names import printable
from harness.store.runs import runs_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LARGEST = 3_000_000
UNDRAWN = "[...document.querySelectorAll('.plot:not(.drawn)')].filter((box) => box.checkVisibility()).length"
SLOWEST_S = 5.0
"""The page opens in under a second; a test on a busy machine may take longer, and one that is broken takes forever."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def reference() -> tuple[Path, list[str]]:
    """The committed run of the test plan that most people use, and its subjects."""
    runs = runs_of(PROJECT, reference=True)[0]
    run = next(run for run in runs if run.facts["preset"]["name"] == "quick")
    return run.path, [subject["name"] for subject in run.facts["subjects"]]


@pytest.fixture(scope="module")
def comparison(reference: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, subjects = reference
    page = tmp_path_factory.mktemp("pages") / "comparison.html"
    main(["compare", subjects[0], subjects[-1], "--run", str(path), "--html", str(page), "--format", "json"])
    return page


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("pages") / "everything.html"
    assert main(["report", "--output", str(page)]) == 0
    return page


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("questions")
    found = {}
    for question in ("history", "summary", "scaling", "ratios", "promises"):
        found[question] = folder / f"{question}.html"
        assert main([question, "--html", str(found[question]), "--format", "json"]) == 0
    return found


def faults(page: Any) -> list[str]:
    """Return what axe-core finds that keeps somebody out."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['impact']}: {one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_a_comparison_opens_at_once_asks_nobody_and_logs_nothing(chromium: Any, comparison: Path) -> None:
    assert comparison.stat().st_size < LARGEST
    open_ = opened(chromium, comparison)
    took_s = open_.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
    assert took_s < SLOWEST_S
    open_.draw_all()
    assert open_.is_quiet, (open_.said, open_.asked)
    assert open_.page.locator(".plot.drawn svg").count() >= 3
    open_.page.close()


def test_everything_on_one_page_stays_small_and_draws_all_that_is_seen(chromium: Any, everything: Path) -> None:
    assert everything.stat().st_size < LARGEST
    open_ = opened(chromium, everything)
    open_.draw_all()
    assert open_.is_quiet, (open_.said, open_.asked)
    assert open_.page.evaluate(UNDRAWN) == 0
    open_.page.close()


@pytest.mark.parametrize("question", ["history", "summary", "scaling", "ratios", "promises"])
def test_each_question_has_a_page_without_faults(chromium: Any, questions: dict[str, Path], question: str) -> None:
    open_ = opened(chromium, questions[question])
    open_.draw_all()
    assert open_.is_quiet, (open_.said, open_.asked)
    assert faults(open_.page) == []
    open_.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_with_every_row_open(chromium: Any, comparison: Path, scheme: str) -> None:
    open_ = opened(chromium, comparison, color_scheme=scheme)
    open_.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    open_.page.evaluate("[...document.querySelectorAll('button.open')].slice(0, 12).forEach((one) => one.click())")
    open_.draw_all()
    assert faults(open_.page) == []
    open_.page.close()


def test_a_phone_shows_the_answer_without_scrolling_sideways(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison, width=390)
    open_.draw_all()
    assert open_.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert open_.page.locator(".answer").bounding_box()["y"] < 400
    open_.page.close()


def test_a_link_to_a_finding_opens_it_and_draws_its_blocks(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison)
    row = open_.page.locator("tr[id^=worse-][id$=-s]").first
    name = row.get_attribute("id")
    assert not open_.page.locator(f"#{name}-more").is_visible()
    open_.page.close()
    linked = opened(chromium, comparison, place=f"#{name}")
    linked.page.locator(f"#{name}-more").wait_for(timeout=5000)
    linked.page.locator(f"#{name}-more .plot.drawn svg").first.wait_for(timeout=5000)
    assert linked.page.locator(f"#{name} button.open").get_attribute("aria-expanded") == "true"
    linked.page.wait_for_function("document.activeElement.className === 'open'")
    assert linked.page.locator(f"#{name}").bounding_box()["y"] < 900
    linked.page.close()


def test_a_link_into_a_folded_section_unfolds_it(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison, place="#provenance")
    open_.page.locator("#provenance[open]").wait_for(timeout=5000)
    open_.page.close()


def test_rows_are_filtered_by_verdict_and_by_words_and_sorted_by_change(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison)
    page, rows = open_.page, open_.page.locator("#comparisons tbody > tr:not(.more):not(.group):visible")
    everything = rows.count()
    page.get_by_role("button", name="worse", exact=True).click()
    worse = rows.count()
    assert 0 < worse < everything
    assert set(rows.evaluate_all("rows => rows.map((row) => row.dataset.tags.split('|')[0])")) == {"worse"}
    page.get_by_label("Filter comparisons by words").fill("import")
    page.wait_for_timeout(100)
    assert rows.count() < worse
    page.get_by_label("Filter comparisons by words").fill("no such words at all")
    page.wait_for_timeout(100)
    assert rows.count() == 0
    page.get_by_label("Filter comparisons by words").fill("")
    page.get_by_role("button", name="worse", exact=True).click()
    page.wait_for_timeout(100)
    assert rows.count() == everything
    header = page.locator("#comparisons thead").get_by_role("button", name="change", exact=True)
    header.click()
    sizes = rows.evaluate_all("rows => rows.map((row) => Number(row.cells[4].dataset.sort || -1))")
    assert sizes == sorted(sizes, reverse=True)
    header.click()
    header.click()
    assert page.locator("#comparisons th[aria-sort]").count() == 0
    assert page.locator("#comparisons tr.group:visible").count() > 2
    open_.page.close()


def test_more_columns_are_shown_on_request(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison)
    heads = open_.page.locator("#comparisons thead th:visible")
    few = heads.count()
    open_.page.locator("#comparisons").get_by_role("button", name="all columns").click()
    assert heads.count() > few
    open_.page.close()


def test_the_keyboard_reaches_every_control_and_reads_the_points_of_a_figure(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison)
    page = open_.page
    open_.draw_all()
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, summary, [tabindex]')]"
        ".filter((one) => one.checkVisibility()).map((one, at) => { one.dataset.control = at; return at; }).length"
    )
    page.evaluate("document.body.focus()")
    reached = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.control ?? null"))
    assert len(reached - {None}) == wanted
    box = page.locator(".plot.drawn").first
    box.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert first
    assert page.locator("#tip").inner_text() not in ("", first)
    page.keyboard.press("Escape")
    assert page.locator("#tip").inner_text() == ""
    page.close()


def test_the_heat_map_turns_to_the_best(chromium: Any, everything: Path) -> None:
    open_ = opened(chromium, everything)
    button = open_.page.get_by_role("button", name="with the best").first
    shown = open_.page.locator("#heat td.shade span:visible")
    before = shown.all_inner_texts()[:40]
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert shown.all_inner_texts()[:40] != before
    open_.page.close()


def test_ten_releases_fit_beside_each_other(chromium: Any, everything: Path) -> None:
    open_ = opened(chromium, everything, width=1280)
    heat = open_.page.locator("#heat .wide").first
    assert heat.locator("thead .num").count() >= 10
    assert heat.evaluate("box => box.scrollWidth <= box.clientWidth")
    height = heat.locator("thead tr").evaluate("row => row.getBoundingClientRect().height")
    assert height < 40, "no name of a release is broken over two lines"
    open_.page.close()


def test_every_figure_is_drawn_for_print(chromium: Any, comparison: Path) -> None:
    open_ = opened(chromium, comparison)
    open_.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert open_.page.evaluate(UNDRAWN) == 0
    assert len(open_.page.pdf()) > 20_000
    open_.page.close()


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_stranger_names_runs_nowhere_and_is_shown_as_it_is(chromium: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(render(report_of(name), "html", Style()), encoding="utf-8")
    open_ = opened(chromium, path)
    page = open_.page
    title = page.title()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate("document.querySelectorAll('button.open').forEach((one) => one.click())")
    open_.draw_all()
    page.locator(".plot.drawn").first.focus()
    page.keyboard.press("ArrowRight")
    assert open_.is_quiet, (open_.said, open_.asked)
    assert page.title() == title != "broken"
    assert page.locator(".plot").count() == page.locator(".plot.drawn").count()
    assert " ".join(printable(name).split())[:60] in " ".join(page.locator("h1").inner_text().split())
    assert page.locator("main :is(img, iframe, b:not(.answer b))").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1060
    page.close()


def test_without_scripts_the_answer_and_all_tables_are_there(chromium: Any, comparison: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(comparison.as_uri())
    assert page.locator(".answer").is_visible()
    assert page.locator("#comparisons tbody tr").last.is_visible()
    assert page.locator(".plot .says").first.is_visible()
    context.close()
