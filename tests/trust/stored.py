"""Runs made of a stored run's own noise: what the arithmetic does with noise as it is, all rows' together.

python -m tests.trust.stored             # writes its table into docs/trust.md

The differences of a run's blocks, less each row's own mean, are noise and nothing else. A simulated run takes some of
the blocks, each with the sign that chance gives it, the same for all rows: so rows that move together stay together.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from harness.store.runs import RunDirectory

from .estimators import CHOSEN, MEDIANS, Row, rows_of, usable_runs
from .noise import Floats
from .vectorised import Estimates, Judged, estimates, judged, moderated

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.stored`, from here -->"
SEED = 18
MARGIN = 0.10
BLOCKS = (4, 5, 6, 8)
BEFORE, PAIRS, NOW = "medians, each row alone", "pairs, each row alone", "pairs, with like rows"
RULES = (BEFORE, PAIRS, NOW)


@dataclass(frozen=True, slots=True)
class Noise:
    """Two subjects' rows without their means: shape (rows, blocks), by estimator; and which rows are alike."""

    by_estimator: dict[str, Floats]
    like: tuple[str, ...]


def noise_of(run: RunDirectory) -> Iterator[Noise]:
    """Yield the noise of each two neighbouring subjects of a run, of the rows that have as many differences as most.

    Blocks beyond that number, which were measured in place of others, are left out.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of(run):
        found.setdefault(row.sides, []).append(row)
    for rows in found.values():
        most = statistics.mode(len(row.blocks) for row in rows)
        whole = [row for row in rows if len(row.blocks) >= most]
        # A deviation from a mean of n values is too small by the root of (n - 1) / n.
        larger = math.sqrt(most / (most - 1))
        logs = {name: np.array([row.differences[name][:most] for row in whole]) for name in (MEDIANS, CHOSEN)}
        centred = {name: larger * (some - some.mean(axis=-1, keepdims=True)) for name, some in logs.items()}
        yield Noise(centred, tuple(row.like for row in whole))


def runs_of_noise(random: np.random.Generator, noise: Noise, runs: int, blocks: int) -> dict[str, Floats]:
    """Return the same draws for both estimators: shape (runs, rows, blocks)."""
    total = next(iter(noise.by_estimator.values())).shape[-1]
    drawn = np.argsort(random.random((runs, total)), axis=-1)[:, :blocks]
    signs = random.choice([-1.0, 1.0], (runs, 1, blocks))
    return {name: np.moveaxis(some[:, drawn], 0, 1) * signs for name, some in noise.by_estimator.items()}


def judged_by(rule: str, drawn: dict[str, Floats], like: Sequence[str], change: Floats, margin: float) -> Judged:
    """Judge runs by one of RULES; `change` is the true log change of each row."""
    own = estimates(drawn[MEDIANS if rule == BEFORE else CHOSEN] + change[:, None])
    return judged(_with_like_rows(own, like) if rule == NOW else own, margin)


def _with_like_rows(own: Estimates, like: Sequence[str]) -> Estimates:
    groups = [[place for place, name in enumerate(like) if name == kind] for kind in dict.fromkeys(like)]

    def part(places: list[int]) -> Estimates:
        some = Estimates(*(getattr(own, field.name)[..., places] for field in fields(Estimates)))
        return moderated(some) if len(places) > 1 else some

    parts, order = [part(places) for places in groups], np.argsort([place for places in groups for place in places])
    return Estimates(
        *(
            np.concatenate([getattr(one, field.name) for one in parts], axis=-1)[..., order]
            for field in fields(Estimates)
        )
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one rule and number of blocks; fractions. See the columns of `document`."""

    alarms: float
    same_at_margin: float
    false_share: float
    found_15: float
    found_30: float
    same: float


def rates(rule: str, noises: Sequence[Noise], runs: int, blocks: int) -> Rates:
    """Return the rates over runs of all noises."""
    random, found = np.random.default_rng(SEED), []
    for noise in noises:
        drawn = runs_of_noise(random, noise, runs, blocks)
        rows = len(noise.like)
        changed = np.arange(rows) % 10 == random.integers(10)

        def judge(change: Floats, margin: float, drawn: dict[str, Floats] = drawn, noise: Noise = noise) -> Judged:
            return judged_by(rule, drawn, noise.like, change, margin)

        nothing = judge(np.zeros(rows), 0.0).called
        at_margin = judge(np.where(changed, math.log(1.30), math.log1p(MARGIN)), MARGIN)
        false = (at_margin.called & ~changed).sum(axis=-1) / np.maximum(at_margin.called.sum(axis=-1), 1)
        found.append(
            (
                nothing.any(axis=-1).mean(),
                at_margin.same[:, ~changed].mean(),
                false.mean(),
                judge(np.where(changed, math.log(1.15), 0.0), MARGIN).called[:, changed].mean(),
                at_margin.called[:, changed].mean(),
                judge(np.zeros(rows), MARGIN).same.mean(),
            )
        )
    return Rates(*np.mean(found, axis=0).tolist())


def document(runs: int, table: Callable[..., list[str]]) -> Iterator[str]:
    """Yield the lines of the document."""
    stored = usable_runs()
    noises = [noise for run in stored for noise in noise_of(run)]
    names = ", ".join(f"`{run.run}`" for run in stored)
    yield (
        f"Seed {SEED}; {runs:,} runs a line of each of {len(noises)} comparisons of neighbouring releases in {names}, "
        f"{len(noises[0].like)} rows; margin {100 * MARGIN:.0f} %, the first column at margin 0."
    )
    yield ""
    yield from table(
        (
            "blocks",
            "rule",
            "unchanged runs with a call, margin 0",
            '"same" of rows at the margin',
            "false among calls",
            "+15 % found",
            "+30 % found",
            '"same" of unchanged rows',
        ),
        (
            (blocks, rule, *(f"{100 * value:.1f} %" for value in _values(rates(rule, noises, runs, blocks))))
            for blocks in BLOCKS
            for rule in RULES
        ),
    )


def _values(found: Rates) -> list[float]:
    return [getattr(found, field.name) for field in fields(Rates)]


def main() -> int:
    """Simulate, print, and write the document."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.stored", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="simulated runs a line (default: 2000)")
    runs = parser.parse_args().runs
    from tests.speed.report import table, write_docs  # found from the project's folder only

    lines = list(document(runs, table))
    print("\n".join(lines))
    write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
