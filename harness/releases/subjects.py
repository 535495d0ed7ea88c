"""What a subject's name means: a release, or a release under a profile, as in `2.21@xla`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.releases.manifest import Release, read_manifest
from harness.releases.profiles import Profile, find_profile, split_subject


def chosen_subjects(root: Path, names: Sequence[str]) -> list[tuple[Release, Profile | None]]:
    """Return the releases and profiles that subjects' names mean: "2.21", "v2.21.0@xla".

    Raises:
        UsageError: there is no such release or profile.
    """
    manifest = read_manifest(root / "releases.toml")
    found = []
    for name in names:
        release, profile = split_subject(name)
        found.append((manifest.find(release), None if profile is None else find_profile(root, profile)))
    return found


def full_name(release: Release, profile: Profile | None) -> str:
    """Return the whole name of a subject: "v2.21.0", "v2.21.0@xla"."""
    return release.name if profile is None else f"{release.name}@{profile.name}"


def subject_name(root: Path, name: str) -> str:
    """Return the whole name of a subject that a user may have shortened: "2.21@xla" is "v2.21.0@xla".

    Raises:
        UsageError: there is no such release or profile.
    """
    ((release, profile),) = chosen_subjects(root, [name])
    return full_name(release, profile)
