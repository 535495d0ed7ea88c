"""What a comparison found of what was planted, and what other rules say of the very same samples."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.answers.judging import compare_in_run
from harness.metrics import Kind
from harness.store.frame import ROW_KEY, repeats_frame
from harness.store.runs import RunDirectory
from harness.verdict.rows import Method, Reason, Row, Verdict

from . import others
from .noise import Floats
from .plants import Plant

DATA = Path(__file__).parents[2] / "docs" / "trust_runs.jsonl"
"""Every published run, a line each after one that names the columns of its rows."""

THIS = "this project"
CALLS = {Verdict.REGRESSION: 1, Verdict.IMPROVEMENT: -1}


@dataclass(frozen=True, slots=True)
class RowScore:
    """One judged row of one comparison; `ratio`, `low`, `high` and `q` as in `harness.verdict.rows.Row`."""

    metric: str
    device: str
    model: str
    variant: str
    role: str  # planted, allowed (to move as well) or other
    verdict: str
    reason: str
    ratio: float | None
    low: float | None
    high: float | None
    q: float | None
    calls: Mapping[str, int | None]
    """By rule: 1 larger, -1 smaller, 0 no call; None where the row has no samples that the rule could take.

    Of host peaks neither: differences of some KB are real and concern nobody, and only this project has a least change.
    """

    def is_found(self, rule: str = THIS) -> bool:
        """Whether a planted row was called, in the right direction."""
        return self.role == "planted" and self.calls.get(rule) == 1

    def is_false(self, rule: str = THIS) -> bool:
        """Whether the row was called although nothing planted can have moved it that way."""
        call = self.calls.get(rule)
        return call == -1 or (call == 1 and self.role == "other")


@dataclass(frozen=True, slots=True)
class RunScore:
    """One comparison. What never varied and was equal on both sides is counted in `equal`, and has no row."""

    number: int
    planted: str  # a plant's name, "" where a release was compared with itself
    run: str
    machine: str
    blocks: int
    wall_s: float
    tainted: int  # values left out, of all rows
    disturbed: str | None  # what run.json says of blocks measured once more
    exit_code: int
    equal: int
    rows: tuple[RowScore, ...]

    def metrics(self) -> dict[str, list[RowScore]]:
        """Return the planted rows by metric."""
        found: dict[str, list[RowScore]] = {}
        for row in self.rows:
            if row.role == "planted":
                found.setdefault(row.metric, []).append(row)
        return found

    def is_found(self, rule: str = THIS) -> bool:
        """Whether every planted metric was called in at least one of its rows."""
        metrics = self.metrics().values()
        return bool(metrics) and all(any(row.is_found(rule) for row in rows) for rows in metrics)

    def can_be_asked(self, rule: str) -> bool:
        """Whether the rule has samples of every planted metric."""
        return all(any(row.calls.get(rule) is not None for row in rows) for rows in self.metrics().values())

    def unplanted(self, rule: str = THIS) -> dict[tuple[str, int], list[RowScore]]:
        """Return the false findings: falsely called rows by metric and direction."""
        found: dict[tuple[str, int], list[RowScore]] = {}
        for row in self.rows:
            if row.is_false(rule):
                found.setdefault((row.metric, row.calls[rule] or 0), []).append(row)
        return found

    def undecided(self) -> list[RowScore]:
        """Return the rows that stayed open."""
        return [row for row in self.rows if row.verdict == Verdict.INCONCLUSIVE.value]

    def as_record(self) -> dict[str, Any]:
        """Return the score as plain data: its rows as lists without names, in the order of `COLUMNS`."""
        return {**asdict(self), "rows": [_as_list(row) for row in self.rows]}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> RunScore:
        """Return the score that `as_record` gave."""
        rows = (_of_list(values) for values in record["rows"])
        return cls(**{**record, "rows": tuple(rows)})


NUMBERS = ("ratio", "low", "high", "q")
_TEXTS = ("metric", "device", "model", "variant", "role", "verdict", "reason")


def rules(margin: float) -> dict[str, Callable[[Floats, Floats], int]]:
    """Return the other rules by name: asv's default factor and one that is as strict as `margin`."""

    def asv(factor: float) -> Callable[[Floats, Floats], int]:
        return lambda old, new: others.asv_compare_itself(old.tolist(), new.tolist(), factor)

    def signed(rule: Callable[[Floats, Floats], Any]) -> Callable[[Floats, Floats], int]:
        return lambda old, new: int(np.sign(new.mean() - old.mean())) if rule(old, new) else 0

    return {
        "asv compare, factor 1.1": asv(1.1),
        "asv compare, factor 1 + margin": asv(1 + margin),
        "pyperf compare_to": signed(others.pyperf_compare),
        "pooled Mann-Whitney, p < .05": signed(others.pooled_mann_whitney),
    }


RULES = (THIS, *rules(0.0))
COLUMNS = (*_TEXTS, *NUMBERS, *RULES)
"""What a row's list in the published file holds."""


def score_run(
    run: RunDirectory, plant: Plant | None, old: str, new: str, *, number: int, wall_s: float, exit_code: int
) -> RunScore:
    """Judge a stored run as the command does, and every judged row of it by the other rules too.

    Args:
        run: the comparison's run directory.
        plant: what the new side has; None where both are the same.
        old, new: the names of its subjects.
        number: the run's place in the list.
        wall_s: what the command took.
        exit_code: of the command.
    """
    comparison = compare_in_run(run, old, new)
    judged = [row for row in comparison.rows if row.judged]
    asked, samples = rules(comparison.margin), _pooled(run)
    varying = [row for row in judged if not (row.method is Method.EXACT and row.reason is Reason.EQUAL)]
    return RunScore(
        number=number,
        planted="" if plant is None else plant.name,
        run=run.run,
        machine=run.machine,
        blocks=comparison.blocks,
        wall_s=round(wall_s, 1),
        tainted=comparison.tainted,
        disturbed=run.facts.get("disturbed"),
        exit_code=exit_code,
        equal=len(judged) - len(varying),
        rows=tuple(
            _row_score(row, plant, asked, samples.get((old, *row.key)), samples.get((new, *row.key))) for row in varying
        ),
    )


def _pooled(run: RunDirectory) -> dict[tuple[str, ...], Floats]:
    """Return the same repeats that the blocks' samples are made of, by subject and row, pooled."""
    repeats = repeats_frame([run.path])
    trusted: pd.DataFrame = repeats[repeats["complete_block"] & (repeats["status"] == "ok") & ~repeats["tainted"]]
    grouped = trusted.groupby(["subject", *ROW_KEY])["value"]
    return {tuple(map(str, key)): values.to_numpy(dtype=float) for key, values in grouped}


def _row_score(
    row: Row,
    plant: Plant | None,
    asked: Mapping[str, Callable[[Floats, Floats], int]],
    old: Floats | None,
    new: Floats | None,
) -> RowScore:
    calls: dict[str, int | None] = {THIS: CALLS.get(row.verdict, 0)}
    for name, rule in asked.items():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # a t test of values that never vary
            calls[name] = None if old is None or new is None or row.kind is Kind.HOST_MEMORY else rule(old, new)
    numbers = {name: _rounded(getattr(row, name)) for name in NUMBERS}
    role = "other" if plant is None else plant.role(row.metric)
    return RowScore(*row.key, role, row.verdict.value, row.reason.value, **numbers, calls=calls)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def _as_list(row: RowScore) -> list[Any]:
    return [getattr(row, name) for name in (*_TEXTS, *NUMBERS)] + [row.calls.get(rule) for rule in RULES]


def _of_list(values: list[Any]) -> RowScore:
    plain = dict(zip(COLUMNS, values, strict=True))
    return RowScore(**{name: plain.pop(name) for name in (*_TEXTS, *NUMBERS)}, calls=plain)
