"""asv's environment: every release has its own, and asv's benchmark processes run in the harness's interpreter.

Where asv is not told a Python, releases are grouped by it: as few Pythons as this machine allows, so that asv's tables
and graphs, which never join two of them, go over as many releases as possible.

The benchmarks never import TensorFlow; they start a worker in the release's interpreter, which they find in the
variable ASV_RELEASE_PYTHON. So neither asv_runner nor anything else is ever installed beside TensorFlow.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asv import util
from asv.console import log
from asv.environment import Environment

from harness.errors import ReleaseError, UsageError
from harness.machine.gpu.presence import gpu_presence
from harness.releases.environments import choose_policy, choose_wheel, obstacle, prepare
from harness.releases.installation import find_python_minor
from harness.releases.manifest import read_manifest
from harness.releases.python_choice import common_python, group_by_python
from harness.releases.pythons import checked_minor, running_python_minor
from harness.releases.release import Release

_LAUNCHER = Path(__file__).with_name("launcher.py")

ANY = "any"
"""What asv.conf.json says under "pythons": each release's own."""

asked_pythons: set[str | None] = set()
"""The Pythons of the environments that asv uses, None for each release's own: asv does not tell its repository."""


def complaint(release: Release) -> str | None:
    """Return one sentence why none of asv's environments can have a release, or None if one can."""
    reasons = [_why_not(release, python) for python in asked_pythons or {None}]
    return None if None in reasons else reasons[0]


def _why_not(release: Release, asked: str | None) -> str | None:
    """Return one sentence why a release cannot be had under the Python that asv is told, None for its own."""
    if release.python is None or asked is None:
        return obstacle(release, python=asked, may_fetch=False)
    minor = find_python_minor(release.python)
    if minor in (None, asked):
        return obstacle(release)
    return f"{release.name} has Python {minor}, not {asked}: leave `--python` out, or name other releases."


def grouping(releases: Sequence[Release]) -> str:
    """Return which releases are measured under which Python: "Python 3.11: v2.14.1, v2.15.1; Python 3.13: v2.21.0"."""
    members: dict[str, list[str]] = {}
    for release in releases:
        for asked in sorted(asked_pythons or {None}, key=str):
            members.setdefault(asked or _python_of(release), []).append(release.name)
    return "; ".join(f"Python {minor}: {', '.join(names)}" for minor, names in members.items())


def _python_of(release: Release) -> str:
    """Return the Python of a release where asv is not told one: that of its group among all releases."""
    if release.python is not None:
        return find_python_minor(release.python) or running_python_minor()
    if release.build is not None:
        return common_python([release])
    return _groups(Path.cwd()).get(release.ident) or running_python_minor()


def _groups(root: Path) -> dict[str, str]:
    """Return the Python of each release that has an environment of its own, by its id."""
    releases = [one for one in read_manifest(root / "releases.toml").releases if one.python is None]
    return {one.ident: minor for minor, members in group_by_python(releases).items() for one in members}


class ReleaseEnvironment(Environment):  # type: ignore[misc]
    """One asv environment for all releases; switching to another release is choosing another interpreter."""

    tool_name = "tensorflow-release"
    matches_python_fallback = False

    def __init__(self, conf: Any, python: str, requirements: dict[str, str], tagged_env_vars: Any) -> None:
        # asv makes its environments before it makes its repository, in the folder of asv.conf.json.
        self._root = Path.cwd()
        try:
            self._wheel = choose_wheel(root=self._root)
            self._policy = choose_policy(self._root, None)
            releases = read_manifest(self._root / "releases.toml").releases
            self._asked = None if python == ANY else checked_minor(python)
        except UsageError as error:
            raise util.UserError(str(error)) from None
        asked_pythons.add(self._asked)
        if self._asked is not None:
            asked_pythons.discard(None)  # asv makes those of asv.conf.json first, even where it is told another one
        self._current: str | None = None
        self._gpu_told = False
        super().__init__(conf, self._asked or _python_of(releases[-1]), requirements, tagged_env_vars)

    @classmethod
    def matches(cls, python: str) -> bool:
        """Whether this class answers for what `--python` says: for all but the path of an interpreter."""
        return "/" not in python

    @property
    def name(self) -> str:
        """The name in result files; with the kind of wheel, the policy and the Python minor: no two of them mix.

        The Python is that of the release that was chosen last.
        """
        plain = f"tf-{self._wheel}-{self._policy}-py{self._python.replace('.', '')}"
        variables = [f"{name}{value}" for name, value in sorted(self.env_vars.items())]
        return str(util.sanitize_filename("-".join([plain, *variables])))

    @property
    def dir_name(self) -> str:
        """A folder name that asv asks for; nothing is ever put there."""
        return ".asv"

    @property
    def installed_commit_hash(self) -> str | None:
        """The id of the release that benchmarks run with at present."""
        return self._current

    def _get_installed_commit_hash(self) -> str | None:
        return getattr(self, "_current", None)

    def check_presence(self) -> bool:
        """There is nothing to be present before a release is chosen."""
        return True

    def create(self) -> None:
        """Refuse `-j`; nothing else to do.

        Raises:
            asv.util.UserError: asv creates environments in a pool of processes, which only `-j` makes it do.
        """
        if multiprocessing.parent_process() is not None:
            raise util.UserError("-j is not supported: releases are installed one after the other; leave it out.")

    def install_project(self, conf: Any, repo: Any, commit_hash: str) -> None:
        """Switch to a release, installing it where it has to be.

        Raises:
            asv.util.ProcessError: it cannot be had; asv marks it failed and goes on with the others.
        """
        self._current = None
        self._tell_of_the_gpu()
        release = repo.release(commit_hash)
        try:
            self._python = self._asked or _python_of(release)
            reason = _why_not(release, self._asked)
            if reason is not None:
                raise ReleaseError(reason)
            prepared = prepare(
                release, self._root, wheel=self._wheel, policy=self._policy, python=self._python, say=log.warning
            )
        except UsageError as error:
            log.error(str(error))
            raise util.ProcessError(["savedmodel-bench", "install", release.name], 1, "", str(error)) from None
        self._set_commit_hash(commit_hash)
        self._global_env_vars["ASV_RELEASE_NAME"] = release.name
        self._global_env_vars["ASV_RELEASE_PYTHON"] = str(prepared.python)
        self._global_env_vars["ASV_RELEASE_PYTHON_MINOR"] = self._python
        self._current = commit_hash

    def _tell_of_the_gpu(self) -> None:
        """Say once why all benchmarks on the GPU are going to fail: asv itself would show only that they do."""
        gpu = gpu_presence(os.environ)
        if gpu.is_broken and not self._gpu_told:
            log.warning(f"The GPU is NOT measured, its benchmarks fail: {gpu.text}. {gpu.remedy}")
        self._gpu_told = True

    def find_executable(self, executable: str) -> str:
        """Return the harness's own interpreter for "python"; there is nothing else to find."""
        if executable == "python":
            return sys.executable
        raise OSError(f"{executable} is not part of this environment")

    def run(self, args: list[str], **kwargs: Any) -> Any:
        """Run the harness's interpreter with these arguments, the first of which is asv's script."""
        return self.run_executable("python", [str(_LAUNCHER), *args], **kwargs)
