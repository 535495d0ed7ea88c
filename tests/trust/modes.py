"""Noise of two tight modes, in whole result directories: how many have any finding, and whether real steps are found.

python -m tests.trust.modes                 # some ten minutes on one core; writes its tables into docs/trust.md
python -m tests.trust.modes --scale 0.1     # a quick look that writes nothing
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.verdict.course import Change, Course
from harness.verdict.history import find_changes, search_changes

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.modes`, from here -->"
SEED = 24
LENGTHS = (12, 24, 60, 200)
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


def mixed(random: np.random.Generator, length: int, number: int) -> tuple[list[Course], dict[str, int]]:
    """Return a directory as real ones are: noise of all sizes, outliers, one course in eight a step, one in 12 modes.

    Steps are of 10 to 50 %, modes by themselves or in streaks.
    """
    courses, places = [], {}
    for at in range(number):
        logs = random.normal(0, float(np.exp(random.normal(math.log(0.012), 0.6))), length)
        logs += (random.random(length) < 0.01) * random.uniform(0.1, 1, length)
        kind = random.random()
        if kind < 0.12:
            place = int(random.integers(3, length - 2))
            logs[place:] += random.choice([-1, 1]) * random.uniform(0.1, 0.5)
            places[f"suite.time_{at}"] = place
        elif kind < 0.20:
            streak = 1 / (1 - random.uniform(0.1, 0.9))
            logs += random.uniform(0.06, 0.5) * slow(random, length, float(random.uniform(0.1, 0.5)), streak)
        courses.append(course(logs, at))
    return courses, places


def found(courses: list[Course], places: dict[str, int]) -> int:
    """Return how many planted steps are found where they are."""
    return _hits(find_changes(courses), places)


def _hits(changes: Iterable[Change], places: dict[str, int]) -> int:
    at = {(change.course.group[-1], change.since) for change in changes}
    return sum(any((name, place + near) in at for near in (-1, 0, 1)) for name, place in places.items())


def _alarms(directories: int) -> Iterator[tuple[str, ...]]:
    for length in LENGTHS:
        few = max(2, directories // (4 if length > 60 else 1))
        wrong: dict[tuple[float | None, float], int] = {}
        for streak, share in itertools.product(STREAKS, SHARES):
            random = np.random.default_rng(SEED)
            wrong[streak, share] = sum(
                bool(find_changes(noisy(random, length, apart, share, streak))) for apart in APART for _ in range(few)
            )
        each = few * len(APART)
        for streak in STREAKS:
            cells = (f"{wrong[streak, share]} of {each}" for share in SHARES)
            yield str(length), "none" if streak is None else str(streak), *cells
        whole = each * len(wrong)
        yield str(length), "all", f"{sum(wrong.values())} of {whole}", f"{100 * sum(wrong.values()) / whole:.1f} %", ""


def _planted(directories: int) -> Iterator[tuple[str, ...]]:
    kinds = ((1, 0, None), (2, 0, None), (5, 0, None), (2, 2, None), (2, 8, None), (2, 2, 5), (2, 8, 5))
    for length, (steps, with_modes, streak) in itertools.product(LENGTHS, kinds):
        random = np.random.default_rng(SEED)
        few = max(2, directories // (4 if length > 60 else 1))
        hits = untold = 0
        for _ in range(few):
            courses, places = planted(random, length, steps, with_modes, streak)
            search = search_changes(courses)
            hits, untold = hits + _hits(search.changes, places), untold + _hits(search.untold, places)
        kind = "" if not with_modes else "by itself" if streak is None else f"streaks of {streak}"
        shares = (f"{100 * number / few / steps:.0f} %" for number in (hits, untold))
        yield str(length), str(steps), str(with_modes), kind, *shares


def _mixed(directories: int) -> Iterator[tuple[str, ...]]:
    for length in (12, 24, 60, 150, 400):
        random = np.random.default_rng(SEED)
        hits = untold = planted_steps = false = 0
        for _ in range(max(1, directories // 10)):
            courses, places = mixed(random, length, 300)
            search = search_changes(courses)
            planted_steps += len(places)
            hits, untold = hits + _hits(search.changes, places), untold + _hits(search.untold, places)
            false += len({change.course.group[-1] for change in search.changes} - places.keys())
        yield str(length), f"{hits} of {planted_steps}", str(untold), str(false)


def _alone(directories: int) -> Iterator[tuple[str, ...]]:
    """Yield how many of the changes that tests/verdict/test_history_simulation.py plants are found, in more of them."""
    from tests.verdict.test_history_simulation import NIGHTS, NOISES, RELEASES, Shape

    def told(what: str, found: list[bool]) -> tuple[str, str]:
        return what, f"{sum(found)} of {len(found)}"

    def has(courses: list[Course], *steps: int) -> bool:
        at = {change.since for change in find_changes(courses) if change.shape is Shape.STEP}
        return all({step - 1, step, step + 1} & at for step in steps)

    random = np.random.default_rng(SEED)
    night, release = np.arange(NIGHTS), np.arange(RELEASES)
    steps = [
        has([course(noise(random, NIGHTS) + np.log(1.3) * (night >= 40), 0)], 40)
        for noise in NOISES
        for _ in range(5 * directories // 2)
    ]
    yield told("a step of 30 % in 60 values, five kinds of noise", steps)
    recent = [
        has([course(random.normal(0, 0.01, RELEASES) + np.log(ratio) * (release >= RELEASES - 2), 0)], RELEASES - 2)
        for ratio in (0.7, 1.15, 2.0, 10.0)
        for _ in range(5 * directories // 4)
    ]
    yield told("a step two releases ago, of twelve releases", recent)
    trends = []
    for _ in range(3 * directories // 2):
        rising = course(np.linspace(0, np.log(1.7), 8) + random.normal(0, 0.01, 8), 0)
        quiet = [course(random.normal(0, 0.01, 8), number) for number in range(1, 21)]
        trends.append([change.shape for change in find_changes([rising, *quiet])] == [Shape.TREND])
    yield told("a rise of 70 % over eight releases, none by 10 %", trends)
    both = [
        has([course(random.normal(0, 0.02, NIGHTS) + 0.3 * (night >= 20) - 0.2 * (night >= 40), 0)], 20, 40)
        for _ in range(5 * directories // 4)
    ]
    yield told("two steps, up and down", both)
    small = []
    for _ in range(5 * directories // 4):
        logs = [random.normal(0, 0.03, NIGHTS) + np.log(1.1) * (night >= 40) * (row < 5) for row in range(20)]
        places = {f"suite.time_{row}": 40 for row in range(5)}
        changes = find_changes([course(one, row) for row, one in enumerate(logs)])
        small += [_hits(changes, {name: at}) == 1 for name, at in places.items()]
    yield told("a step of 10 % in five of 20 series, noise of 3 %", small)


def main() -> int:
    """Simulate, print, and write the document where the simulation was a whole one."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.modes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="times as many simulated directories (default: 1)")
    scale = parser.parse_args().scale
    from tests.speed.report import table, write_docs  # found from the project's folder only

    directories = max(2, round(DIRECTORIES * scale))
    lines = [
        f"Seed {SEED}; directories of {COURSES} series, the slow mode 30 % above the fast one, the modes "
        f"{', '.join(map(str, APART))} standard deviations apart, as many directories of each. How many have any "
        "finding:",
        "",
        *table(("values", "mean streak", *(f"{100 * share:.0f} % slow" for share in SHARES)), _alarms(directories)),
        "",
        "Steps of 30 % planted in quiet series of such directories, some of whose other series have two modes:",
        "",
        *table(
            ("values", "steps", "series with modes", "slow values", "found", "named as not told"), _planted(directories)
        ),
        "",
        "Directories of 300 series with noise and steps of all sizes, outliers, and one series in twelve with modes:",
        "",
        *table(
            ("values", "steps found", "named as not told", "series with a finding and no step"), _mixed(directories)
        ),
        "",
        "What tests/verdict/test_history_simulation.py plants, more of it (as many are found where nothing asks for "
        "modes):",
        "",
        *table(("planted", "found"), _alone(directories)),
    ]
    print("\n".join(lines))
    if scale >= 1:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
