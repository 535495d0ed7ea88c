"""Can releases be installed here? Platform, Python, wheels, and hard links from uv's cache."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.machine.findings import Finding, advice, ok, problem
from harness.machine.storage_fitness import existing
from harness.releases.environments import FOLDER, choose_wheel, obstacle
from harness.releases.installation import find_installation
from harness.releases.manifest import read_manifest
from harness.releases.python_choice import choose_python
from harness.releases.pythons import found_pythons
from harness.releases.release import Release
from harness.releases.uv_command import UvError, run_uv


def release_findings(root: Path) -> Iterator[Finding]:
    """Look at what the releases of a project need."""
    releases = read_manifest(root / "releases.toml").releases
    pythons = ", ".join(
        f"{python.version} ({'the harness runs under it' if python.is_own else python.path})"
        for python in found_pythons().values()
    )
    yield ok("pythons", f"found here: {pythons or 'none that TensorFlow could have wheels for'}")
    missing = [reason for release in releases if (reason := obstacle(release))]
    text = f"{len(releases) - len(missing)} of {len(releases)} releases can be installed"
    if len(missing) == len(releases):
        yield problem("releases", text, missing[-1] if missing else "Add a release to releases.toml.")
    elif missing:
        yield advice("releases", text, missing[0])
    else:
        yield ok("releases", text)
    by_itself = ", ".join(f"{release.name} {_python_text(release)}" for release in releases)
    yield ok("release-pythons", f"Python of each release if it is measured alone: {by_itself}")
    yield from _interpreters(releases)
    yield from _dates(releases)
    yield ok(
        "wheel", f"{choose_wheel(root=root)} wheels are used (--wheel, or SAVEDMODEL_BENCH_WHEEL, chooses otherwise)"
    )
    yield hard_links(root)


def _python_text(release: Release) -> str:
    """Return which Python a release is measured under: "3.11", "3.11 (uv fetches it)", "none here"."""
    if release.python is not None:
        return "its interpreter's"
    try:
        choice = choose_python([release])
    except UsageError:
        return "none here"
    assert choice is not None
    return f"{choice.minor} (uv fetches it)" if choice.is_fetched else choice.minor


def _interpreters(releases: Sequence[Release]) -> Iterator[Finding]:
    """Judge what the interpreters have installed that releases are bound to; nothing is imported."""
    for release in releases:
        if release.python is None or obstacle(release):
            continue
        try:
            warnings = find_installation(release.python).warnings()
        except UsageError as error:
            yield advice("interpreters", f"{release.name} cannot be measured", str(error))
            continue
        for sentence in warnings:
            what, _, remedy = sentence.partition(": ")
            yield advice("interpreters", f"{release.name}: {what}", f"{remedy[:1].upper()}{remedy[1:]}")


def _dates(releases: Sequence[Release]) -> Iterator[Finding]:
    """Judge whether a release is dated in the future, where it would stay the newest of all."""
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    for release in releases:
        if release.date > tomorrow:
            what = f"{release.name} is dated {release.date}, which is in the future: it counts as newer than all others"
            yield advice("dates", what, "Correct its `date` in releases.toml, or this machine's clock.")


def hard_links(root: Path) -> Finding:
    """Judge whether uv can fill environments from its cache by hard links, which copy nothing."""
    try:
        cache = Path(run_uv(["cache", "dir"], root=root).strip())
    except UvError as error:
        return advice("hard-links", f"uv does not say where its cache is: {error}", "Run `make setup` again.")
    environments = root / FOLDER
    if existing(cache).stat().st_dev == existing(environments).stat().st_dev:
        return ok("hard-links", "uv's cache and the environments share a file system: releases install in seconds")
    what = f"Set UV_CACHE_DIR to a folder on the file system of {environments}: installing then copies nothing."
    return advice("hard-links", f"uv's cache {cache} is on another file system than the environments", what)
