"""What a repository says of the commits of the project whose results are read: their names, and their order."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from asv.util import UserError, load_json

from harness.errors import UsageError
from harness.releases.manifest import read_manifest

_LIMIT_S = 10
_LOG_LIMIT_S = 60


def hash_of_name(results: Path, name: str) -> str | None:
    """Return the whole hash of a tag or branch, None where no repository at hand knows it.

    Asked are the repository that `asv.conf.json` names, if it lies on this machine, and the one that the results lie
    in. Nothing is fetched.
    """
    folder = results.resolve()
    for repository in _configured(folder):
        if found := _ask(repository, name):
            return found
    return _ask(folder, name)


@dataclass(frozen=True, slots=True)
class CommitOrder:
    """Where each commit stands on the axis of a history.

    `places` count from 0; commits whose order nobody knows share one. `told` says where the order is from.
    """

    places: Mapping[str, int]
    told: str

    @property
    def is_shared(self) -> bool:
        """Whether commits share a place."""
        return len(set(self.places.values())) < len(self.places)

    def behind(self, commit: str) -> int:
        """Return how many places come after a commit's."""
        return max(self.places.values()) - self.places[commit]


def commit_order(values: pd.DataFrame, results: Path, repository: Path | None = None) -> CommitOrder:
    """Return the order of all commits that have results.

    It is the log of the repository: the one that is named, else the one that `asv.conf.json` above the results names,
    if it or asv's clone of it lies on this machine, else the one that the results lie in; parents go before children.
    Commits that it does not know stand where their dates put them. Without a repository that knows any, the commits'
    dates are the order, and those of one second share a place: nothing says which came first.

    Args:
        values: `AsvHistory.values`.
        results: the result directory.
        repository: a clone of the project, where the user names one.

    Raises:
        UsageError: the repository that was named is none, or knows none of the commits.
    """
    dates = values.groupby("commit", observed=True)["date"].min()
    seconds = {str(commit): date.timestamp() // 1 if date is not pd.NaT else math.inf for commit, date in dates.items()}
    folder = results.resolve()
    for candidate in [repository] if repository is not None else [*_configured(folder), folder]:
        log = _log(candidate)
        known = [commit for commit in log if commit in seconds]
        if known:
            return _by_log(known, seconds, candidate)
        if repository is not None:
            what = "knows none of the commits with results" if log else "is no git repository that can be read"
            raise UsageError(f"{repository} {what}: give --repo a clone of the project that was measured.")
    return _by_date(seconds)


def _by_log(known: Sequence[str], seconds: Mapping[str, float], repository: Path) -> CommitOrder:
    """Return the order of a log; a commit that is not in it goes after all that are not younger."""
    latest = np.maximum.accumulate([seconds[commit] for commit in known])
    keys: dict[str, tuple[float, float]] = {commit: (float(at), 0.0) for at, commit in enumerate(known)}
    others = sorted(set(seconds) - keys.keys())
    for commit in others:
        keys[commit] = (float(np.searchsorted(latest, seconds[commit], side="right")) - 0.5, seconds[commit])
    ranks = {key: place for place, key in enumerate(sorted(set(keys.values())))}
    apart = f"; {len(others)} of {len(keys)} are not in it and stand by their dates" if others else ""
    return CommitOrder(
        {commit: ranks[key] for commit, key in keys.items()},
        f"Commits are in the order of the log of {repository}{apart}.",
    )


def _by_date(seconds: Mapping[str, float]) -> CommitOrder:
    ranks = {second: place for place, second in enumerate(sorted(set(seconds.values())))}
    shared = len(seconds) - len(ranks)
    apart = f"; {shared} share their second with another, and these count as one place" if shared else ""
    return CommitOrder(
        {commit: ranks[second] for commit, second in seconds.items()},
        f"Commits are in the order of their dates{apart}; --repo DIR takes the order of a clone's log.",
    )


def _configured(folder: Path) -> Iterator[Path]:
    """Yield the repository that the asv.conf.json next above a folder names, and asv's own clone of it, if here."""
    base = next((base for base in (folder, *folder.parents) if (base / "asv.conf.json").exists()), None)
    if base is None:
        return
    try:
        settings = load_json(str(base / "asv.conf.json"), js_comments=True)
        named = [str(settings[name]) for name in ("repo", "project") if settings.get(name)]
    except (UserError, OSError, ValueError, AttributeError, TypeError):
        return
    # asv clones what is not on this machine into a folder of the project's name.
    yield from (path for name in named if (path := base / name.removeprefix("file://")).exists())


def _log(repository: Path) -> list[str]:
    """Return all commits of a repository, parents before children, otherwise by date; none where it cannot be read."""
    if repository.name == "releases.toml":  # the repository of this project's own asv plugin
        try:
            return [release.ident for release in read_manifest(repository).releases]
        except UsageError:
            return []
    try:
        answer = subprocess.run(
            ["git", "-C", str(repository), "rev-list", "--all", "--date-order", "--reverse"],
            capture_output=True,
            text=True,
            timeout=_LOG_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.split() if answer.returncode == 0 else []


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
