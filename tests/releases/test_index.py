"""The package index and addresses: what is read of them, with which password, and what a broken connection does."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from local_index import LocalIndex, tensorflow_wheel

from harness.releases.index import listed_versions
from harness.releases.subjects import chosen_subjects
from harness.releases.transfer import NoAnswer, download, shown
from harness.releases.wheel_tags import best_wheel

pytestmark = pytest.mark.python

CP = "cp311-cp311-manylinux_2_27"


class Server(ThreadingHTTPServer):
    """Serves `pages` ({path: (type, content)}); a path in `breaks` gives half of it once; notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.breaks: set[str] = set()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        if self.path not in self.server.pages:
            self.send_error(404)
            return
        kind, content = self.server.pages[self.path]
        tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_error(304)
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        for name, value in (("Content-Type", kind), ("ETag", tag), ("Content-Length", str(len(content) - start))):
            self.send_header(name, value)
        self.end_headers()
        half = self.path in self.server.breaks
        self.server.breaks.discard(self.path)
        self.wfile.write(content[start : len(content) // 2] if half else content[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return LocalIndex(tmp_path / "index", monkeypatch)


def names(package: str) -> list[str]:
    return [str(listed.version) for listed in listed_versions(package)]


def test_json_gives_days_and_leaves_out_what_was_yanked_or_is_for_others(server, index):
    files = [
        {"filename": f"tf_nightly-2.22.0.dev20260905-{CP}_x86_64.whl", "upload-time": "2026-09-05T21:27:22.36Z"},
        {"filename": f"tf_nightly-2.22.0.dev20260906-{CP}_x86_64.whl", "yanked": "broken"},
        {"filename": f"tf_nightly-2.22.0.dev20260907-{CP}_aarch64.whl"},
        {"filename": "tf_nightly-2.22.0.dev20260908.tar.gz"},
        {"filename": "tf-nightly-nonsense.whl"},
    ]
    kind = "application/vnd.pypi.simple.v1+json"
    server.pages["/simple/tf-nightly/"] = kind, json.dumps({"files": files}).encode()
    index.use(f"{server.url}/simple")
    (listed,) = listed_versions("tf-nightly")
    assert (str(listed.version), listed.date) == ("2.22.0.dev20260905", datetime.date(2026, 9, 5))
    assert listed.tags.minors == ("3.11",)
    assert kind in server.asked[-1][1]["Accept"]
    assert names("tf-nightly-cpu") == []  # 404: there is no such package


def test_html_is_read_too(server, index):
    links = (
        f'<a href="../x/tf_nightly-2.22.0.dev20260905-{CP}_x86_64.whl#sha256=aa">one</a>'
        f'<a href="tf_nightly-2.22.0.dev20260906-{CP}_x86_64.whl" data-yanked="">two</a>'
    )
    server.pages["/simple/tf-nightly/"] = "text/html", links.encode()
    index.use(f"{server.url}/simple")
    assert names("tf-nightly") == ["2.22.0.dev20260905"]


def test_wheels_of_a_folder_of_links_count(index, tmp_path):
    links = tmp_path / "links"
    tensorflow_wheel(links, "tf-nightly", "2.22.0.dev20260905")
    index.use(str(index.simple), UV_FIND_LINKS=str(links))
    assert names("tf-nightly") == ["2.22.0.dev20260905"]


@pytest.mark.parametrize("where", ["url", "netrc"])
def test_the_password_of_the_address_or_of_netrc_is_sent(server, index, tmp_path, where):
    server.pages["/simple/tf-nightly/"] = "text/html", b""
    place = f"{server.url}/simple"
    if where == "url":
        place = place.replace("http://", "http://me:se%40cret@")
    else:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password se@cret\n")
    index.use(place)
    assert names("tf-nightly") == []
    assert server.asked[-1][1]["Authorization"] == f"Basic {base64.b64encode(b'me:se@cret').decode()}"


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, index, tmp_path):
    content = bytes(range(256)) * 4000
    server.pages["/a.whl"] = "application/zip", content
    server.breaks.add("/a.whl")
    digest = hashlib.sha256(content).hexdigest()
    assert download(f"{server.url}/a.whl", tmp_path / "a.whl", digest) == digest
    assert (tmp_path / "a.whl").read_bytes() == content
    assert [headers.get("Range") for _, headers in server.asked] == [None, f"bytes={len(content) // 2}-"]


def test_what_has_another_hash_is_not_kept(server, index, tmp_path):
    server.pages["/a.whl"] = "application/zip", b"other"
    with pytest.raises(NoAnswer, match=r"its SHA-256 is .* and should be aaaaaaaaaaaa"):
        download(f"{server.url}/a.whl", tmp_path / "a.whl", "a" * 64)
    assert list(tmp_path.glob("*a.whl*")) == []


def test_a_wheel_of_a_url_is_fetched_once_and_again_where_it_changed(server, index, tmp_path, monkeypatch):
    from harness.releases import builds

    root = tmp_path / "project"
    root.mkdir()
    (root / "releases.toml").write_text('[[release]]\nversion = "2.21.0"\ndate = 2026-03-06\n')
    url = f"{server.url}/wheels/patched.whl?token=1"

    def ident(extra: str) -> str:
        path = tensorflow_wheel(tmp_path, "tensorflow", "2.21.0", extra=extra)
        server.pages["/wheels/patched.whl?token=1"] = "application/zip", path.read_bytes()
        builds._fetched.cache_clear()  # as in another command
        release = chosen_subjects(root, [url], "cpu")[0][0]
        assert release.build is not None
        assert release.build.label == "patched.whl"
        return release.ident

    first = ident("")
    fetched = len(server.asked)
    assert ident("") == first
    assert len(server.asked) == fetched + 1  # 304
    assert ident("patched = 1\n") != first
    monkeypatch.setenv("UV_OFFLINE", "1")
    index.refresh()
    assert ident("unreachable = 1\n") != first


def test_addresses_are_shown_without_passwords():
    assert shown("https://me:secret@host/a/b.whl?token=1#x") == "https://host/a/b.whl"


def test_the_wheel_that_fits_best_is_taken():
    pure, old = "a-1-py3-none-any.whl", "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    new, later = "a-1-cp311-cp311-manylinux_2_28_x86_64.whl", "a-1-cp311-cp311-manylinux_2_34_x86_64.whl"
    assert best_wheel([pure, later, old, new], "3.11") == new
    assert best_wheel([pure, later, old], "3.11") == old
    assert best_wheel([pure, old], "3.12") == pure
    assert best_wheel(["a-1-cp39-abi3-manylinux1_x86_64.whl", pure], "3.12").startswith("a-1-cp39-abi3")
    assert best_wheel([later], "3.11") is None
