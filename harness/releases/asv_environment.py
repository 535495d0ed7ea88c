"""asv's environment: every release has its own, and asv's benchmark processes run in the harness's interpreter.

The benchmarks never import TensorFlow; they start a worker in the release's interpreter, which they find in the
variable ASV_RELEASE_PYTHON. So neither asv_runner nor anything else is ever installed beside TensorFlow.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

from asv import util
from asv.console import log
from asv.environment import Environment

from harness.errors import UsageError
from harness.machine.gpu_presence import gpu_presence
from harness.releases.environments import choose_policy, choose_wheel, prepare, running_python_minor

_LAUNCHER = Path(__file__).with_name("asv_launcher.py")


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
        except UsageError as error:
            raise util.UserError(str(error)) from None
        self._current: str | None = None
        self._gpu_told = False
        super().__init__(conf, running_python_minor(), requirements, tagged_env_vars)

    @property
    def name(self) -> str:
        """The name in result files; with the kind of wheel, the policy and the Python minor: no two of them mix."""
        plain = f"tf-{self._wheel}-{self._policy}-py{running_python_minor().replace('.', '')}"
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
            prepared = prepare(release, self._root, wheel=self._wheel, policy=self._policy, say=log.warning)
        except UsageError as error:
            log.error(str(error))
            raise util.ProcessError(["savedmodel-bench", "install", release.name], 1, "", str(error)) from None
        self._set_commit_hash(commit_hash)
        self._global_env_vars["ASV_RELEASE_NAME"] = release.name
        self._global_env_vars["ASV_RELEASE_PYTHON"] = str(prepared.python)
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
