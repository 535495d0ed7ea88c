"""Which detector finds a change in a course: simulated courses whose truth is known, judged by several.

    python -m tests.trust.detectors                 # a few minutes; writes its table into docs/trust.md
    python -m tests.trust.detectors --scale 0.1     # a quick look that writes nothing

E-divisive is Apache Otava's, which is no dependency of this project: its lines appear where it can be imported
(`pip install --no-deps --target DIR apache-otava==0.8.0`, and DIR in PYTHONPATH).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from asv.step_detect import detect_steps
from numpy.typing import NDArray

from harness.verdict.course import Course
from harness.verdict.history import MARGIN, find_changes
from tests.speed.report import table, write_docs

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.detectors`, from here -->"
SEED = 21
LENGTH = 60
AT = 40
ROWS = 20
"""Courses that are looked at together, one history."""
SLOW = "E-divisive"
"""What so begins takes minutes: it gets a quarter of the histories."""

Floats = NDArray[np.float64]
Detector = Callable[[list[Floats]], list[list[int]]]
"""From the logs of a history's rows to the places, for each row, at which a level of another height begins."""


def _normal(random: np.random.Generator) -> Floats:
    return random.normal(0, 0.03, LENGTH)


def _heavy(random: np.random.Generator) -> Floats:
    return 0.02 * random.standard_t(3, LENGTH)


def _bimodal(random: np.random.Generator) -> Floats:
    return random.normal(0, 0.01, LENGTH) + 0.05 * random.integers(0, 2, LENGTH)


def _correlated(random: np.random.Generator, likeness: float) -> Floats:
    noise = random.normal(0, 0.03, LENGTH)
    for at in range(1, LENGTH):
        noise[at] = likeness * noise[at - 1] + noise[at] * math.sqrt(1 - likeness**2)
    return noise


def _outliers(random: np.random.Generator) -> Floats:
    noise = random.normal(0, 0.02, LENGTH)
    noise[random.choice(LENGTH, LENGTH // 20, replace=False)] += 0.7
    return noise


NOISES: dict[str, Callable[[np.random.Generator], Floats]] = {
    "normal": _normal,
    "heavy tail": _heavy,
    "bimodal": _bimodal,
    "autocorrelated, 0.5": lambda random: _correlated(random, 0.5),
    "autocorrelated, 0.8": lambda random: _correlated(random, 0.8),
    "outliers": _outliers,
}


def _own(rows: list[Floats], splits: bool) -> list[list[int]]:
    courses = [
        Course(("m",), str(row), "seconds", tuple(range(len(logs))), tuple(np.exp(logs).tolist()))
        for row, logs in enumerate(rows)
    ]
    found: list[list[int]] = [[] for _ in rows]
    for change in find_changes(courses, splits=splits):
        found[int(change.course.row)].append(change.since)
    return found


def _asv(rows: list[Floats]) -> list[list[int]]:
    """asv's regressions: every jump of its step detection beyond its threshold."""
    return [_beyond([int(step[1]) for step in detect_steps(logs.tolist())[:-1]], logs) for logs in rows]


def _beyond(places: list[int], logs: Floats) -> list[int]:
    """Return the places at which the means of the levels on both sides differ by more than the margin."""
    edges = [0, *places, len(logs)]
    means = [float(logs[left:right].mean()) for left, right in pairwise(edges)]
    jumps = [abs(after - before) for before, after in pairwise(means)]
    return [place for place, jump in zip(places, jumps, strict=True) if jump > math.log1p(MARGIN)]


def _otava(rows: list[Floats], permuted: bool) -> list[list[int]]:
    from otava.analysis import compute_change_points, compute_change_points_orig

    found = []
    for logs in rows:
        values = np.exp(logs).tolist()
        points, _ = (
            compute_change_points_orig(values, max_pvalue=0.01, seed=SEED)
            if permuted
            else compute_change_points(values)
        )
        found.append(_beyond(sorted(point.index for point in points), logs))
    return found


def detectors() -> dict[str, Detector]:
    """Return the detectors that can run here, by name."""
    known: dict[str, Detector] = {
        "this project": lambda rows: _own(rows, True),
        "this project, asv's places alone": lambda rows: _own(rows, False),
        "asv's step detection, 5 %": _asv,
    }
    if importlib.util.find_spec("otava") is not None:
        known["E-divisive, permutations"] = lambda rows: _otava(rows, True)
        known["E-divisive as Otava does it"] = lambda rows: _otava(rows, False)
    return known


def compare(detector: Detector, noise: Callable[[np.random.Generator], Floats], histories: int) -> tuple[float, ...]:
    """Return how often a detector is wrong and right.

    Returns:
        The share of histories without any change that have a finding; the shares of steps of 30 % and of 10 % that were
        found at most one place off; findings elsewhere, a row that changed.
    """
    random = np.random.default_rng(SEED)
    alarms = sum(any(detector([noise(random) for _ in range(ROWS)])) for _ in range(histories)) / histories
    shares, elsewhere, rows = [], 0, 0
    for size in (0.3, 0.1):
        found = changed = 0
        for _ in range(histories):
            # One row in four changed.
            logs = [noise(random) for _ in range(ROWS)]
            for row in logs[: ROWS // 4]:
                row[AT:] += math.log1p(size)
            for places in detector(logs)[: ROWS // 4]:
                near = [place for place in places if abs(place - AT) <= 1]
                found += bool(near)
                elsewhere += len(places) - len(near)
                changed += 1
        shares.append(found / changed)
        rows += changed
    return alarms, *shares, elsewhere / rows


def _lines(histories: int) -> Iterator[tuple[str, ...]]:
    for kind, noise in NOISES.items():
        for name, detector in detectors().items():
            some = max(2, histories // 4) if name.startswith(SLOW) else histories
            alarms, large, small, elsewhere = compare(detector, noise, some)
            shares = (f"{100 * share:.0f} %" for share in (alarms, large, small))
            yield kind, name, str(some), *shares, f"{elsewhere:.2f}"


def main() -> int:
    """Simulate, print, and write the document where the simulation was a whole one."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.detectors", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="times as many simulated histories (default: 1)")
    scale = parser.parse_args().scale
    histories = max(2, round(40 * scale))
    head = (
        "noise", "detector", "histories", "unchanged ones with a finding", "+30 % found", "+10 % found",
        "found elsewhere",
    )  # fmt: skip
    lines = [
        f"Seed {SEED}; histories of {ROWS} rows and {LENGTH} places; one row in four has a step from place {AT} on.",
        "",
        *table(head, _lines(histories)),
    ]
    print("\n".join(lines))
    if scale >= 1:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
