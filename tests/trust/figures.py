"""`python -m tests.trust.figures`: the figures of docs/trust.md, from the simulation and from the published real runs.

Needs the extra `dev` (altair, and vl-convert for SVG without a browser).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from . import simulation
from .scores import DATA, RunScore

FOLDER = DATA.with_name("figures")
SEED = 20
TRIALS = 20_000
SPREADS = (0.01, 0.02, 0.03, 0.05)
MARGINS = (0.0, 0.02, 0.04)
BLOCKS = tuple(range(4, 21, 2))
CALLED, OPEN = "called a regression", "not called"


def main() -> int:
    """Write the figures."""
    FOLDER.mkdir(exist_ok=True)
    power_figure(pd.DataFrame(power_points(TRIALS))).save(FOLDER / "power.svg")
    scores = [RunScore.of_record(json.loads(line)) for line in DATA.read_text(encoding="utf-8").splitlines()[1:]]
    planted_figure(pd.DataFrame(planted_points(scores))).save(FOLDER / "planted.svg")
    print(f"The figures are in {FOLDER}.", file=sys.stderr)
    return 0


def power_points(trials: int) -> Iterator[dict[str, Any]]:
    """Yield the simulated power at +5 %, before correction, a point each."""
    for spread in SPREADS:
        for margin in MARGINS:
            for blocks in BLOCKS:
                random = np.random.default_rng(SEED)
                found = simulation.power(random, trials, spread=spread, blocks=blocks, margin=margin, change=0.05)
                yield {
                    "spread": f"{100 * spread:.0f} %",
                    "margin": f"margin {100 * margin:.0f} %",
                    "blocks": blocks,
                    "power": float(found),
                }


def power_figure(points: pd.DataFrame) -> alt.FacetChart:
    """Return the curves: power by blocks, a line a spread, a panel a margin."""
    lines = (
        alt.Chart(points, width=210, height=220)
        .mark_line(point=True)
        .encode(
            x=alt.X("blocks:Q", title="blocks", scale=alt.Scale(domain=[4, 20])),
            y=alt.Y("power:Q", title="+5 % found", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("spread:N", title="sd of the log difference"),
        )
    )
    return lines.facet(column=alt.Column("margin:N", title=None))


def planted_points(scores: Iterable[RunScore]) -> Iterator[dict[str, Any]]:
    """Yield the planted rows that are times, with the change that was seen and its 95 % interval."""
    for score in scores:
        for row in score.rows:
            if row.role == "planted" and row.ratio is not None and row.low is not None and row.high is not None:
                yield {
                    "plant": score.planted,
                    "place": f"{score.number}: {row.metric} {row.model}",
                    "change": row.ratio - 1,
                    "low": row.low - 1,
                    "high": row.high - 1,
                    "verdict": CALLED if row.is_found() else OPEN,
                }


def planted_figure(points: pd.DataFrame) -> alt.FacetChart:
    """Return every planted row's change and interval, a panel a plant."""
    colour = alt.Color("verdict:N", title=None, scale=alt.Scale(domain=[CALLED, OPEN], range=["#c0392b", "#7f8c8d"]))
    base = alt.Chart(points, width=420).encode(y=alt.Y("place:N", title=None, axis=alt.Axis(labelLimit=260)))
    intervals = base.mark_rule().encode(
        x=alt.X("low:Q", title="change seen, 95 % interval", axis=alt.Axis(format="+%")), x2="high:Q", color=colour
    )
    centres = base.mark_point(filled=True, size=40).encode(x="change:Q", color=colour)
    return (
        (intervals + centres).facet(row=alt.Row("plant:N", title=None)).resolve_scale(x="independent", y="independent")
    )


if __name__ == "__main__":
    sys.exit(main())
