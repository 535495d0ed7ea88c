"""Profiles: a release under named settings, `v2.21.0@xla`, as a subject of its own."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ReleaseError, UsageError
from harness.releases.environments import FOLDER, Environment
from harness.releases.uv_command import UvError, run_uv
from harness.releases.versions import version_key

SHIPPED = Path(__file__).parent.parent / "profiles.toml"
OWN = "profiles.toml"
_FIELDS = ("title", "variables", "packages")
_STAMP = "savedmodel-bench.json"
_MINOR = "{minor}"
_HARNESS = "{harness}"


@dataclass(frozen=True, slots=True)
class Profile:
    """One named set of settings."""

    name: str
    title: str
    variables: Mapping[str, str]
    packages: tuple[str, ...]  # requirements; "{minor}" stands for the release's


def split_subject(text: str) -> tuple[str, str | None]:
    """Return the release's name and the profile's, None without one.

    Raises:
        UsageError: one of the two is empty, or there are several profiles.
    """
    release, at, profile = text.partition("@")
    if "/" in text or ".whl" in text.lower():
        release, at, profile = text.rpartition("@")
        if not at or "/" in profile or profile.lower().endswith(".whl"):
            return text, None  # paths and URLs may have an @ of their own
    if at and (not release or not profile or "@" in profile):
        raise UsageError(
            f"{text!r} does not name a release: write a version or a name, with one profile at most, as in v2.21.0@xla."
        )
    return release, profile or None


def read_profiles(root: Path) -> dict[str, Profile]:
    """Return the shipped profiles and those of `profiles.toml` in the project's root, by name.

    Raises:
        UsageError: a file is malformed; the text names it and the field.
    """
    found: dict[str, Profile] = {}
    for file in (SHIPPED, root / OWN):
        if not file.is_file():
            continue
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} is not a TOML file that can be read: {error}.") from error
        for name, table in tables.items():
            if name in found:
                raise UsageError(f"{file}: the profile [{name}] is there already; give it another name.")
            found[name] = _profile(name, table, file)
    return found


def find_profile(root: Path, name: str) -> Profile:
    """Return the profile called `name`.

    Raises:
        UsageError: there is none, or a file is malformed.
    """
    known = read_profiles(root)
    if name not in known:
        raise UsageError(f"There is no profile {name!r}: choose one of {', '.join(known)}, or add it to {OWN}.")
    return known[name]


def with_profile(
    environment: Environment, profile: Profile, root: Path, say: Callable[[str], None] = lambda line: None
) -> Environment:
    """Return the environment under a profile, what the profile needs beside the lock installed apart from it.

    Raises:
        ReleaseError: a package cannot be had for this release.
    """
    here = str(Path(__file__).parent.parent)
    variables = {name: text.replace(_HARNESS, here) for name, text in profile.variables.items()}
    packages: dict[str, str] = {}
    if profile.packages:
        folder = root / FOLDER / f"{environment.name}+{profile.name}"
        packages = _installed(folder, environment, profile, root, say)
        # Before the release's own packages, so that nothing beside TensorFlow is changed on disk.
        variables["PYTHONPATH"] = str(folder)
    return replace(environment, profile=profile.name, variables=variables, packages=packages)


def _installed(
    folder: Path, environment: Environment, profile: Profile, root: Path, say: Callable[[str], None]
) -> dict[str, str]:
    """Return the versions of the profile's packages in `folder`, installing them where they are missing."""
    if environment.version is None and any(_MINOR in package for package in profile.packages):
        raise ReleaseError(
            f"{environment.release.name} cannot be measured under {profile.name}: what it needs depends on the version "
            "of TensorFlow; add `version` to its entry in releases.toml."
        )
    version = version_key(environment.version)
    wanted = [package.replace(_MINOR, f"{version.major}.{version.minor}") for package in profile.packages]
    stamp = folder / _STAMP
    try:
        known = json.loads(stamp.read_text(encoding="utf-8"))
        if known["requirements"] == wanted:
            return dict(known["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        shutil.rmtree(folder, ignore_errors=True)
    say(f"installing {', '.join(wanted)} for {environment.release.name}@{profile.name}")
    command = ["pip", "install", "--python", str(environment.python), "--target", str(folder), "--no-deps"]
    try:
        run_uv([*command, "--only-binary", ":all:", *wanted], root=root)
    except UvError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ReleaseError(
            f"{environment.release.name} cannot be measured under {profile.name}: it needs {', '.join(wanted)}, and "
            f"installing that failed ({error})."
        ) from None
    versions = dict(info.name.removesuffix(".dist-info").split("-", 1) for info in sorted(folder.glob("*.dist-info")))
    stamp.write_text(json.dumps({"requirements": wanted, "versions": versions}) + "\n", encoding="utf-8")
    return versions


def _profile(name: str, table: Any, file: Path) -> Profile:
    where = f"{file}: profile [{name}]"
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table with {', '.join(_FIELDS)}.")
    for field in table:
        if field not in _FIELDS:
            raise UsageError(f"{where} has an unknown field {field!r}: known are {', '.join(_FIELDS)}.")
    variables, packages = table.get("variables", {}), table.get("packages", [])
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise UsageError(f'{where}: `variables` must be a table of texts, as in {{ TF_XLA_FLAGS = "…" }}.')
    if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
        raise UsageError(f"{where}: `packages` must be a list of requirements.")
    for variable, value in variables.items():
        if not variable or "=" in variable or "\0" in variable + value:
            raise UsageError(f"{where}: {variable!r} = {value!r} cannot be set as an environment variable.")
    for package in packages:
        if set("{}") & set(package.replace(_MINOR, "")):
            raise UsageError(f"{where}: {package!r} has a placeholder other than {_MINOR}, the release's as in 2.21.")
    if not variables and not packages:
        raise UsageError(f"{where} changes nothing: give it `variables`.")
    return Profile(name, str(table.get("title", name)), variables, tuple(packages))
