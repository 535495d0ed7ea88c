"""What a repository says of commits: their tags and branches, and their order."""

from __future__ import annotations

import subprocess
from pathlib import Path

from asv.util import UserError, load_json

from harness.errors import UsageError
from harness.store.known_releases import known_releases

_LIMIT_S = 10
_LOG_LIMIT_S = 60


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


def log_order(results: Path, repository: Path | None = None) -> tuple[Path, list[str]] | None:
    """Return a repository and its commits, parents before children; None where no repository is at hand.

    Args:
        results: the result directory; the repository that its `asv.conf.json` names is asked, if it lies on this
            machine. Nothing is fetched.
        repository: the one that a user named instead.

    Raises:
        UsageError: the named one is not a git repository.
    """
    asked = repository or _of_configuration(results.resolve())
    if asked is None or asked.name == "releases.toml":
        return None
    words = ["git", "-C", str(asked), "rev-list", "--all", "--topo-order", "--reverse"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=_LOG_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        answer = None
    commits = answer.stdout.split() if answer is not None and answer.returncode == 0 else []
    if not commits and repository is not None:
        raise UsageError(f"{repository} is not a git repository with commits: give another --repo, or leave it out.")
    return (asked, commits) if commits else None


def _of_configuration(folder: Path) -> Path | None:
    for base in (folder, *folder.parents):
        if (base / "asv.conf.json").exists():
            return _configured(base)
    return None


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
            return known_releases(repository.parent).find(name).ident
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
