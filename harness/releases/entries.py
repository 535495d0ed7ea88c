"""Writing entries of `releases.toml`: those of an interpreter, and new releases of the package index."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from harness.errors import UsageError
from harness.releases.index import Listed, listed_versions
from harness.releases.manifest import Manifest, read_manifest
from harness.releases.pythons import OLDEST, number
from harness.releases.versions import normal_version, version_key


def new_releases(manifest: Manifest) -> tuple[Listed, ...]:
    """Return the stable releases and candidates that the package index has and `releases.toml` should.

    Those are newer than its newest stable release, or newer patches of a minor that it has; a candidate only as long
    as its release is not out.

    Raises:
        UsageError: the index cannot be asked.
    """
    registered = {version_key(one.version) for one in manifest.releases if one.python is None}
    stable = [version for version in registered if not version.is_prerelease]
    newest = max(stable, default=version_key(None))
    listed = listed_versions("tensorflow")
    out = {one.version.release for one in listed if not one.version.is_prerelease}
    found = []
    for one in listed:
        version = one.version
        if version in registered or version.is_devrelease or version.local is not None:
            continue
        patches = [known for known in stable if known.release[:2] == version.release[:2]]
        is_newer = version > newest or (not version.is_prerelease and bool(patches) and version > max(patches))
        if is_newer and not (version.is_prerelease and version.release in out):
            found.append(one)
    return tuple(found)


def add_releases(manifest: Manifest, releases: Sequence[Listed]) -> None:
    """Append entries of releases of the index to `releases.toml`; nothing else in the file changes.

    Raises:
        UsageError: the file cannot be written.
    """
    append_entries(manifest, [line for one in releases for line in _entry(one)], "What the package index has")


def date_of(listed: Listed) -> datetime.date:
    """Return the day on which a release appeared, today where the index does not say it."""
    return listed.date or datetime.datetime.now(datetime.UTC).date()


def append_entries(manifest: Manifest, lines: Sequence[str], what: str) -> None:
    """Append lines to `releases.toml`, all that is there kept as it is, if it can be read afterwards.

    Args:
        manifest: what the file says now.
        lines: without their ends.
        what: the subject of the sentence that says why it cannot be.

    Raises:
        UsageError: the file would be malformed, or cannot be written.
    """
    path = manifest.path
    temporary = path.with_name(path.name + ".partial")
    try:
        before = path.read_bytes().rstrip(b"\r\n")
        end = "\r\n" if b"\r\n" in before else "\n"
        temporary.write_bytes(before + end.encode() + "".join(line + end for line in lines).encode())
        read_manifest(temporary)
        temporary.replace(path)
    except UsageError as error:
        told = str(error).replace(temporary.name, path.name)
        raise UsageError(f"{what} cannot be added: {told}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): make it writable and repeat.") from None
    finally:
        temporary.unlink(missing_ok=True)


def _entry(listed: Listed) -> Iterator[str]:
    yield from ("", "[[release]]", f'version = "{normal_version(str(listed.version))}"', f"date = {date_of(listed)}")
    if listed.tags.newest is not None:
        yield f'newest_python = "{listed.tags.newest}"'
    if listed.tags.oldest is not None and number(listed.tags.oldest) > number(OLDEST):
        yield f'oldest_python = "{listed.tags.oldest}"'
