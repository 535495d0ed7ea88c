"""asv's repository is `releases.toml`, its commits are TensorFlow releases.

`asv.conf.json` names this module under "plugins"; asv then finds the class through `"repo": "releases.toml"`. Written
against asv 0.6.6, whose base class neither declares nor documents all that its commands call.
"""

from __future__ import annotations

import atexit
import datetime
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from asv import util
from asv.config import Config
from asv.console import log
from asv.machine import Machine
from asv.repo import NoSuchNameError, Repo

from harness.asv import environment
from harness.asv.environment import ReleaseEnvironment
from harness.asv.machine_file import settle_machine_name
from harness.errors import UsageError
from harness.releases.manifest import Manifest, read_manifest
from harness.releases.release import Release
from harness.store.known_releases import known_releases

__all__ = ["ReleaseEnvironment", "ReleaseRepo", "setup"]

BRANCH = "releases"
_AFTER = "after:"
_ADVICE = (
    "asv compares runs made one after the other: a machine that drifts in between looks like a changed TensorFlow. "
    "`savedmodel-bench compare OLD NEW` measures both interleaved and paired, and says how sure it is."
)


def setup() -> None:
    """Called by asv when it loads the plugin.

    It gives asv the project's name for this machine, and points from asv's comparing commands to the better one.
    """
    settle_machine_name()
    if {"compare", "continuous"} & set(sys.argv[1:]):
        atexit.register(lambda: print(_ADVICE, file=sys.stderr))


class _Tags(dict[str, str]):
    """Tag to id. `asv run TAGS` takes the keys for ids and would store results that `publish` rejects: give it ids.

    `publish`, the only other caller, reads items and values.
    """

    def keys(self) -> Any:
        return dict.fromkeys(self.values()).keys()


class ReleaseRepo(Repo):  # type: ignore[misc]
    """Answers asv's questions about commits from `releases.toml`; a commit's id is a release's `ident`."""

    dvcs = "releases"
    _default_branch = BRANCH

    def __init__(self, url: str, mirror_path: str | None = None) -> None:
        self._path = Path(url)
        try:
            self._registered = {release.ident for release in read_manifest(self._path).releases}
            self._manifest: Manifest = known_releases(self._path.parent, with_reference=False)
        except UsageError as error:
            raise util.UserError(str(error)) from None
        self._by_ident = {release.ident: release for release in self._manifest.releases}

    @classmethod
    def url_match(cls, url: str) -> bool:
        """Whether asv's `repo` setting means this class."""
        return Path(url).name == "releases.toml"

    def release(self, ident: str) -> Release:
        """Return the release with this id.

        Raises:
            asv.util.UserError: it is not, or no longer, in `releases.toml`.
        """
        if ident not in self._by_ident:
            raise util.UserError(f"No release in {self._path.name} has the id {ident[:8]}: put its entry back.")
        return self._by_ident[ident]

    def pull(self) -> None:
        """Do nothing: there is no remote side."""

    def checkout(self, path: str, commit_hash: str) -> None:
        """Do nothing: a release has no working tree; its environment is made by `ReleaseEnvironment`."""

    # Names and ids

    def get_hash_from_name(self, name: str | None) -> str:
        """Return the id of a tag, a version, a name, an id of at least 8 digits, or of the newest release."""
        if name is None or name in (BRANCH, "HEAD"):
            return self._newest().ident
        ident = self._known(name)
        if ident is None:
            raise NoSuchNameError(name)
        return ident

    def get_hash_from_parent(self, name: str) -> str:
        """Return the id of the release before this one."""
        idents = list(self._by_ident)
        at = idents.index(self.get_hash_from_name(name))
        if at == 0:
            raise NoSuchNameError(f"{name}^")
        return idents[at - 1]

    def get_name_from_hash(self, commit: str) -> str | None:
        """Return the release's name, or None for an id that `releases.toml` does not have."""
        release = self._by_ident.get(commit)
        return release.name if release is not None else None

    def get_tags(self) -> dict[str, str]:
        """Return {"v2.21.0": id}; every release is a tag."""
        return _Tags({release.name: ident for ident, release in self._by_ident.items()})

    def get_date(self, ident: str) -> int:
        """Return the release's date in milliseconds since 1970, as JavaScript counts."""
        day = self.release(ident).date
        return int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp()) * 1000

    def get_date_from_name(self, name: str) -> int:
        """Return the date of a tag or an id, as `get_date` does."""
        return self.get_date(self.get_hash_from_name(name))

    # Ranges and orders; asv wants the newest first

    def get_range_spec(self, commit_a: str, commit_b: str) -> str:
        """Return asv's own way to say "after A, up to and with B".

        A user's `A..B` has both ends, while `publish` needs the first one left out: so this is a word of its own.
        """
        return f"{_AFTER}{commit_a}:{commit_b}"

    def get_new_range_spec(self, latest_result: str, branch: str | None = None) -> str:
        """Return the way to say "everything after this release"."""
        return f"{_AFTER}{latest_result}:"

    def get_hashes_from_range(self, range_spec: str) -> list[str]:
        """Return the ids that a range means, newest first.

        `v2.20.0..v2.21.0` has both ends, `v2.20.0..` and `..v2.20.0` are open, `v2.21.0` is that release alone. What
        cannot be installed here is left out of a user's range with one sentence.

        Raises:
            asv.util.UserError: an end is unknown, the range is backward, or nothing of it can be installed here.
        """
        idents = list(self._by_ident)
        if range_spec.startswith(_AFTER):
            after, _, last = range_spec.removeprefix(_AFTER).partition(":")
            stop = idents.index(self._end(last)) + 1 if last else len(idents)
            return idents[idents.index(self._end(after)) + 1 : stop][::-1]
        if range_spec == BRANCH:
            return idents[::-1]
        first, dots, last = range_spec.partition("..")
        if not dots:
            last = first = first.removesuffix("^!")
        start = idents.index(self._end(first)) if first else 0
        stop = idents.index(self._end(last)) + 1 if last else len(idents)
        if start >= stop:
            raise util.UserError(f"{range_spec} is backward: {last} is older than {first}.")
        if not dots:
            self._refuse_if_impossible(self._by_ident[idents[start]])
        elif first and last:
            log.info(f"{range_spec} has both its ends: {stop - start} releases")
        return self._possible(idents[start:stop][::-1])

    def get_branch_name(self, branch: str | None = None) -> str:
        """Return the name of the only branch."""
        return branch or BRANCH

    def get_branch_commits(self, branch: str | None) -> list[str]:
        """Return all ids, newest first."""
        return list(self._by_ident)[::-1]

    def get_new_branch_commits(self, branches: Sequence[str | None], existing: Iterable[str]) -> list[str]:
        """Return the ids that are newer than the newest one measured on this machine; `existing` empty means all."""
        measured = _measured_here(set(existing))
        new: list[str] = []
        for ident in self.get_branch_commits(None):
            if ident in measured:
                break
            new.append(ident)
        return self._possible(new) if new else new

    def get_revisions(self, commits: Iterable[str]) -> dict[str, int]:
        """Return the position in history of each of the ids that are there."""
        wanted = set(commits)
        return {ident: at for at, ident in enumerate(self._by_ident) if ident in wanted}

    def _known(self, name: str) -> str | None:
        if len(name) >= 8:
            for ident in self._by_ident:
                if ident.startswith(name):
                    return ident
        try:
            return self._manifest.find(name).ident
        except UsageError:
            return None

    def _end(self, name: str) -> str:
        if name in (BRANCH, "HEAD"):
            return self._newest().ident
        ident = self._known(name)
        if ident is None:
            try:
                return self._manifest.find(name).ident
            except UsageError as error:
                raise util.UserError(str(error)) from None
        return ident

    def _newest(self) -> Release:
        """Return the newest release of `releases.toml` that can be installed here, or its newest where none can."""
        registered = [one for one in self._manifest.releases if one.ident in self._registered]
        possible = [one for one in registered if environment.complaint(one) is None]
        return (possible or registered)[-1]

    def _possible(self, idents: list[str]) -> list[str]:
        possible = []
        for ident in idents:
            if ident not in self._registered and len(idents) > 1:
                continue  # what has no entry is measured where it is named, and shown everywhere
            complaint = environment.complaint(self._by_ident[ident])
            if complaint is None:
                possible.append(ident)
            else:
                log.warning(complaint)
        if not possible:
            raise util.UserError("None of these releases can be installed here.")
        log.info(environment.grouping([self._by_ident[ident] for ident in possible[::-1]]))
        return possible

    def _refuse_if_impossible(self, release: Release) -> None:
        complaint = environment.complaint(release)
        if complaint is not None:
            raise util.UserError(complaint)


def _measured_here(existing: set[str]) -> set[str]:
    """Return those ids that have results of this machine: asv itself counts those of any machine."""
    if not existing:
        return existing
    try:
        results = Path(Config.load().results_dir)
        machine = str(Machine.load(machine_name=_machine_asked_for(), interactive=False).machine)
    except util.UserError:
        return existing
    prefixes = {path.name[:8] for path in (results / machine).glob("????????-*.json")}
    return {ident for ident in existing if ident[:8] in prefixes}


def _machine_asked_for() -> str | None:
    """Return what `--machine` says on asv's command line; asv does not hand it to the repository."""
    arguments = sys.argv[1:]
    for at, argument in enumerate(arguments):
        if argument in ("--machine", "-m"):
            return arguments[at + 1] if at + 1 < len(arguments) else None
        if argument.startswith("--machine="):
            return argument.partition("=")[2]
    return None
