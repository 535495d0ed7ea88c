"""Reading from the network or a local folder as pip and uv are told to: proxies, certificates, passwords of .netrc."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.client
import netrc
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from harness.releases.uv_command import uv_environment

_ANSWER_S = 60.0
_TRIES = 3
_PIECE = 1 << 20


class NoAnswer(Exception):
    """An address gave nothing; the message is the reason, without the address. `status` is HTTP's, None without one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


def is_offline() -> bool:
    """Whether uv was told to keep off the network."""
    return uv_environment().get("UV_OFFLINE", "0").lower() not in ("", "0", "false")


@contextlib.contextmanager
def opened(url: str, headers: Mapping[str, str] | None = None) -> Iterator[IO[bytes]]:
    """Open a URL (https, http, file) for reading.

    Raises:
        NoAnswer: it cannot be opened.
    """
    plain, password = _without_password(url)
    if is_offline() and not plain.startswith("file:"):
        raise NoAnswer("UV_OFFLINE forbids the network")
    try:
        request = urllib.request.Request(plain, headers=dict(headers or {}))
        for name, value in password.items():
            request.add_unredirected_header(name, value)
        host = urlsplit(plain).hostname or ""
        with _opener(host in _insecure_hosts()).open(request, timeout=_ANSWER_S) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        raise NoAnswer(f"HTTP {error.code} {error.reason}", error.code) from None
    except urllib.error.URLError as error:
        raise NoAnswer(str(getattr(error.reason, "strerror", None) or error.reason)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from None


def download(url: str, path: Path, sha256: str | None, told: Callable[[int], None] = lambda size: None) -> str:
    """Write what a URL has to a file, whole or not at all, and return its SHA-256.

    A connection that breaks is taken up again where it broke.

    Args:
        url: https, http or file.
        path: the file; its folder is made.
        sha256: what it has to be; None: anything.
        told: is called with the number of bytes that there are so far.

    Raises:
        NoAnswer: it cannot be read, or is not what it has to be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        for number in range(1, _TRIES + 1):
            try:
                _append(url, partial, told)
                break
            except NoAnswer as error:
                if error.status is not None or number == _TRIES:
                    raise
        found = sha256_of(partial)
        if sha256 is not None and found != sha256:
            raise NoAnswer(f"its SHA-256 is {found[:12]}… and should be {sha256[:12]}…")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return found


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shown(url: str) -> str:
    """Return a URL as it may be printed: without user and password, and without what follows a question mark."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _append(url: str, partial: Path, told: Callable[[int], None]) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    with opened(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
        is_rest = getattr(answer, "status", None) == 206
        have = have if is_rest else 0
        length = getattr(answer, "headers", {}).get("Content-Length")
        with partial.open("ab" if is_rest else "wb") as file:
            while piece := answer.read(_PIECE):
                file.write(piece)
                have += len(piece)
                told(have)
        if length is not None and have < int(length) and not is_rest:
            raise NoAnswer(f"the connection broke after {have} of {length} bytes")


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without user and password, and the header that has them; .netrc is asked where it names none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return url, {}
    user, password = parts.username, parts.password
    if user is None:
        try:
            known = netrc.netrc(os.environ.get("NETRC")).authenticators(parts.hostname)
        except (OSError, netrc.NetrcParseError):
            known = None
        if known is None:
            return url, {}
        user, _, password = known
    secret = base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, parts.fragment))
    return bare, {"Authorization": f"Basic {secret}"}


def _insecure_hosts() -> set[str]:
    return {host.partition(":")[0] for host in uv_environment().get("UV_INSECURE_HOST", "").split()}


@functools.cache
def _opener(insecure: bool) -> urllib.request.OpenerDirector:
    environ = uv_environment()
    context = ssl.create_default_context(cafile=environ.get("SSL_CERT_FILE") or None)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    proxies = {
        scheme: value
        for scheme in ("http", "https")
        for name in (f"{scheme}_proxy", "all_proxy")
        if (value := environ.get(name) or environ.get(name.upper()))
    }
    handlers: list[Any] = [urllib.request.HTTPSHandler(context=context)]
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies or None), *handlers)
