"""`python -m tests.trust`: simulate everything docs/trust.md claims and write its tables; a minute or two on one core.

`--scale 0.02` is a quick look that writes nothing, `--scale 20` a closer one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from tests.speed.report import table

from . import simulation
from .noise import FAMILIES
from .simulation import Rates

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust`, from here -->"
END = "<!-- numbers: to here -->"
SEED = 20
MOST_AT_ONCE = 2000


def main() -> int:
    """Simulate, print, and write the document."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many simulated runs (default: 1)")
    scale = parser.parse_args().scale
    started = time.monotonic()
    lines: list[str] = []
    for line in _document(scale):
        print(line, flush=True)
        lines.append(line)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if scale >= 1:
        _write(lines)
    return 0


def _document(scale: float) -> Iterator[str]:
    def times(number: int) -> int:
        return max(20, round(number * scale))

    runs, trials = times(2000), times(50_000)
    yield (
        f"Seed {SEED}; {runs:,} runs of {simulation.ROWS} rows a line (one standard error of a rate of 5 % is "
        f"{_percent((0.05 * 0.95 / runs) ** 0.5)}), {trials:,} trials a cell of the other tables."
    )
    yield ""
    yield "### False findings, blocks fixed"
    yield ""
    yield from table(
        ("noise", "blocks", "unchanged runs with a call, margin 0", "false among calls", "changed rows found"),
        _fixed(runs),
    )
    yield ""
    yield "### Few blocks: each row's own noise alone, and with what like rows say of it"
    yield ""
    yield from table(
        (
            "noise", "blocks",
            *(f"{what}, {how}" for what in ("unchanged runs with a call, margin 0", "changed rows found")
              for how in ("alone", "with like rows")),
        ),
        _few(runs),
    )  # fmt: skip
    yield ""
    yield "### False findings, `--budget`: four looks, cells dropping out"
    yield ""
    yield from table(
        (
            "noise",
            "unchanged runs with a call, margin 0",
            "the same, no cell drops out",
            "the same, looks not paid for",
            "false among calls",
            "changed rows found",
            "mean blocks a row",
        ),
        _budgets(runs),
    )
    yield ""
    yield "### Power at +5 %, before correction"
    yield ""
    yield from table(("sd of the log difference", "blocks", "margin 0", "margin 2 %", "margin 4 %"), _power(trials))
    yield ""
    yield '### "Same" claimed for a change exactly at the margin (5 %)'
    yield ""
    yield from table(("noise", "5 blocks", "10 blocks", "20 blocks", "`--budget`"), _same(trials, times(1000)))
    yield ""
    yield "### Two unchanged commits of an asv project: `compare --results` on the samples that asv kept"
    yield ""
    yield from table(("processes a commit", "margin", "rows called", "pairs with a call"), _asv_samples(times(200)))
    yield ""
    yield "### The same samples judged by other rules"
    yield ""
    yield from table(
        ("noise", "rule", "false alarms a row", "runs with a false alarm", "+5 % found", "+15 % found"),
        _rivals(times(200)),
    )


def _fixed(runs: int) -> Iterator[tuple[str, ...]]:
    for name, family in FAMILIES.items():
        for blocks in (5, 10, 20):
            unchanged = _averaged(simulation.unchanged_runs, runs, family=family, blocks=blocks)
            mixed = _averaged(simulation.mixed_runs, runs, family=family, blocks=blocks)
            yield name, str(blocks), _percent(unchanged.alarm_rate), _percent(mixed.false_rate), _percent(mixed.found)


def _few(runs: int) -> Iterator[tuple[str, ...]]:
    for name, family in FAMILIES.items():
        for blocks in (4, 5, 8, 11):
            how = {"family": family, "blocks": blocks}
            unchanged = [_averaged(simulation.unchanged_runs, runs, moderate=each, **how) for each in (False, True)]
            mixed = [_averaged(simulation.mixed_runs, runs, moderate=each, **how) for each in (False, True)]
            alarms, found = ([_percent(one.alarm_rate) for one in unchanged], [_percent(one.found) for one in mixed])
            yield name, str(blocks), *alarms, *found
    for share, noisy in ((0.025, 10.0), (0.25, 4.0), (0.5, 3.0)):
        for blocks in (4, 5, 8, 11):
            how = {"blocks": blocks, "noisy": noisy, "share": share}
            unlike = [_averaged(simulation.unlike_runs, runs, moderate=each, **how) for each in (False, True)]
            name = f"{simulation.ROWS * share:.0f} of {simulation.ROWS} rows {noisy:.0f} times as noisy"
            yield name, str(blocks), *(_percent(one.alarm_rate) for one in unlike), "", ""


def _budgets(runs: int) -> Iterator[tuple[str, ...]]:
    budgeted = simulation.budgeted_runs
    for name, family in FAMILIES.items():
        mixed = _averaged(budgeted, runs, family=family, margin=0.05, mixed=True)
        alarms = [
            _averaged(budgeted, runs, family=family, margin=0.0, mixed=False, pay=pay, drop=drop)
            for pay, drop in ((True, True), (True, False), (False, False))
        ]
        yield (
            name,
            *(_percent(rates.alarm_rate) for rates in alarms),
            _percent(mixed.false_rate),
            _percent(mixed.found),
            f"{mixed.blocks:.1f}",
        )


def _power(trials: int) -> Iterator[tuple[str, ...]]:
    for spread in (0.01, 0.02, 0.03, 0.05):
        for blocks in (5, 8, 10, 20):
            found = (
                simulation.power(_random(), trials, spread=spread, blocks=blocks, margin=margin, change=0.05)
                for margin in (0.0, 0.02, 0.04)
            )
            yield f"{100 * spread:.0f} %", str(blocks), *map(_percent, found)


def _same(trials: int, runs: int) -> Iterator[tuple[str, ...]]:
    for name, family in FAMILIES.items():
        fixed = (simulation.same_at_margin(_random(), family, trials, blocks, 0.05) for blocks in (5, 10, 20))
        yield name, *map(_percent, fixed), _percent(simulation.same_at_margin_budgeted(_random(), family, runs, 0.05))


def _asv_samples(pairs: int) -> Iterator[tuple[str, ...]]:
    for processes in (2, 10):
        for margin in (0.0, 0.02, 0.05, 0.10):
            found = simulation.asv_samples(_random(), pairs, processes=processes, margin=margin)
            yield str(processes), f"{100 * margin:.0f} %", _percent(found.found), _percent(found.alarm_rate)


def _rivals(runs: int) -> Iterator[tuple[str, ...]]:
    restless = ("log-normal, machine moves by 5 %", FAMILIES["log-normal"], 0.05)
    for name, family, machine in (*((name, family, 0.01) for name, family in FAMILIES.items()), restless):
        for rival in simulation.rivals(_random(), family, runs, machine=machine):
            numbers = (rival.false, rival.alarm_rate, rival.found_5, rival.found_15)
            yield name, rival.name, *map(_percent, numbers)


def _averaged(simulate: Callable[..., Rates], runs: int, **how: Any) -> Rates:
    """Simulate in parts that fit in memory, each with a seed of its own, and return the mean rates."""
    parts = [min(MOST_AT_ONCE, runs - done) for done in range(0, runs, MOST_AT_ONCE)]
    found = [simulate(np.random.default_rng(SEED + place), runs=part, **how) for place, part in enumerate(parts)]
    weights = np.array(parts) / runs
    return Rates(*(float(weights @ [getattr(one, field.name) for one in found]) for field in fields(Rates)))


def _random() -> np.random.Generator:
    """Return a generator from the same seed for every line, so that a line alone gives the same numbers."""
    return np.random.default_rng(SEED)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _write(lines: list[str]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"{DOCUMENT} lacks the lines {BEGIN!r} and {END!r}, between which the numbers stand")
    DOCUMENT.write_text("\n".join([before + BEGIN, "", *lines, "", END]) + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
