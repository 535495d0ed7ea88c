"""The package index: which wheels it has of a package, asked where uv is configured to look.

uv itself says where that is (variables, uv.toml, what pip was told), so nothing here reads its settings a second time.
Its addresses stay in memory: no lock, result or message names them.
"""

from __future__ import annotations

import datetime
import functools
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from harness.errors import UsageError
from harness.releases.transfer import NoAnswer, opened
from harness.releases.uv_command import UvError, run_uv
from harness.releases.wheel_tags import WheelTags

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class IndexSilent(UsageError):
    """The package index cannot be asked; one sentence."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A version of a package of which the index has wheels for Linux x86-64."""

    package: str
    version: Version
    tags: WheelTags  # of all these wheels together
    date: datetime.date | None  # the day on which the first of them appeared; None: the index does not say


@functools.cache
def listed_versions(package: str) -> tuple[Listed, ...]:
    """Return the versions of a package that the index has wheels of for this platform, oldest version first.

    Versions that were yanked are left out. Asked once a process.

    Raises:
        IndexSilent: the index cannot be asked.
    """
    found: dict[Version, list[tuple[WheelTags, datetime.date | None]]] = {}
    for name, date in _files(package):
        try:
            called, version, _, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:
            continue
        fitting = WheelTags.of(tags)
        if called == canonicalize_name(package) and fitting is not None:
            found.setdefault(version, []).append((fitting, date))
    versions = []
    for version in sorted(found):
        dates = [date for _, date in found[version] if date is not None]
        tags_of = WheelTags.union(tags for tags, _ in found[version])
        versions.append(Listed(package, version, tags_of, min(dates, default=None)))
    return tuple(versions)


def _files(package: str) -> list[tuple[str, datetime.date | None]]:
    """Return name and day of every file of a package, on all indexes and in all folders of links."""
    indexes, links = _places()
    if not indexes and not links:
        raise IndexSilent("There is no package index to ask: uv was told to use none (UV_NO_INDEX).")
    files: list[tuple[str, datetime.date | None]] = []
    silent: list[NoAnswer] = []
    pages = [f"{_as_url(index).rstrip('/')}/{package}/" for index in indexes] + [_as_url(link) for link in links]
    for page in pages:
        try:
            files += _files_of_page(page)
        except NoAnswer as error:
            if error.status not in (404, 403, 410):
                silent.append(error)
    if silent and not files:
        raise IndexSilent(
            f"The package index cannot be asked for {package}: {silent[0]} (check the network, or set the mirror or "
            "proxy for pip or uv, and repeat the command)."
        )
    return files


def _places() -> tuple[Sequence[str], Sequence[str]]:
    """Return the indexes and the folders of links that uv looks in."""
    try:
        said = run_uv(
            ["pip", "compile", "-", "--no-header", "--emit-index-url", "--emit-find-links", "--python", sys.executable],
            root=Path.cwd(),
        )
    except UvError as error:
        raise IndexSilent(f"uv does not say which package index it uses: {error}.") from None
    words = [line.partition(" ")[::2] for line in said.splitlines()]
    indexes = [value for option, value in words if option in ("--index-url", "--extra-index-url")]
    return list(dict.fromkeys(indexes)), [value for option, value in words if option == "--find-links"]


def _as_url(place: str) -> str:
    return place if "://" in place else Path(place).absolute().as_uri()


def _files_of_page(url: str) -> list[tuple[str, datetime.date | None]]:
    if url.startswith("file:"):
        return _files_of_folder(Path(unquote(urlsplit(url).path)))
    with opened(url, {"Accept": _ACCEPT}) as answer:
        kind = str(getattr(answer, "headers", {}).get("Content-Type", ""))
        data = answer.read()
    if "json" in kind:
        return _of_json(data)
    return _of_html(data.decode("utf-8", "replace"), url)


def _files_of_folder(folder: Path) -> list[tuple[str, datetime.date | None]]:
    """Return the wheels of a local folder: a page of links where it has one, else what lies in it."""
    page = folder / "index.html"
    if page.is_file():
        return _of_html(page.read_text(encoding="utf-8", errors="replace"), page.as_uri())
    return [(path.name, None) for path in sorted(folder.glob("*.whl"))] if folder.is_dir() else []


def _of_json(data: bytes) -> list[tuple[str, datetime.date | None]]:
    try:
        files: Iterable[dict[str, Any]] = json.loads(data)["files"]
        return [
            (str(file["filename"]), _day(file.get("upload-time"))) for file in files if not file.get("yanked", False)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NoAnswer("its answer is no list of files") from None


def _day(text: Any) -> datetime.date | None:
    try:
        return datetime.datetime.fromisoformat(str(text)).date()
    except ValueError:
        return None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "a" and known.get("href") and "data-yanked" not in known:
            self.found.append(str(known["href"]))


def _of_html(text: str, url: str) -> list[tuple[str, datetime.date | None]]:
    links = _Links()
    links.feed(text)
    return [(unquote(urlsplit(urljoin(url, link)).path).rpartition("/")[2], None) for link in links.found]
