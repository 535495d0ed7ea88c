"""The sandbox around a worker that runs a stranger's graph: what is asked for, its variables, what this machine offers.

The worker puts itself into it (harness/worker/guard.py). What it protects from and what not: docs/internals.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.machine.findings import Finding, advice, ok
from harness.measure.own_models import OwnModel
from harness.measure.pinning import ALLOWED, worker_environment
from harness.savedmodel.places import list_files

MOST_DISK_BYTES = 64 << 30
DISK_SHARE = 0.8
"""Share of the free disk that a graph may fill, where that is less."""

MOST_FILES = 100_000
"""So many files and folders in a scratch folder are an attempt to use up the file system's."""

_SCRIPT = Path(__file__).parent.parent / "worker" / "guard.py"
_PROBE_S = 30.0


@dataclass(frozen=True, slots=True)
class Guard:
    """What a worker is asked to keep itself from.

    Args:
        scratch: the one folder that can be written, absolute. HOME, TMPDIR and artifacts are below it.
        readable: what stays readable where it lies in a hidden folder: the model. The interpreter, its packages and
            the libraries of LD_LIBRARY_PATH do by themselves.
        hidden: folders that are empty inside, beside HOME, /tmp, /var/tmp, /run and /dev: the project's results.
        isolates: whether namespaces are asked for; `what_guards().isolates`. Where the kernel then refuses one, the
            worker does not start.
        disk_limit_bytes: what may be written to `scratch` in all; None: 64 GiB, or 80 % of the free disk if less.
    """

    scratch: Path
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    isolates: bool = True
    disk_limit_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse a scratch folder that depends on where the worker is started."""
        if not self.scratch.is_absolute():
            raise ValueError(f"the scratch folder must be absolute, not {self.scratch}")

    @property
    def allowed_bytes(self) -> int:
        """What the graph may write from now on."""
        if self.disk_limit_bytes is not None:
            return self.disk_limit_bytes
        return min(MOST_DISK_BYTES, int(DISK_SHARE * shutil.disk_usage(self.scratch).free))

    def prepare(self) -> str:
        """Make the folders of the worker's variables; return what the worker is told, as JSON."""
        for folder in _folders(self.scratch).values():
            folder.mkdir(parents=True, exist_ok=True)
        asked = {
            "isolates": self.isolates,
            "scratch": str(self.scratch),
            "readable": [str(path) for path in self.readable],
            "hidden": sorted({*_homes(), *map(str, self.hidden)}),
            "file_bytes": self.allowed_bytes,
        }
        return json.dumps(asked)

    def complaint(self, held: Mapping[str, Any] | None) -> str | None:
        """Return why a worker must not be used that says this of itself in its `hello`; None if it may be."""
        if held is None:
            return "the worker does not say what holds of the sandbox that it was asked for"
        if held["reason"] is not None:
            return str(held["reason"])
        if self.isolates and not (held["network"] and held["files"]):
            return "the worker can reach the network or write outside its folder"
        return None


def guard_for(models: Sequence[OwnModel], scratch: Path, readable: Sequence[Path] = ()) -> Guard:
    """Return the guard of a worker that loads these models.

    Args:
        models: they stay readable where they lie, and so do the files that links of theirs lead to, as in Hugging
            Face's cache.
        scratch: the one folder that can be written, absolute.
        readable: what else stays readable.
    """
    paths = [path for model in models for path in (Path(model.path), *_linked(Path(model.path)))]
    return Guard(scratch.resolve(), (*paths, *readable), isolates=what_guards().isolates)


def _linked(root: Path) -> set[Path]:
    """Return the files of a model that lie elsewhere."""
    if not root.is_dir():
        return set()
    files = {(root / file.path).resolve() for file in list_files(root)}
    return {file for file in files if not file.is_relative_to(root.resolve())}


def _homes() -> set[str]:
    """Return the user's home: what the shell says, and what the list of users says, which containers often lack."""
    found = {os.environ.get("HOME", "")}
    with contextlib.suppress(KeyError):
        found.add(pwd.getpwuid(os.getuid()).pw_dir)
    return {path for path in found if path.startswith("/")}


def _folders(scratch: Path) -> dict[str, Path]:
    return {"HOME": scratch / "home", "TMPDIR": scratch / "tmp"}


def guarded_environment(caller: Mapping[str, str], scratch: Path, gpu_uuid: str | None = None) -> dict[str, str]:
    """Return the variables of a guarded worker: an allow-list of the caller's, and what every worker has pinned.

    Args:
        caller: the variables of this process. Tokens, credentials, proxies and all others that are not in `ALLOWED`
            stay behind.
        scratch: the guard's; HOME is a folder of its own there.
        gpu_uuid: the only GPU the worker sees.
    """
    kept = {name: value for name, value in caller.items() if name in ALLOWED or name.startswith("LC_")}
    folders = {name: str(folder) for name, folder in _folders(scratch).items()}
    # Python would run, before the sandbox is up, what an earlier graph left in the HOME of its own.
    return {**worker_environment(kept, scratch, gpu_uuid), **folders, "PYTHONNOUSERSITE": "1"}


@dataclass(frozen=True, slots=True)
class Protection:
    """What this machine offers against a stranger's graph."""

    isolates: bool
    sentence: str  # for the first line of a command that runs one
    reason: str | None = None  # why there is no sandbox

    def finding(self) -> Finding:
        """Return what `doctor` says of it."""
        if self.reason is None:
            return ok("sandbox", "models of others can be run in a sandbox: no network, one writable folder")
        return advice(
            "sandbox",
            f"models of others cannot be run in a sandbox ({self.reason})",
            "Allow user namespaces: sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0, "
            "or in a container a security profile that allows unshare and mount. Until then, measure only models "
            "that you trust.",
        )


@cache
def what_guards() -> Protection:
    """Return what this machine offers; tried once, in a process that ends at once (about 0.1 s)."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Guard(Path(folder).resolve()).prepare()
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(_SCRIPT), asked],
                capture_output=True,
                text=True,
                timeout=_PROBE_S,
                check=False,
            )
            reason = json.loads(done.stdout)["reason"]
        except subprocess.TimeoutExpired:
            reason = f"it did not start within {_PROBE_S:g} s"
        except (OSError, ValueError):
            reason = "it could not be started"
    if reason is None:
        return Protection(
            True,
            "The model runs in a sandbox: no network, no access to your home folder, and it can write to one scratch "
            "folder only.",
        )
    return Protection(
        False,
        f"There is no sandbox on this machine ({reason}): the model runs with your rights and can reach the network "
        "and your files. Only its environment variables, time, memory and disk space are limited, so measure only "
        "models that you trust.",
        reason,
    )


def disk_use(folder: Path, most_files: int = MOST_FILES) -> tuple[int, int]:
    """Return the bytes on the disk of what lies below a folder, and how many entries that is; stops after most_files.

    What vanishes meanwhile counts as nothing.
    """
    total, entries = 0, 0
    waiting = [str(folder)]
    while waiting and entries <= most_files:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entries > most_files:
                        break
        except OSError:
            continue
    return total, entries
