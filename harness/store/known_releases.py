"""All releases that can have numbers: those of `releases.toml`, and what else runs have measured."""

from __future__ import annotations

from pathlib import Path

from harness.releases.manifest import Manifest, read_manifest
from harness.releases.release import release_of_facts
from harness.store.runs import runs_of


def known_releases(root: Path, *, with_reference: bool = True) -> Manifest:
    """Return what `releases.toml` says, with what runs have measured beside it, in the order of their dates.

    Args:
        root: the project's root.
        with_reference: whether the committed reference runs count, which asv has nothing of.

    Raises:
        UsageError: `releases.toml` is missing or malformed.
    """
    manifest = read_manifest(root / "releases.toml")
    kinds = (True, False) if with_reference else (False,)
    runs = [run for reference in kinds for run in runs_of(root, reference=reference)[0]]
    subjects = [subject for run in runs for subject in run.facts["subjects"]]
    # The newest run's facts count: a wheel may have been read under another name before.
    found = (release_of_facts(subject) for subject in reversed(subjects))
    return manifest.with_releases(release for release in found if release is not None)
