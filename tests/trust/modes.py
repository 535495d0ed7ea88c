"""Noise of two tight modes, in whole result directories: how many have any finding, and whether real steps are found.

python -m tests.trust.modes                 # some twenty minutes on one core; writes its tables into docs/trust.md
python -m tests.trust.modes --scale 0.1     # a quick look that writes nothing
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.verdict.course import Course
from harness.verdict.history import find_changes

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.modes`, from here -->"
SEED = 24
COURSES = 24
DIRECTORIES = 40
GAP = 0.262
"""Of the slow mode above the fast one, log scale: 30 %."""
APART = (5, 10, 20, 60)
"""Standard deviations of the noise within a mode."""
SHARES = (0.1, 0.3, 0.5)
"""Of values in the slow mode."""
STREAKS = (None, 3, 6, 10)
"""Mean length of a stay in the slow mode; None: every value by itself."""

Floats = NDArray[np.float64]


def slow(random: np.random.Generator, length: int, share: float, streak: float | None) -> NDArray[np.bool_]:
    """Return which values are in the slow mode."""
    if streak is None:
        return random.random(length) < share
    leave = 1 / streak
    enter = leave * share / (1 - share)
    state = np.empty(length, dtype=bool)
    state[0] = random.random() < share
    thrown = random.random(length)
    for at in range(1, length):
        state[at] = thrown[at] >= leave if state[at - 1] else thrown[at] < enter
    return state


def course(logs: Floats, number: int) -> Course:
    """Return a course of a directory."""
    values = tuple(float(value) for value in np.exp(logs))
    return Course(("desk", "python", f"suite.time_{number}"), "", "seconds", tuple(range(len(values))), values)


def noisy(random: np.random.Generator, length: int, apart: float, share: float, streak: float | None) -> list[Course]:
    """Return a directory in which nothing changes but the mode."""
    return [
        course(random.normal(0, GAP / apart, length) + GAP * slow(random, length, share, streak), number)
        for number in range(COURSES)
    ]


def planted(
    random: np.random.Generator, length: int, steps: int, with_modes: int, streak: float | None
) -> tuple[list[Course], dict[str, int]]:
    """Return a directory with steps of 30 % and the place of each, the other courses quiet or with two modes."""
    courses, places = [], {}
    for number in range(COURSES):
        logs = random.normal(0, 0.01, length)
        if number < steps:
            at = int(random.integers(length // 6 + 1, length - max(2, length // 6)))
            logs[at:] += GAP * random.choice([-1, 1])
            places[f"suite.time_{number}"] = at
        elif number < steps + with_modes:
            logs += GAP * slow(random, length, float(random.uniform(0.1, 0.5)), streak)
        courses.append(course(logs, number))
    return courses, places


def found(courses: list[Course], places: dict[str, int]) -> int:
    """Return how many planted steps are found where they are."""
    changes = find_changes(courses)
    return sum(
        any(change.course.group[-1] == name and abs(change.since - at) <= 1 for change in changes)
        for name, at in places.items()
    )


def _alarms(directories: int) -> Iterator[tuple[str, ...]]:
    for length, streak in itertools.product((12, 60, 200), STREAKS):
        cells = []
        for share in SHARES:
            random = np.random.default_rng(SEED)
            few = max(2, directories // (4 if length > 60 else 1))
            wrong = sum(
                bool(find_changes(noisy(random, length, apart, share, streak))) for apart in APART for _ in range(few)
            )
            cells.append(f"{wrong} of {few * len(APART)}")
        yield (str(length), "none" if streak is None else str(streak), *cells)


def _planted(directories: int) -> Iterator[tuple[str, ...]]:
    for length, (steps, with_modes, streak) in itertools.product(
        (12, 60, 200), ((1, 0, None), (5, 0, None), (2, 2, None), (2, 8, None), (2, 2, 5), (2, 8, 5))
    ):
        random = np.random.default_rng(SEED)
        few = max(2, directories // 2)
        hits = sum(found(*planted(random, length, steps, with_modes, streak)) for _ in range(few))
        kind = "" if not with_modes else "by itself" if streak is None else f"streaks of {streak}"
        yield str(length), str(steps), str(with_modes), kind, f"{100 * hits / few / steps:.0f} %"


def main() -> int:
    """Simulate, print, and write the document where the simulation was a whole one."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.modes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="times as many simulated directories (default: 1)")
    scale = parser.parse_args().scale
    from tests.speed.report import table, write_docs  # found from the project's folder only

    directories = max(2, round(DIRECTORIES * scale))
    lines = [
        f"Seed {SEED}; directories of {COURSES} courses, the slow mode 30 % above the fast one, the modes "
        f"{', '.join(map(str, APART))} standard deviations apart, as many directories of each. How many have any "
        "finding:",
        "",
        *table(("values", "mean streak", *(f"{100 * share:.0f} % slow" for share in SHARES)), _alarms(directories)),
        "",
        "Steps of 30 % planted in quiet courses of such directories, some of whose other courses have two modes:",
        "",
        *table(("values", "steps", "courses with modes", "slow values", "steps found"), _planted(directories)),
    ]
    print("\n".join(lines))
    if scale >= 1:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
