"""How a block's difference is best made of its pairs: chosen on one half of the blocks, reported on the other.

python -m tests.trust.estimators                      # the committed reference runs and your own; writes docs/trust.md
python -m tests.trust.estimators --disturbed RUN …    # these runs, with what was disturbed; writes nothing

The halves are the even and the odd blocks of every run: what wandered during a run is in both, and no block is in two.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.answers.comparison import like_of
from harness.metrics import METRICS
from harness.store.frame import ROW_KEY, repeats_frame
from harness.store.pairs import pairs_frame
from harness.store.runs import RunDirectory, open_run, runs_of
from harness.verdict.differences import middle

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.estimators`, from here -->"
FEWEST_BLOCKS = 4
CLASSES = ("1", "2", "3", "4 or more")

Floats = NDArray[np.float64]


def hodges_lehmann(log_ratios: Floats) -> float:
    """Return the median of the averages of every two (Hodges and Lehmann (1963), Ann. Math. Statist. 34)."""
    first, second = np.triu_indices(len(log_ratios))
    return float(np.median((log_ratios[first] + log_ratios[second]) / 2))


MEDIANS = "ratio of medians"
CHOSEN = "middle half of pairs"
ESTIMATORS: Mapping[str, Callable[[Floats, Floats], float]] = {
    MEDIANS: lambda old, new: float(np.log(np.median(np.exp(new))) - np.log(np.median(np.exp(old)))),
    "mean of pairs": lambda old, new: float((new - old).mean()),
    "median of pairs": lambda old, new: float(np.median(new - old)),
    "Hodges-Lehmann of pairs": lambda old, new: hodges_lehmann(new - old),
    CHOSEN: lambda old, new: float(middle(new - old)),
}
"""From the logarithms of a block's whole pairs to its difference."""


@dataclass(frozen=True, slots=True)
class Row:
    """One judged time of two releases: the differences of its blocks by each estimator, and its pairs a block."""

    metric: str
    pairs: int
    blocks: tuple[int, ...]
    differences: Mapping[str, Floats]
    sides: tuple[str, str] = ("", "")
    like: str = ""  # rows whose noise is of one kind, as `answers.comparison` says

    @property
    def kind(self) -> str:
        """Which class of pairs a block it belongs to."""
        return CLASSES[min(self.pairs, len(CLASSES)) - 1]

    def variance(self, estimator: str, half: int, without: int | None = None) -> float:
        """Return the variance over the even (0) or odd (1) blocks, without one of them if it is named."""
        chosen = [block % 2 == half and block != without for block in self.blocks]
        return float(np.var(self.differences[estimator][chosen], ddof=1))

    def of_half(self, half: int) -> list[int]:
        """Return its blocks of one half."""
        return [block for block in self.blocks if block % 2 == half]


def rows_of(run: RunDirectory, disturbed: bool = False) -> Iterator[Row]:
    """Yield the judged times of each two neighbouring subjects, with four blocks or more; no row varies in none."""
    repeats = repeats_frame([run.path])
    if disturbed:
        repeats = repeats.assign(tainted=False)
    judged = {name for name, metric in METRICS.items() if metric.judged and metric.unit == "seconds"}
    for old, new in pairwise(subject["name"] for subject in run.facts["subjects"]):
        pairs = pairs_frame(repeats[repeats["metric"].isin(judged)], old, new)
        for (metric, *_), members in pairs[pairs["whole"]].groupby(ROW_KEY):
            blocks = {int(block): np.log(one[["old", "new"]].to_numpy()) for block, one in members.groupby("block")}
            halves = [sum(block % 2 == half for block in blocks) for half in (0, 1)]
            if len(blocks) < FEWEST_BLOCKS or min(halves) < 2:
                continue
            differences = {
                name: np.array([estimate(logs[:, 0], logs[:, 1]) for logs in blocks.values()])
                for name, estimate in ESTIMATORS.items()
            }
            pairs_each = int(np.median([len(logs) for logs in blocks.values()]))
            yield Row(str(metric), pairs_each, tuple(blocks), differences, (old, new), like_of(METRICS[metric]) or "")


def relative_spread(rows: Sequence[Row], estimator: str, half: int) -> float:
    """Return the standard deviation over that of the ratio of medians, the geometric mean over rows."""
    ratios = [row.variance(estimator, half) / row.variance(MEDIANS, half) for row in rows]
    return float(np.exp(np.log(ratios).mean() / 2))


@dataclass(frozen=True, slots=True)
class Family:
    """Rows of one metric and class: pooled standard deviations before and after, and the interval of their ratio."""

    metric: str
    kind: str
    rows: int
    before: float
    after: float
    low: float
    high: float

    @property
    def grows(self) -> bool:
        """Whether its noise is shown to grow."""
        return self.low > 1


def families(rows: Iterable[Row], half: int = 1) -> Iterator[Family]:
    """Yield the families, on the half that did not choose.

    The 95 % interval is that of the jackknife over blocks: all rows of a family share a block's noise.
    """
    members: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        members.setdefault((row.kind, row.metric), []).append(row)
    for (kind, metric), some in sorted(members.items(), key=lambda entry: (CLASSES.index(entry[0][0]), entry[0][1])):
        before, after = (math.sqrt(_pooled(some, name, half)) for name in (MEDIANS, CHOSEN))
        blocks = sorted(set.intersection(*(set(row.of_half(half)) for row in some)))
        low, high = _interval(some, half, blocks) if len(blocks) > 2 else (0.0, math.inf)
        yield Family(metric, kind, len(some), before, after, low, high)


def _interval(rows: Sequence[Row], half: int, blocks: Sequence[int]) -> tuple[float, float]:
    def log_ratio(without: int | None = None) -> float:
        return math.log(_pooled(rows, CHOSEN, half, without) / _pooled(rows, MEDIANS, half, without)) / 2

    left = np.array([log_ratio(block) for block in blocks])
    error = math.sqrt((len(left) - 1) * float(left.var()))
    reach = float(stats.t.isf(0.025, len(left) - 1)) * error
    return math.exp(log_ratio() - reach), math.exp(log_ratio() + reach)


def _pooled(rows: Sequence[Row], estimator: str, half: int, without: int | None = None) -> float:
    return float(np.mean([row.variance(estimator, half, without) for row in rows]))


def document(rows: Sequence[Row], runs: Sequence[RunDirectory], table: Callable[..., list[str]]) -> Iterator[str]:
    """Yield the lines of the document."""
    names = ", ".join(f"`{run.run}` ({run.facts['preset']['name']}, {run.facts['blocks']} blocks)" for run in runs)
    yield f"{len(rows)} rows (a judged time of two neighbouring releases) of {names}."
    for half, title in ((0, "Chosen: even blocks"), (1, "Reported: odd blocks")):
        yield ""
        yield f"{title}. Standard deviation of a block's difference over that of the ratio of medians, geometric mean."
        yield ""
        classes = [(kind, [row for row in rows if row.kind == kind]) for kind in CLASSES]
        yield from table(
            ("whole pairs a block", "rows", *ESTIMATORS),
            (
                (kind, len(some), *(f"{relative_spread(some, name, half):.2f}" for name in ESTIMATORS))
                for kind, some in classes
                if some
            ),
        )
    yield ""
    yield f"By family, odd blocks: the ratio of medians, the {CHOSEN}, and their ratio with its 95 % interval."
    yield ""
    yield from table(
        ("pairs", "metric", "rows", MEDIANS, CHOSEN, "ratio", "95 % interval"),
        (
            (
                one.kind,
                one.metric,
                one.rows,
                f"{one.before:.3f}",
                f"{one.after:.3f}",
                f"{one.after / one.before:.2f}",
                f"{one.low:.2f} .. {one.high:.2f}",
            )
            for one in families(rows)
        ),
    )


def usable_runs(root: Path = ROOT) -> list[RunDirectory]:
    """Return the reference runs and own runs that hold two subjects and blocks enough."""
    runs = [*runs_of(root, reference=True)[0], *runs_of(root)[0]]
    return [run for run in runs if len(run.facts["subjects"]) > 1 and run.facts.get("blocks", 0) >= FEWEST_BLOCKS]


def main() -> int:
    """Evaluate, print, and write the document; return 1 if the noise of any family is shown to grow."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.estimators", description=__doc__)
    parser.add_argument("--disturbed", nargs="+", metavar="RUN", type=Path, help="these runs, with what was disturbed")
    asked = parser.parse_args().disturbed
    from tests.speed.report import table, write_docs  # found from the project's folder only

    runs = [open_run(path) for path in asked] if asked else usable_runs()
    found = {run.run: list(rows_of(run, bool(asked))) for run in runs}
    used = [run for run in runs if found[run.run]]
    rows = [row for some in found.values() for row in some]
    if not rows:
        print("No run has four blocks of two releases.", file=sys.stderr)
        return 1
    lines = list(document(rows, used, table))
    print("\n".join(lines))
    if not asked:
        write_docs(DOCUMENT, lines, BEGIN)
    return int(any(family.grows for family in families(rows)))


if __name__ == "__main__":
    sys.exit(main())
