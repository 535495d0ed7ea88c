"""What a fleet's report found, kept as a table, so that a report over many fleets reads no records.

`results/fleet/answers/<fleet>.npz` has a line for each row and type: both sides' means, the change with its interval,
the type's verdict, and what the fleet says of it. It may be deleted: `fleet report FLEET` writes it again.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.fleet.answer import FleetAnswer
from harness.fleet.folder import FleetFolder, fleets_path
from harness.store.records import Problem
from harness.verdict.rows import Verdict

SCHEMA = 1
VERDICTS = tuple(Verdict)
"""What the codes in `verdict` and `stated` mean."""

_NUMBERS = ("old", "new", "ratio", "low", "high", "p")
_COLUMNS = ("row", "on", "verdict", "stated", "blocks", *_NUMBERS)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One fleet's answer as a table.

    `keys` are (metric, device, model, variant, unit) of each row, `q` its q over all types, `names` the types, or nodes
    where a row is each node's own. `columns` have an entry for each row and type: `row` and `on` are places in `keys`
    and `names`, `verdict` and `stated` in VERDICTS; the numbers are NaN where there is none.
    """

    fleet: str
    words: tuple[str, ...]
    old: str
    new: str
    coverage: Mapping[str, float]
    missing: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    q: NDArray[np.float64]
    names: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]

    @property
    def day(self) -> str:
        """The day on which the fleet was started, in UTC: 2026-09-01."""
        return f"{self.fleet[:4]}-{self.fleet[4:6]}-{self.fleet[6:8]}"


def answers_path(root: Path) -> Path:
    """Return the folder of kept answers."""
    return fleets_path(root) / "answers"


def as_table(answer: FleetAnswer, words: Sequence[str]) -> KeptAnswer:
    """Return an answer as a table."""
    names = {name: place for place, name in enumerate(dict.fromkeys(n for row in answer.rows for n in row.types))}
    lines: list[tuple[Any, ...]] = []
    for place, row in enumerate(answer.rows):
        for name, one in row.types.items():
            said = row.statement.called.get(name) or (
                Verdict.SAME if name in row.statement.same else Verdict.INCONCLUSIVE
            )
            numbers = (getattr(one.row, number) for number in _NUMBERS)
            codes = (VERDICTS.index(one.row.verdict), VERDICTS.index(said))
            lines.append((place, names[name], *codes, one.row.blocks, *numbers))
    columns = dict(zip(_COLUMNS, zip(*lines, strict=True), strict=True)) if lines else dict.fromkeys(_COLUMNS, ())
    return KeptAnswer(
        answer.fleet,
        tuple(words),
        answer.old,
        answer.new,
        dict(answer.coverage),
        answer.missing,
        tuple((*row.any.key, row.any.unit) for row in answer.rows),
        np.array([row.statement.q for row in answer.rows], dtype=np.float64),
        tuple(names),
        {name: np.array(column, dtype=_dtype(name)) for name, column in columns.items()},
    )


def keep(root: Path, table: KeptAnswer) -> Path:
    """Write a table and return where it is; a reader sees the old one or the new one.

    Raises:
        OSError: it cannot be written.
    """
    facts = {
        "schema": SCHEMA, "fleet": table.fleet, "words": table.words,
        "old": table.old, "new": table.new, "coverage": table.coverage, "missing": table.missing,
        "keys": table.keys, "names": table.names,
    }  # fmt: skip
    path = answers_path(root) / f"{table.fleet}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        text = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        arrays: dict[str, Any] = {"facts": text, "q": table.q, **table.columns}
        np.savez_compressed(temporary, **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def keep_answer(fleet: FleetFolder, answer: FleetAnswer) -> None:
    """Keep what a fleet's report found; a fleet that confirms another's findings is no night of its own."""
    if fleet.plan.confirms is None:
        keep(fleet.root, as_table(answer, fleet.plan.words))


def is_kept(root: Path, fleet: str) -> bool:
    """Return whether there is a kept answer of a fleet."""
    return (answers_path(root) / f"{fleet}.npz").exists()


def kept_answers(root: Path, newest: int) -> tuple[list[KeptAnswer], list[Problem]]:
    """Return the newest answers to the newest question, oldest first, and what cannot be read."""
    found: list[KeptAnswer] = []
    problems: list[Problem] = []
    for path in sorted(answers_path(root).glob("[0-9]*.npz"), reverse=True):
        if len(found) == newest:
            break
        table = _read(path)
        if table is None:
            problems.append(Problem(path, None, "is no kept answer that can be read"))
        elif not found or table.words == found[0].words:
            found.append(table)
    return found[::-1], problems


def _read(path: Path) -> KeptAnswer | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(file["facts"].tobytes())
            if facts.pop("schema") != SCHEMA:
                return None
            columns = {name: file[name].astype(_dtype(name), copy=False) for name in _COLUMNS}
            facts["keys"] = tuple(map(tuple, facts["keys"]))
            for name in ("words", "missing", "names"):
                facts[name] = tuple(facts[name])
            return KeptAnswer(**facts, q=file["q"], columns=columns)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _dtype(name: str) -> str:
    if name in _NUMBERS:
        return "float64"
    return {"row": "int32", "on": "int16", "blocks": "int32"}.get(name, "int8")
