"""A project: the folder that holds `releases.toml`, its locks, asv's configuration and benchmarks, and the results."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from harness.errors import UsageError

_PACKAGE = Path(__file__).parent.parent
_PARTS = ("releases.toml", "models.toml", "asv.conf.json", "benchmarks", "locks")
_PLUGIN = '".savedmodel_bench.asv_plugin"'
_IGNORED = """\
/.environments
/.builds/
/results/*
!/results/reference/
__pycache__/
"""


def find_root() -> Path:
    """Return the project's root: the nearest folder upward that holds `releases.toml`; an empty folder becomes one.

    Raises:
        UsageError: there is none, and this folder is not empty.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "releases.toml").is_file():
            return folder
    if any(here.iterdir()):
        raise UsageError(
            "There is no releases.toml here or above: run this in a project, or make this folder one with "
            "`savedmodel-bench init`."
        )
    print(f"Making a project in {here}: {', '.join(make_project(here))}.", file=sys.stderr)
    return here


def make_project(folder: Path) -> tuple[str, ...]:
    """Lay out a project in a folder and return what was made; nothing that is there is changed.

    Raises:
        UsageError: something of the same name is there already, or the folder cannot be written.
    """
    source = _templates()
    parts = [name for name in _PARTS if (source / name).exists()]
    there = [name for name in (*parts, "results") if (folder / name).exists()]
    if there:
        raise UsageError(f"{folder} has {', '.join(there)} already: choose an empty folder, or move that away.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in parts:
            if (source / name).is_dir():
                shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source / name, folder / name)
        (folder / "results").mkdir()
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
        configuration = folder / "asv.conf.json"
        text = configuration.read_text(encoding="utf-8")
        plugins = re.sub(r'("plugins": \[)[^\]]*', lambda found: found[1] + _PLUGIN, text)
        configuration.write_text(plugins, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be made a project ({error.strerror}): give a folder to write to.") from None
    return (*parts, "results")


def _templates() -> Path:
    """Return the folder of what a project begins with: part of what is installed, or the checkout itself."""
    installed = _PACKAGE.parent / "project"
    return installed if installed.is_dir() else _PACKAGE.parent
