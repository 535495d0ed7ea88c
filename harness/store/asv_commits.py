"""What a repository calls a commit: tags and branches of the project whose results are read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from asv.util import UserError, load_json

from harness.errors import UsageError
from harness.releases.manifest import read_manifest

_LIMIT_S = 10


def hash_of_name(results: Path, name: str) -> str | None:
    """Return the whole hash of a tag or branch, None where no repository at hand knows it.

    Asked are the repository that `asv.conf.json` names, if it lies on this machine, and the one that the results lie
    in. Nothing is fetched.
    """
    folder = results.resolve()
    for base in (folder, *folder.parents):
        if (base / "asv.conf.json").exists():
            repository = _configured(base)
            if repository is not None and (found := _ask(repository, name)):
                return found
            break
    return _ask(folder, name)


def _configured(base: Path) -> Path | None:
    try:
        repository = load_json(str(base / "asv.conf.json"), js_comments=True).get("repo")
    except (UserError, OSError, ValueError, AttributeError):
        return None
    path = base / str(repository)
    return path if repository and path.exists() else None


def _ask(repository: Path, name: str) -> str | None:
    if repository.name == "releases.toml":  # the repository of this project's own asv plugin
        try:
            return read_manifest(repository).find(name).ident
        except UsageError:
            return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(repository), "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
