"""What uv resolves a release to: pinned requirements with hashes, and where their wheels lie."""

from __future__ import annotations

import datetime
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.releases.kept import kept_wheel
from harness.releases.release import Release
from harness.releases.uv_command import UvError, run_uv
from harness.releases.versions import version_key

AT_RELEASE_DAYS = 14
"""Days after a release in which its users' fresh installs still count as "what users had then"."""

# The newest TensorFlow's wheels need glibc 2.27; 2.28 is of 2018, and current distributions have 2.31 and more.
PLATFORM = "x86_64-manylinux_2_28"


def requirement(release: Release, wheel: str) -> str:
    """Return what a lock is resolved from: "tensorflow-cpu==2.21.0" or "tensorflow[and-cuda]==2.21.0".

    Up to 2.13 there is no `and-cuda` extra: the plain wheel uses the CUDA of the machine. Nightly builds are packages
    of their own, tf-nightly-cpu and tf-nightly.
    """
    version = version_key(release.version)
    package = package_of(release, wheel)
    has_extra = wheel == "cuda" and not package.endswith("-cpu") and version >= version_key("2.14.0rc0")
    return f"{package}{'[and-cuda]' if has_extra else ''}=={release.version}"


def package_of(release: Release, wheel: str) -> str:
    """Return the name of the package that a release is installed from: "tensorflow-cpu", "tf-nightly"."""
    if release.build is not None:
        return release.build.package
    package = "tf-nightly" if version_key(release.version).is_devrelease else "tensorflow"
    return f"{package}-cpu" if wheel == "cpu" else package


def resolve(
    root: Path, release: Release, wheel: str, policy: str, python_minor: str, beside: Sequence[Mapping[str, str]]
) -> str:
    """Return pinned requirements with hashes, of the first of the preferred sets of versions that fits, else of any.

    Raises:
        UvError: no set fits (`is_contradiction`), or the index cannot be asked.
    """
    for preferred in beside:
        try:
            return _with_preferred(root, release, wheel, policy, python_minor, preferred)
        except UvError as error:
            if not is_contradiction(error):
                raise
    return _with_preferred(root, release, wheel, policy, python_minor, {})


def is_contradiction(error: UvError) -> bool:
    """Whether uv found that no set of versions fits; else it could not find out."""
    return "No solution found" in str(error) or "no usable wheels" in str(error)


def _with_preferred(
    root: Path, release: Release, wheel: str, policy: str, python_minor: str, preferred: Mapping[str, str]
) -> str:
    """Return the pinned requirements with the hashes of the wheels that this platform can use."""
    arguments = []
    if policy == "at-release":
        # The day counts to its end, in UTC.
        until = release.date + datetime.timedelta(days=AT_RELEASE_DAYS + 1)
        arguments += ["--exclude-newer", f"{until}T00:00:00Z"]
    own = None if release.build is None else release.build.sha256
    wanted = requirement(release, wheel)
    if own is not None:
        kept = kept_wheel(root, own)
        if kept is None:
            raise UvError(f"the wheel of {release.name} is not kept any more: give its file again")
        wanted = f"{wanted.partition('==')[0]} @ {kept.absolute().as_uri()}"
    pins = "".join(f"{name}=={version}\n" for name, version in preferred.items())
    lines: list[str] = []
    for package in _compiled(root, wanted, python_minor, arguments, pins):
        digests = sorted({wheel["hashes"]["sha256"] for wheel in package.get("wheels", [])})
        version = package.get("version")
        if own is not None and "archive" in package:
            digests, version = [own], release.version
        if not digests:
            raise UvError(f"No solution found: {package['name']} {version} has no wheel with a hash")
        lines.append(f"{package['name']}=={version} \\")
        lines += [f"    --hash=sha256:{digest} \\" for digest in digests[:-1]]
        lines.append(f"    --hash=sha256:{digests[-1]}")
    return "\n".join(lines) + "\n"


def _compiled(
    root: Path, wanted: str, python_minor: str, more: Sequence[str] = (), constraints: str = ""
) -> list[dict[str, Any]]:
    """Return the packages that uv resolves requirements to, each with the wheels that this platform can use."""
    with tempfile.TemporaryDirectory() as folder:
        # The pylock format lists the wheels of the target platform alone; requirements.txt would hash all of them.
        output = Path(folder) / "pylock.release.toml"
        arguments = ["pip", "compile", "-", "--format", "pylock.toml", "--output-file", str(output)]
        # uv wants some interpreter, which need not be of that version: nothing is built.
        arguments += ["--python", sys.executable, "--python-version", python_minor]
        arguments += ["--python-platform", PLATFORM, "--only-binary", ":all:", *more]
        if constraints:
            (Path(folder) / "constraints.txt").write_text(constraints, encoding="utf-8")
            arguments += ["--constraints", str(Path(folder) / "constraints.txt")]
        run_uv(arguments, root=root, stdin=wanted + "\n")
        packages: list[dict[str, Any]] = tomllib.loads(output.read_text(encoding="utf-8"))["packages"]
        for wheel in (wheel for package in packages for wheel in package.get("wheels", []) if "path" in wheel):
            wheel["path"] = str((Path(folder) / wheel["path"]).resolve())  # which is relative to the file
        return packages


def wheel_addresses(root: Path, packages: Mapping[str, str], python_minor: str) -> dict[str, str]:
    """Return where each wheel of some packages lies on the index, by its SHA-256: a URL, or a path.

    Args:
        root: the project's root.
        packages: names and versions.
        python_minor: the Python that they are for.

    Raises:
        UvError: the index cannot be asked, or has one of them no more.
    """
    pins = [f"{name}=={version}" for name, version in packages.items()]
    found = _compiled(root, "\n".join(pins), python_minor, ["--no-deps"])
    return {
        wheel["hashes"]["sha256"]: str(wheel.get("url") or wheel.get("path"))
        for package in found
        for wheel in package.get("wheels", [])
    }
