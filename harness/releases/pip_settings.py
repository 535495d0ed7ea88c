"""What the user has told pip about index mirrors, proxies and certificates, in uv's words.

uv reads none of pip's configuration. A machine on which only pip was told about its mirror would otherwise fail at
the first install of a release, after pip itself had installed the harness without trouble.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_SCOPES = ("global", "install", ":env:")
_INDEX_VARIABLES = ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX")


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's effective settings ({"index-url": …}) from its files and PIP_* variables; {} without pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listed = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        prefix = "PIP_"
        return {
            name.removeprefix(prefix).lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith(prefix)
        }
    return parse_pip_settings(listed.stdout)


def parse_pip_settings(listed: str) -> dict[str, str]:
    """Read the output of `pip config list`; variables win over files, `install` over `global`."""
    found: dict[str, dict[str, str]] = {scope: {} for scope in _SCOPES}
    for line in listed.splitlines():
        key, equals, value = line.partition("=")
        scope, _, name = key.partition(".")
        if not equals or scope not in found:
            continue
        try:
            found[scope][name] = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            continue
    settings: dict[str, str] = {}
    for scope in _SCOPES:
        settings.update(found[scope])
    return settings


def uv_variables(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Translate pip's settings into the variables that uv reads, leaving alone what the user has set for uv.

    Extra indexes and link folders that are local paths stay out: pip passes over one that is missing, uv stops there.

    Args:
        settings: pip's settings, as `pip_settings` returns them.
        environ: the environment in which uv is going to run.

    Returns:
        Only what has to be added to `environ`.
    """
    added: dict[str, str] = {}
    if not any(environ.get(name) for name in _INDEX_VARIABLES) and not _uv_configured(environ):
        index = settings.get("index-url", "")
        if index:
            added["UV_DEFAULT_INDEX"] = index
        extra = [url for url in settings.get("extra-index-url", "").split() if url.startswith(("http://", "https://"))]
        if extra:
            added["UV_INDEX"] = " ".join(extra)
            # pip takes the best version of all its indexes; uv would stop at the first index that has the name.
            if not environ.get("UV_INDEX_STRATEGY"):
                added["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    certificate = settings.get("cert", "")
    if certificate and not environ.get("SSL_CERT_FILE") and Path(certificate).is_file():
        added["SSL_CERT_FILE"] = certificate
    proxy = settings.get("proxy", "")
    if proxy:
        full = proxy if "://" in proxy else f"http://{proxy}"
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            if not environ.get(name) and not environ.get(name.lower()) and not environ.get("ALL_PROXY"):
                added[name] = full
    hosts = settings.get("trusted-host", "").split()
    if hosts and not environ.get("UV_INSECURE_HOST"):
        added["UV_INSECURE_HOST"] = " ".join(hosts)
    return added


def _uv_configured(environ: Mapping[str, str]) -> bool:
    """Whether a uv.toml of the user or of the machine names an index: then pip's index is not what uv should use."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/") / ".config")
    for path in (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")):
        try:
            if "index" in path.read_text(encoding="utf-8"):
                return True
        except OSError:
            continue
    return False
