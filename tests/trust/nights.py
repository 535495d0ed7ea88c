"""A year in which nothing changed, its history searched anew every week: how many years have a finding at any time.

python -m tests.trust.nights                # seven minutes on one quiet core; writes its table into docs/trust.md
python -m tests.trust.nights --scale 0.1    # a quick look that writes nothing
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.verdict.course import Course
from harness.verdict.history import find_changes
from tests.speed.report import table, write_docs

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.nights`, from here -->"
SEED = 22
ROWS = 20
NIGHTS, WEEK = 365, 7
YEARS = 10

Floats = NDArray[np.float64]


def _noise(random: np.random.Generator, kind: str) -> Floats:
    """Return the logs of one row's nights: 3 % from night to night."""
    if kind == "heavy tail":
        return 0.02 * random.standard_t(3, NIGHTS)
    noise = random.normal(0, 0.03, NIGHTS)
    if kind.startswith("autocorrelated"):
        likeness = float(kind.rpartition(" ")[2])
        for at in range(1, NIGHTS):
            noise[at] = likeness * noise[at - 1] + noise[at] * math.sqrt(1 - likeness**2)
    return noise


KINDS = ("normal", "heavy tail", "autocorrelated, 0.5", "autocorrelated, 0.8")


def year(random: np.random.Generator, kind: str) -> tuple[int, int]:
    """Return in how many of a year's weekly searches anything was found, and in how many rows altogether."""
    logs = [_noise(random, kind) for _ in range(ROWS)]
    weeks, rows = 0, set[str]()
    for night in range(WEEK, NIGHTS, WEEK):
        courses = [
            Course(("m",), str(row), "seconds", tuple(range(night)), tuple(np.exp(values[:night]).tolist()))
            for row, values in enumerate(logs)
        ]
        found = find_changes(courses)
        weeks += bool(found)
        rows |= {change.course.row for change in found}
    return weeks, len(rows)


def _lines(years: int) -> Iterator[tuple[str, ...]]:
    for kind in KINDS:
        random = np.random.default_rng(SEED)
        found = [year(random, kind) for _ in range(years)]
        with_any = sum(weeks > 0 for weeks, _ in found)
        weeks = sum(weeks for weeks, _ in found) / years / (NIGHTS // WEEK)
        rows = sum(rows for _, rows in found) / years
        yield kind, f"{with_any} of {years}", f"{100 * weeks:.1f} %", f"{rows:.2f}"


def main() -> int:
    """Simulate, print, and write the document where the simulation was a whole one."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.nights", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="times as many simulated years (default: 1)")
    scale = parser.parse_args().scale
    years = max(1, round(YEARS * scale))
    head = ("noise", "years with a finding", "weekly searches with one", "rows found a year")
    lines = [
        f"Seed {SEED}; {ROWS} rows, {NIGHTS} nights, nothing changed; {NIGHTS // WEEK} searches a year.",
        "",
        *table(head, _lines(years)),
    ]
    print("\n".join(lines))
    if scale >= 1:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
