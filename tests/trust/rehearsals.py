"""Ten nights in a row with known truth, by the rules of `nightly`: who is woken, what is told, what is overlooked.

python -m tests.trust.rehearsals                # a minute; writes its table into docs/trust.md
python -m tests.trust.rehearsals --scale 0.1    # a quick look that writes nothing
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import special

from harness.metrics import Kind
from harness.verdict.confirmation import RowKey, Standing
from harness.verdict.nights import Evidence, Known, State, baselines, conclude
from harness.verdict.rows import Method, Reason, Row, Verdict
from tests.speed.report import table, write_docs

from .noise import FAMILIES, Floats
from .simulation import ROWS, differences
from .vectorised import Estimates, estimates, moderated, p_values, q_values

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.rehearsals`, from here -->"
SEED = 23
NIGHTS, BLOCKS, AGAIN_BLOCKS = 10, 10, 8
SPREAD, MARGIN, LEVEL = 0.02, 0.05, 0.05
STABLE = "stable"
KEYS: tuple[RowKey, ...] = tuple((f"m{row}", "cpu", "model", "way") for row in range(ROWS))

Truth = Callable[[int], Floats]
"""From a night's number (from 0; the stable release is -1) to each row's log of how much slower its build is."""


def nothing(night: int) -> Floats:
    """No build differs from another."""
    return np.zeros(ROWS)


def planted(night: int) -> Floats:
    """One row in ten is 15 % slower from the fourth to the seventh night."""
    slower = np.zeros(ROWS)
    slower[::10] = math.log1p(0.15) if 3 <= night < 7 else 0.0
    return slower


def declining(night: int) -> Floats:
    """One row in ten becomes 1.5 % slower every night, which is less than the margin."""
    slower = np.zeros(ROWS)
    slower[::10] = (night + 1) * math.log1p(0.015)
    return slower


@dataclass(slots=True)
class Told:
    """What became of sequences of ten nights; counts of nights, or of planted rows."""

    nights: int = 0
    fired: int = 0  # the A/A arm did: nothing is told
    unconfirmed: int = 0  # something was called that the same night did not confirm
    woken_falsely: int = 0  # something new is confirmed, and no row of it differs in truth
    rows: int = 0  # that are slower in some night
    found: int = 0  # of these: told at least once
    repeated: int = 0  # of these: told more than once
    closed: int = 0  # of these: told to be gone
    waited: list[int] = field(default_factory=list)  # nights from the first beyond the margin to the telling


def rehearse(random: np.random.Generator, noise: str, truth: Truth, sequences: int, margin: float = MARGIN) -> Told:
    """Return what became of so many sequences of ten nights."""
    told = Told()
    for _ in range(sequences):
        known, news, gone = Known(), dict[RowKey, list[int]](), set[RowKey]()
        for night in range(NIGHTS):
            told.nights += 1
            itself = _judge(_drawn(random, noise, BLOCKS), margin, LEVEL)
            if itself.called.any():
                told.fired += 1
                continue
            done = conclude(
                known, f"2026-01-{night + 1:02}", str(night), _evidence(random, noise, truth, known, night, margin)
            )
            told.unconfirmed += bool(done.unconfirmed)
            new = [one.key for one in done.findings if one.state is State.NEW]
            worse = {KEYS[row] for row in np.flatnonzero(truth(night) > 0)}
            told.woken_falsely += bool(new) and not worse & set(new)
            for key in new:
                news.setdefault(key, []).append(night)
            gone |= {one.key for one in done.findings if one.state is State.GONE}
            known = done.known
        logs = np.stack([truth(night) for night in range(NIGHTS)])
        for row in np.flatnonzero((logs > 0).any(axis=0)):
            told.rows += 1
            first = int(np.argmax(logs[:, row] > math.log1p(margin)))
            at = news.get(KEYS[row], [])
            told.found += bool(at)
            told.repeated += len(at) > 1
            told.closed += KEYS[row] in gone
            told.waited += [at[0] - first] if at else []
    return told


@dataclass(frozen=True, slots=True)
class _Judged:
    own: Estimates
    q: Floats
    called: Floats
    slower: Floats
    same: Floats
    reach: Floats


def _drawn(random: np.random.Generator, noise: str, blocks: int) -> Floats:
    return differences(random, FAMILIES[noise], (1, ROWS, blocks), SPREAD)[0]


def _judge(logs: Floats, margin: float, level: float) -> _Judged:
    """Judge rows of one run, shape (rows, blocks), as the judge does."""
    own = moderated(estimates(logs)) if len(logs) > 1 else estimates(logs)
    beyond, within = p_values(own, margin)
    q = q_values(beyond)
    called = q <= level
    reach = -special.stdtrit(own.freedom, 0.025) * own.error
    return _Judged(own, q, called, called & (own.mean > 0), ~called & (within <= LEVEL), reach)


def _evidence(
    random: np.random.Generator, noise: str, truth: Truth, known: Known, night: int, margin: float
) -> Iterator[Evidence]:
    """Yield what a night measures of each row against each of its baselines, called rows measured again."""
    chosen = baselines(known, STABLE, 2)
    now = truth(night)
    for name in chosen:
        change = now - truth(-1 if name == STABLE else int(name))
        found = _judge(_drawn(random, noise, BLOCKS) + change[:, None], margin, LEVEL / len(chosen))
        rows = np.flatnonzero(found.slower)
        standing = dict.fromkeys(range(ROWS), Standing.UNCONFIRMED)
        if len(rows):
            again = _judge((_drawn(random, noise, AGAIN_BLOCKS) + change[:, None])[rows], margin, LEVEL)
            for place, row in enumerate(rows):
                settled = Standing.REFUTED if again.same[place] else Standing.UNDECIDED
                standing[int(row)] = Standing.CONFIRMED if again.slower[place] else settled
        for row in range(ROWS):
            yield Evidence(name, _row(row, found, margin), standing[row])


def _row(row: int, found: _Judged, margin: float) -> Row:
    mean, reach = float(found.own.mean[row]), float(found.reach[row])
    verdict = Verdict.SAME if found.same[row] else Verdict.INCONCLUSIVE
    if found.called[row]:
        verdict = Verdict.REGRESSION if found.slower[row] else Verdict.IMPROVEMENT
    metric, *rest = KEYS[row]
    return Row(
        metric, "seconds", Kind.TIME, *rest, 1.0, math.exp(mean), math.exp(mean), math.exp(mean - reach),
        math.exp(mean + reach), None, float(found.q[row]), verdict, Reason.TOO_NOISY, True, margin, BLOCKS, 0, None,
        None, Method.PAIRED_T, None,
    )  # fmt: skip


SCENES: tuple[tuple[str, Truth, float], ...] = (
    ("nothing", nothing, MARGIN),
    ("nothing, margin 0", nothing, 0.0),
    ("15 % in one row of ten, nights 4 to 7", planted, MARGIN),
    ("1.5 % more every night in one row of ten", declining, MARGIN),
)


def _lines(sequences: int) -> Iterator[tuple[str, ...]]:
    for noise in FAMILIES:
        for what, truth, margin in SCENES:
            told = rehearse(np.random.default_rng(SEED), noise, truth, sequences, margin)
            rows = (
                ("-",) * 4
                if not told.rows
                else (
                    _share(told.found, told.rows),
                    f"{np.mean(told.waited) if told.waited else math.nan:.1f}",
                    _share(told.repeated, told.rows),
                    _share(told.closed, told.rows) if truth is planted else "-",
                )
            )
            counts = (told.fired, told.unconfirmed, told.woken_falsely)
            yield noise, what, *(_share(one, told.nights) for one in counts), *rows


def _share(some: int, of: int) -> str:
    return f"{100 * some / of:.1f} %"


def main() -> int:
    """Simulate, print, and write the document where the simulation was a whole one."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.trust.rehearsals", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--scale", type=float, default=1.0, help="times as many simulated sequences (default: 1)")
    scale = parser.parse_args().scale
    sequences = max(2, round(50 * scale))
    head = (
        "noise", "planted", "nights the A/A arm fires", "nights with an unconfirmed call", "nights woken falsely",
        "planted rows told", "nights late", "told twice", "closed",
    )  # fmt: skip
    lines = [
        f"Seed {SEED}; {sequences} times {NIGHTS} nights a line, {ROWS} rows, {BLOCKS} blocks, a standard deviation of "
        f"{100 * SPREAD:.0f} %, a margin of {100 * MARGIN:.0f} %.",
        "",
        *table(head, _lines(sequences)),
    ]
    print("\n".join(lines))
    if scale >= 1:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
