"""`savedmodel-bench releases list | add | sync | install | lock | check`."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.commands.shared.arguments import python_minor
from harness.commands.shared.plan import SUBJECT
from harness.errors import UsageError
from harness.planning.installing import installed
from harness.releases.beside import LOCKS as BESIDE
from harness.releases.entries import add_releases, date_of, new_releases
from harness.releases.environments import choose_wheel, describe, obstacle
from harness.releases.interpreters import add_interpreter
from harness.releases.kept import kept_releases
from harness.releases.locks import WHEELS, lock_path, lock_title, locked_pythons, make_lock, read_lock
from harness.releases.manifest import POLICIES, Manifest, read_manifest
from harness.releases.project import find_root
from harness.releases.pythons import running_python_minor
from harness.releases.release import Release

HELP = "list, add, install, lock or check TensorFlow releases"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions, each with its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=text)

    listing = action("list", "list all releases and their environments")
    listing.add_argument("--format", choices=("table", "json"), default="table", help="format (default: table)")
    listing.add_argument(
        "--wheel",
        choices=("auto", *WHEELS),
        default="auto",
        help="show environments of this build of TensorFlow (default: by what this machine has)",
    )
    listing.add_argument(
        "--policy",
        choices=POLICIES,
        help="show environments with dependencies as of this date (default: what releases.toml says)",
    )

    adding = action("add", "add a TensorFlow that is already installed as a release")
    adding.add_argument(
        "--python", type=Path, required=True, help="Python interpreter that has TensorFlow; nothing is installed there"
    )
    adding.add_argument("--name", required=True, help="name of the release")
    adding.add_argument(
        "--date", type=_date, help="date by which it is ordered among the releases (default: its version's)"
    )

    syncing = action("sync", "add new stable releases and candidates of the package index")
    syncing.add_argument("--dry-run", action="store_true", help="only say what would be added")

    installing = action("install", "install releases, and keep the wheels of nightlies, without measuring")
    installing.add_argument("names", nargs="+", metavar="RELEASE", help=SUBJECT)
    installing.add_argument(
        "--wheel",
        choices=("auto", *WHEELS),
        default="auto",
        help="build of TensorFlow to install (default: by what this machine has)",
    )
    installing.add_argument(
        "--policy", choices=POLICIES, help="date of the dependencies (default: what releases.toml says)"
    )
    installing.add_argument(
        "--python",
        type=python_minor,
        metavar="3.N",
        help="Python to install for (default: the newest that has wheels for all)",
    )

    locking = action("lock", "pin the dependencies of releases again")
    locking.add_argument("names", nargs="*", metavar="RELEASE", help="releases to lock (default: all)")
    locking.add_argument("--policy", choices=POLICIES, action="append", help="lock only this policy (default: both)")
    locking.add_argument("--wheel", choices=WHEELS, action="append", help="lock only this build (default: both)")

    action("check", "report locks that are missing or out of date")


def run(options: argparse.Namespace) -> int:
    """Do what was asked for and return its exit code."""
    root = find_root()
    match options.action:
        case "list":
            return list_releases(root, style=options.format, wheel=options.wheel, policy=options.policy)
        case "add":
            return add_release(root, python=options.python, name=options.name, date=options.date)
        case "sync":
            return sync_releases(root, dry_run=options.dry_run)
        case "install":
            return install_releases(
                root, options.names, wheel=options.wheel, policy=options.policy, python=options.python
            )
        case "lock":
            return lock_releases(root, options.names, policies=options.policy, wheels=options.wheel)
        case _:
            return check_locks(root)


def list_releases(root: Path, *, style: str = "table", wheel: str = "auto", policy: str | None = None) -> int:
    """Print all releases with their environments, as a table or as JSON; return the exit code."""
    manifest = read_manifest(root / "releases.toml")
    whole = manifest.with_releases(kept_releases(root, choose_wheel(wheel, root)))
    rows = [_described(release, root, wheel, policy) for release in whole.releases]
    if style == "json":
        document = {
            "schema": 1,
            "policy": policy or manifest.policy,
            "python": running_python_minor(),
            "releases": rows,
        }
        print(json.dumps(document, indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("release", "date", "keras", "python", "environment", "state"):
        table.add_column(title, no_wrap=title != "state")
    for row in rows:
        table.add_row(
            row["name"], row["date"], row["keras"] or "-", row["python"] or "-", row["environment"], _state(row)
        )
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    for reason in (row["obstacle"] for row in rows if row["obstacle"]):
        console.print(reason, soft_wrap=True)
    return 0


def _described(release: Release, root: Path, wheel: str, policy: str | None) -> dict[str, Any]:
    reason = obstacle(release)
    # A name and a lock can be told of a release that no Python is here for: those of the newest that it has wheels for.
    python = release.newest_python or running_python_minor() if reason and release.python is None else None
    environment = describe(release, root, wheel=wheel, policy=policy, python=python)
    return {
        "name": release.name,
        "version": release.version,
        "date": str(release.date),
        "id": release.ident,
        "environment": environment.name,
        "interpreter": str(environment.python),
        "installed": environment.installed,
        "locked": environment.lock_digest is not None if release.python is None else None,
        "wheel": environment.wheel,
        "policy": environment.policy,
        "python": environment.python_minor,
        "newest_python": release.newest_python,
        "keras": environment.keras,
        "lock_digest": environment.lock_digest,
        "obstacle": reason,
    }


def _state(row: dict[str, Any]) -> str:
    if row["obstacle"]:
        return "cannot be installed here"
    if row["installed"]:
        return "installed"
    return "not installed, its lock is made first" if row["locked"] is False else "not installed"


def add_release(root: Path, *, python: Path, name: str, date: datetime.date | None = None) -> int:
    """Bind a release to an interpreter that has TensorFlow already; return the exit code."""
    manifest = read_manifest(root / "releases.toml")
    found = add_interpreter(manifest, python, name, date)
    keras = f" with Keras {found.keras}" if found.keras else ""
    print(f"Added {name}: TensorFlow {found.tensorflow}{keras}, Python {found.python_minor}.")
    for sentence in found.warnings:
        print(f"Warning: {name}: {sentence}", file=sys.stderr)
    return 0


def sync_releases(root: Path, *, dry_run: bool = False) -> int:
    """Add what the package index has of new stable releases and candidates to releases.toml; return the exit code."""
    manifest = read_manifest(root / "releases.toml")
    found = new_releases(manifest)
    if not found:
        print("releases.toml has all stable releases and candidates of the package index that are newer than its own.")
        return 0
    if not dry_run:
        add_releases(manifest, found)
    for one in found:
        pythons = f", Python {one.tags.oldest} to {one.tags.newest}" if one.tags.newest else ""
        undated = "" if one.date else "; the index does not say when it appeared, so it is dated today"
        print(f"{'Would add' if dry_run else 'Added'} v{one.version} ({date_of(one)}{pythons}){undated}.")
    names = " ".join(str(one.version) for one in found)
    print(f"Pin their dependencies with `savedmodel-bench releases lock {names}`, or have it done when it is needed.")
    return 0


def install_releases(
    root: Path, names: Sequence[str], *, wheel: str = "auto", policy: str | None = None, python: str | None = None
) -> int:
    """Install releases as a run of all of them would, and print where; return the exit code."""
    for environment in installed(root, names, wheel=wheel, policy=policy, python=python, say=_say):
        print(f"{environment.subject}: {environment.python}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def lock_releases(
    root: Path, names: list[str], *, policies: list[str] | None = None, wheels: list[str] | None = None
) -> int:
    """Resolve the locks of the named releases, or of all; return the exit code.

    A set of versions that cannot exist is recorded in its lock and reported, and does not stop the others.
    """
    manifest = read_manifest(root / "releases.toml")
    impossible = 0
    for release in _selected(manifest, names):
        for policy in policies or POLICIES:
            for wheel in wheels or WHEELS:
                for minor in locked_pythons(root, release, wheel, policy):
                    lock, changed = make_lock(root, release, wheel, policy, minor)
                    state = "changed" if changed else "unchanged"
                    if lock.unresolvable is not None:
                        impossible += 1
                        state = f"cannot be resolved: {lock.unresolvable}"
                    print(f"{lock.path.relative_to(root)}: {state}", flush=True)
    if impossible:
        print(f"{impossible} of these locks hold the reason why they cannot be resolved; the others are usable.")
    return 0


def check_locks(root: Path) -> int:
    """Say which locks are missing, stale, malformed or left over; return 0 if none is, else 1."""
    manifest = read_manifest(root / "releases.toml")
    complaints: list[str] = []
    notes: list[str] = []
    expected: set[Path] = set()
    for release in _selected(manifest, []):
        for policy in POLICIES:
            for wheel in WHEELS:
                for minor in locked_pythons(root, release, wheel, policy):
                    path = lock_path(root, release, wheel, policy, minor)
                    expected.add(path)
                    shown = path.relative_to(root)
                    repair = f"run `savedmodel-bench releases lock {release.plain_name}`"
                    if not path.exists():
                        complaints.append(f"{shown} is missing: {repair}.")
                        continue
                    try:
                        lock = read_lock(path)
                    except UsageError as error:
                        complaints.append(str(error))
                        continue
                    if lock.title != lock_title(release, wheel, policy, minor):
                        complaints.append(f"{shown} was made for {lock.title!r}: {repair}.")
                    elif lock.unresolvable is not None:
                        notes.append(f"{shown} cannot be resolved: {lock.unresolvable}")
    for path in sorted((root / "locks").glob("*/*.txt")):
        if path not in expected and path.parent.name != BESIDE:
            complaints.append(f"{path.relative_to(root)} belongs to no release of {manifest.path.name}: delete it.")
    for line in (*notes, *complaints):
        print(line)
    print(f"{len(expected)} locks expected, {len(notes)} cannot exist, {len(complaints)} to be repaired.")
    return 1 if complaints else 0


def _selected(manifest: Manifest, names: list[str]) -> list[Release]:
    if not names:
        return [release for release in manifest.releases if release.python is None]
    releases = [manifest.find(name) for name in names]
    for release in releases:
        if release.python is not None:
            raise UsageError(
                f"{release.name} is a TensorFlow that is already installed and has no lock: name other releases."
            )
    return releases


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write it as 2026-03-06") from None
