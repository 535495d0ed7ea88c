"""`python -m tests.pictures`: draw the pictures of README and `docs/` anew, from pages of the committed reference runs.

Needs Chromium (`make browser`). Each picture is a part of a page as a reader sees it, so it can show nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli import main

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
_PAGES = {
    "comparison": ("quick", "compare", "2.15", "2.21", "--run", "{run}", "--html", "{page}"),
    "releases": ("releases", "report", "--output", "{page}"),
}
"""The test plan of the reference run that each page is of, and the command that writes it."""
_NARROW = 760


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of a page that a CSS selector names, and how wide the window is, in pixels."""

    name: str
    page: str
    part: str
    width: int = 1060
    height: int | None = None  # of the window, which is the picture then; None: the whole part is
    scheme: str = "light"


PICTURES = (
    Picture("page-light", "comparison", "body", height=760),
    Picture("page-dark", "comparison", "body", height=760, scheme="dark"),
    *(
        Picture(f"ten-releases-{name}", "releases", f"#{part}", width=_NARROW)
        for name, part in (
            ("start", "start"),
            ("save", "courses-save"),
            ("load", "courses-load"),
            ("inference", "courses-inference"),
            ("disk", "courses-on-disk"),
        )
    ),
)


def draw(page: Path, picture: Picture, started: Any) -> None:
    """Write one picture, and say how large it is."""
    from browser import opened

    found = opened(started, page, width=picture.width, color_scheme=picture.scheme, device_scale_factor=1.5)
    if picture.height is not None:
        found.page.set_viewport_size({"width": picture.width, "height": picture.height})
    found.draw_all()
    found.page.wait_for_timeout(300)
    target = IMAGES / f"{picture.name}.png"
    if picture.height is None:
        found.page.locator(picture.part).first.screenshot(path=target)
    else:
        found.page.screenshot(path=target)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1024:.0f} KiB")
    found.page.close()


def pages(folder: Path) -> dict[str, Path]:
    """Write the pages that pictures are parts of into a folder, each from the newest reference run of its test plan.

    A page whose run is not there is left out.
    """
    made: dict[str, Path] = {}
    for page, (plan, *command) in _PAGES.items():
        run = next((one for one in reversed(_reference_runs()) if _plan(one) == plan), None)
        if run is None:
            print(f"No reference run is of the test plan {plan}: pictures of the page {page} are left out.")
            continue
        project = folder / page
        copied = project / run.relative_to(ROOT)
        shutil.copytree(run, copied)
        shutil.copy(ROOT / "releases.toml", project)
        os.chdir(project)
        made[page] = project / "page.html"
        main([part.format(run=copied, page=made[page]) for part in command])
    return made


def _reference_runs() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "results" / "reference").glob("*/*/run.json"))


def _plan(run: Path) -> str:
    return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["preset"]["name"])


def _main(names: Sequence[str]) -> None:
    sys.path.insert(0, str(ROOT / "tests" / "builders"))
    from browser import browser

    with tempfile.TemporaryDirectory() as folder, browser() as started:
        made = pages(Path(folder))
        for picture in PICTURES:
            if picture.page in made and (not names or picture.name in names):
                draw(made[picture.page], picture, started)
        os.chdir(ROOT)


if __name__ == "__main__":
    _main(sys.argv[1:])
