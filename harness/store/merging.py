"""Runs from elsewhere taken into `results/runs/`: a CI's artifact, a colleague's copy, what a fleet's jobs delivered.

Records are compared, not files: a packed run equals a plain one, and a run that has more of the same records takes the
place of the shorter one. A run that differs in anything else is refused by name. Doing it again changes nothing, and a
process that is killed at any step leaves results that can be read and are completed by the next try. Where a run lies
that was merged before is noted beside it, so that the same files are not read again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.errors import UsageError
from harness.store.intake import Intake, IntakeLimits, Refused, chunks_of, lines_of, run_folders
from harness.store.records import is_record
from harness.store.runs import RunDirectory, load_run, results_path, sync_folder, write_json_atomically

INCOMING = ".incoming"
"""The folder below `results/` in which a new run is made before it is moved to its place."""

NOTE = ".merged.json"
"""The file of a run that says which files were merged into it (`Intake.identity`), and which it had then."""

_SETTLED_NS = 2_000_000_000
"""What changed more recently may change once more without a trace in its times: it is read again."""

_MOVING = frozenset({"state", "blocks", "blocks_planned", "disturbed", "gpu", "looks", "open_cells", "floors"})
"""Facts in run.json that change while a run goes on; all others have to be equal."""

_STATES = {"running": 0, "interrupted": 1, "complete": 2}


class Fate(StrEnum):
    """What became of a run that was handed in."""

    ADDED = "added"
    REPLACED = "replaced"  # it had more of the same records than the results
    PRESENT = "present"  # the results have it already, or more of it
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Merged:
    """One run that was handed in."""

    source: Path
    fate: Fate
    run: str | None = None
    machine: str | None = None
    reason: str | None = None  # of a refusal: the rest of a sentence that begins with the source


def merge(root: Path, folders: Iterable[Path], limits: IntakeLimits | None = None) -> list[Merged]:
    """Take all runs in some folders into the results. Call it while holding `ResultsLock`.

    Args:
        root: the project's root.
        folders: run directories, or folders that hold some.
        limits: the most that is taken.

    Returns:
        What became of each run, in the order in which they were found.

    Raises:
        UsageError: a folder is missing.
        OSError: the results cannot be written; what was merged before stays.
    """
    limits = limits or IntakeLimits()
    shutil.rmtree(results_path(root) / INCOMING, ignore_errors=True)  # of one that was killed
    done: list[Merged] = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder}: name folders that hold run directories.")
        for path, refused in run_folders(folder, limits):
            if refused is not None:
                done.append(Merged(path, Fate.REFUSED, reason=str(refused)))
                continue
            done.append(_merge_one(root, path, limits, is_named=path == folder))
    return done


def _merge_one(root: Path, path: Path, limits: IntakeLimits, *, is_named: bool) -> Merged:
    run = machine = None
    try:
        with Intake(path, limits, is_named=is_named) as intake:
            run, machine = intake.run, intake.machine
            target = results_path(root) / "runs" / machine / run
            began_ns, identity = time.time_ns(), intake.identity()
            if _noted(target) == _note(target, identity):
                return Merged(path, Fate.PRESENT, run, machine)
            fate = _place(root, intake, target, limits)
            is_settled = all(max(one[-2:]) < began_ns - _SETTLED_NS for one in identity.values())
            if is_settled and identity == intake.identity() and not target.samefile(path):
                write_json_atomically(target / NOTE, _note(target, identity))
    except Refused as refused:
        return Merged(path, Fate.REFUSED, run, machine, str(refused))
    return Merged(path, fate, run, machine)


def _note(target: Path, identity: dict[str, list[int]]) -> dict[str, Any]:
    """Return what is noted once these files are part of a run: they, and the run's own files."""
    own = {}
    for name in ("run.json", "records.jsonl", "records.jsonl.gz"):
        with contextlib.suppress(FileNotFoundError):
            facts = (target / name).stat()
            own[name] = [facts.st_size, facts.st_mtime_ns]
    return {"merged": identity, "own": own}


def _noted(target: Path) -> Any:
    try:
        return json.loads((target / NOTE).read_bytes())
    except (OSError, ValueError):
        return None


def _place(root: Path, intake: Intake, target: Path, limits: IntakeLimits) -> Fate:
    if not target.exists():
        _add(root, intake, target, limits)
        return Fate.ADDED
    stored = load_run(target)
    if not isinstance(stored, RunDirectory):
        raise Refused(f"is refused: {target} is there and holds no run that can be read")
    if target.samefile(intake.path):
        return Fate.PRESENT
    differing = sorted(
        name for name in {*stored.facts, *intake.facts} - _MOVING if stored.facts.get(name) != intake.facts.get(name)
    )
    if differing:
        raise Refused(f"is refused: {target} is another run of that name; they differ in {', '.join(differing)}")
    length = _compared(stored, intake, limits)
    if length is None:
        raise Refused(f"is refused: its records and those of {target} are not the same")
    is_longer = length > 0
    is_further = length == 0 and _further(intake.facts, stored.facts)
    if is_longer:
        with stored.claimed():
            _replace_records(root, stored, intake, limits)
    if is_longer or is_further:
        write_json_atomically(target / "run.json", intake.facts)
    return Fate.REPLACED if is_longer or is_further else Fate.PRESENT


def _further(incoming: dict[str, Any], stored: dict[str, Any]) -> bool:
    """Whether of two runs with the same records the one that comes in has ended and the other has not."""
    return _STATES.get(incoming["state"], 0) > _STATES.get(stored["state"], 0)


def _compared(stored: RunDirectory, intake: Intake, limits: IntakeLimits) -> int | None:
    """Return 1 if the incoming records are more of the same, 0 if equal, -1 if fewer; None if they differ."""
    with intake.records() as incoming, stored.plain_records() as own:
        length = _compared_bytes(own, incoming, limits)
    if length is not None:
        return length
    with intake.records() as incoming, stored.plain_records() as own:
        return _compared_records(own, incoming, limits)


def _compared_bytes(own: IO[bytes], incoming: IO[bytes], limits: IntakeLimits) -> int | None:
    """Compare as `_compared` where one file begins with the other, which is quick; None where neither does."""
    length = 0
    for piece in chunks_of(incoming, limits):
        mine = own.read(len(piece)) if not length else b""
        if not piece.startswith(mine):
            return None
        if len(mine) < len(piece):
            length = 1
    return length or (-1 if own.read(1) else 0)


def _compared_records(own: IO[bytes], incoming: IO[bytes], limits: IntakeLimits) -> int | None:
    """Compare record by record; a line that is no record, as of a run that was killed, counts on neither side."""
    mine, theirs = _records(own, limits), _records(incoming, limits)
    while True:
        first, second = next(mine, None), next(theirs, None)
        if first is None or second is None:
            if first is None and second is None:
                return 0
            rest, length = (theirs, 1) if first is None else (mine, -1)
            for _ in rest:  # limits hold for what follows, too
                pass
            return length
        if first != second and msgspec.json.decode(first) != msgspec.json.decode(second):
            return None


def _records(stream: IO[bytes], limits: IntakeLimits) -> Iterator[bytes]:
    return (line for line in lines_of(stream, limits) if is_record(line))


def _add(root: Path, intake: Intake, target: Path, limits: IntakeLimits) -> None:
    """Make a new run beside its place, then move it there in one step."""
    made = results_path(root) / INCOMING / f"{os.getpid()}-{intake.run}"
    made.mkdir(parents=True)
    try:
        (made / "logs").mkdir()
        for name in intake.logs:
            (made / name).write_bytes(intake.log(name))
        _write_records(made / "records.jsonl", intake, limits)
        write_json_atomically(made / "run.json", intake.facts)
        sync_folder(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _replace_records(root: Path, stored: RunDirectory, intake: Intake, limits: IntakeLimits) -> None:
    """Put longer records in the place of a run's: until run.json follows, a reader sees a run that goes on."""
    folder = results_path(root) / INCOMING
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{os.getpid()}-{intake.run}.jsonl"
    try:
        _write_records(made, intake, limits)
        made.replace(stored.records_path)
        sync_folder(stored.path)
        stored.packed_path.unlink(missing_ok=True)
    finally:
        made.unlink(missing_ok=True)


def _write_records(path: Path, intake: Intake, limits: IntakeLimits) -> None:
    """Write an incoming run's records plain, byte for byte, after the same checks as at reading."""
    with intake.records() as incoming, path.open("xb", buffering=0) as file:
        for piece in chunks_of(incoming, limits):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def refused_of(merged: Sequence[Merged]) -> list[Merged]:
    """Return the runs that were refused."""
    return [one for one in merged if one.fate is Fate.REFUSED]
