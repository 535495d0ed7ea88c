"""What a subject's name means: a release, registered or not, or one under a profile, as in `2.21@xla`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.releases.builds import find_release, is_nightly, is_wheel
from harness.releases.environments import choose_wheel
from harness.releases.manifest import read_manifest
from harness.releases.profiles import Profile, find_profile, split_subject
from harness.releases.release import Release
from harness.releases.versions import nightly_date


def chosen_subjects(
    root: Path, names: Sequence[str], wheel: str = "auto", say: Callable[[str], None] = lambda line: None
) -> list[tuple[Release, Profile | None]]:
    """Return the releases and profiles that subjects' names mean: "2.21", "v2.21.0@xla", "nightly", "./a.whl".

    Args:
        root: the project's root.
        names: as they were typed.
        wheel: the kind that nightlies are looked for in.
        say: is told in one line where what was found is not what one would expect.

    Raises:
        UsageError: there is no such release or profile, or two wheels are the same one.
    """
    manifest = read_manifest(root / "releases.toml")
    found = []
    for name in names:
        text, profile = split_subject(name)
        kind = choose_wheel(wheel, root) if is_nightly(text) or "." in text else "cpu"
        release = find_release(root, manifest, text, kind, say)
        found.append((release, None if profile is None else find_profile(root, profile)))
    _refuse_same_wheel(names, [release for release, _ in found])
    return found


def _refuse_same_wheel(names: Sequence[str], releases: Sequence[Release]) -> None:
    """Refuse two files that are one and the same wheel; the same file twice is a release against itself."""
    seen: dict[str, str] = {}
    for name, release in zip(names, releases, strict=True):
        text = split_subject(name)[0]
        if not is_wheel(text) or release.build is None or release.build.sha256 is None:
            continue
        other = seen.setdefault(release.build.sha256, text)
        if other != text:
            raise UsageError(
                f"{other} and {text} are the same wheel (SHA-256 {release.build.sha256[:12]}…), so there is nothing to "
                f"compare: give another one, or measure the machine's noise with `savedmodel-bench calibrate {other}`."
            )


def full_name(release: Release, profile: Profile | None) -> str:
    """Return the whole name of a subject: "v2.21.0", "v2.21.0@xla"."""
    return release.name if profile is None else f"{release.name}@{profile.name}"


def subject_name(root: Path, name: str, measured: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the whole name of a subject that a user may have shortened: "2.21@xla" is "v2.21.0@xla".

    Args:
        root: the project's root.
        name: as it was typed.
        measured: the facts of subjects in the results. A nightly means the one among them; the index is not asked.

    Raises:
        UsageError: there is no such release or profile.
    """
    names = [str(facts["name"]) for facts in measured]
    if name in names:
        return name
    text, profile = split_subject(name)
    if is_nightly(text):
        days = {
            nightly_date(facts.get("version") or facts.get("tensorflow")): str(facts["release"])
            for facts in measured
            if facts.get("release")
        }
        days.pop(None, None)
        wanted = text.partition(":")[2].replace("-", "")
        fitting = {day: one for day, one in days.items() if day is not None and f"{day:%Y%m%d}".startswith(wanted)}
        if not fitting:
            raise UsageError(
                f"There is no {text} among what was measured: {', '.join(dict.fromkeys(names)) or 'nothing'}."
            )
        release = fitting[max(day for day in fitting if day is not None)]
        return release if profile is None else f"{release}@{profile}"
    plain = {one.removeprefix("v").casefold(): one for one in names}
    if name.removeprefix("v").casefold() in plain:
        return plain[name.removeprefix("v").casefold()]
    ((found, known),) = chosen_subjects(root, [name])
    return full_name(found, known)
