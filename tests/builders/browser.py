"""A real browser for the tests of pages: Debian's Chromium, without a window and without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Opened:
    """A page that is open, and what it did since: console messages, errors, and requests beyond its own file."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Whether it logged nothing and asked nobody."""
        return not self.said and not self.asked

    def draw_all(self) -> None:
        """Scroll through the page, so that every figure that can be seen is drawn."""
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for place in range(0, height, 500):
            self.page.evaluate(f"window.scrollTo(0, {place})")
            self.page.wait_for_timeout(15)
        self.page.evaluate("window.scrollTo(0, 0)")


def chromium() -> str:
    """Return the browser's path; without one the test is skipped, and failed where CI is set."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        said = "no Chromium is here: `apt-get install chromium` has one"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """Start a browser that reaches no host."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"],
        )
        try:
            yield started
        finally:
            started.close()


def opened(started: Any, path: Path, *, place: str = "", width: int = 1060, **named: Any) -> Opened:
    """Open a page's file at a place, listening from before it is read."""
    page = started.new_page(viewport={"width": width, "height": 900}, **named)
    found = Opened(page)
    page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: _note(found, request.url))
    page.goto(path.absolute().as_uri() + place)
    return found


def _note(found: Opened, url: str) -> None:
    if not url.startswith(("file:", "data:")):
        found.asked.append(url)
