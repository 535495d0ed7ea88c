"""What docs/trust.md says of the real runs: tables from their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .planted_runs import PRESET, Planned
from .plants import PLANTS
from .scores import RULES, THIS, RowScore, RunScore

ALLOWED = 1
"""Unplanted findings that twenty planted runs, and twenty of a release against itself, may have."""


def document(scores: Sequence[RunScore], margin: float, table: Callable[..., list[str]]) -> Iterator[str]:
    """Yield the lines of the document: totals, plants by rule, false alarms by rule, every run.

    Args:
        scores: the runs, in any order.
        margin: the preset's, a fraction.
        table: makes a Markdown table of a header and rows.
    """
    planted = sorted((score for score in scores if score.planted), key=lambda score: score.number)
    same = sorted((score for score in scores if not score.planted), key=lambda score: score.number)
    minutes = sum(score.wall_s for score in scores) / 60
    yield (
        f"{len(planted)} comparisons with a plant and {len(same)} of a release with itself, {minutes:.0f} minutes in "
        f"all, on {', '.join(sorted({score.machine for score in scores}))}; preset `{PRESET.name}`, margin "
        f"{100 * margin:.0f} %."
    )
    yield ""
    yield from table(
        ("comparisons", "runs", "plant found", "unplanted findings", "at most", "rows judged", "undecided"),
        (_total(name, runs) for name, runs in (("with a plant", planted), ("with itself", same)) if runs),
    )
    absent = [plant.name for plant in PLANTS if not any(score.planted == plant.name for score in planted)]
    if planted and absent:
        yield ""
        yield f"Not measured here: {', '.join(_why_absent(name) for name in absent)}."
    if planted:
        yield ""
        yield "### Who finds what: runs in which every planted metric was called"
        yield ""
        yield from table(("plant", "runs", *RULES), _by_plant(planted))
    yield ""
    yield "### Who raises false alarms: unplanted rows that were called, and runs that have any"
    yield ""
    yield from table(
        ("rule", *(f"{what}, {of}" for of in ("with a plant", "with itself") for what in ("rows", "runs"))),
        (_alarms(rule, planted, same) for rule in RULES),
    )
    yield ""
    yield "### Every run"
    yield ""
    yield from table(
        (
            "", "planted", "blocks", "found (rows called)", "weakest planted row called", "planted, not called",
            "unplanted", "undecided", "tainted values", "seconds",
        ),
        (_run(score) for score in (*planted, *same)),
    )  # fmt: skip


def _total(name: str, runs: Sequence[RunScore]) -> tuple[object, ...]:
    found = f"{sum(run.is_found() for run in runs)} of {len(runs)}" if runs[0].planted else "-"
    rows = sum(len(run.rows) + run.equal for run in runs)
    unplanted, undecided = sum(len(run.unplanted()) for run in runs), sum(len(run.undecided()) for run in runs)
    return name, len(runs), found, unplanted, ALLOWED, rows, undecided


def _why_absent(name: str) -> str:
    (plant,) = (plant for plant in PLANTS if plant.name == name)
    return f"`{name}` (n/a: no-gpu)" if "cpu" not in plant.devices else f"`{name}` (no run of it yet)"


def _by_plant(planted: Sequence[RunScore]) -> Iterator[tuple[object, ...]]:
    for name in dict.fromkeys(score.planted for score in planted):
        runs = [score for score in planted if score.planted == name]
        yield f"`{name}`", len(runs), *(_found(rule, runs) for rule in RULES)


def _found(rule: str, runs: Sequence[RunScore]) -> str:
    asked = [run for run in runs if run.can_be_asked(rule)]
    return f"{sum(run.is_found(rule) for run in asked)} of {len(asked)}" if asked else "n/a: no samples"


def _alarms(rule: str, *groups: Sequence[RunScore]) -> tuple[object, ...]:
    cells: list[object] = [rule]
    for runs in groups:
        false = [sum(row.is_false(rule) for row in run.rows) for run in runs]
        cells += [sum(false), f"{sum(map(bool, false))} of {len(runs)}"]
    return tuple(cells)


def _run(score: RunScore) -> tuple[object, ...]:
    metrics = score.metrics()
    counts = {name: sum(row.is_found() for row in rows) for name, rows in metrics.items()}
    found = ", ".join(f"{name} {count} of {len(metrics[name])}" for name, count in counts.items() if count)
    called = [row for rows in metrics.values() for row in rows if row.is_found()]
    # The least sure of those called; exact ones have no q.
    weakest = max(called, key=lambda row: row.q or 0.0, default=None)
    missed = [row for rows in metrics.values() for row in rows if not row.is_found()]
    false = [row for rows in score.unplanted().values() for row in rows]
    return (
        score.number,
        f"`{score.planted}`" if score.planted else "nothing",
        f"{score.blocks} of {Planned(score.number, score.planted).blocks}",
        found or ("NONE" if score.planted else "-"),
        _told(weakest) if weakest else "-",
        "; ".join(f"{_place(row)} ({row.reason})" for row in missed) or "-",
        "; ".join(_told(row) for row in false) or "-",
        len(score.undecided()),
        f"{score.tainted}{' (blocks measured again)' if score.disturbed else ''}",
        f"{score.wall_s:.0f}",
    )


def _place(row: RowScore) -> str:
    return " ".join(part for part in (row.metric, row.model) if part != "-")


def _told(row: RowScore) -> str:
    """Return a row as "load_warm_s mlp-s +9.8 % (+7.1 .. +12.6), q 0.002"."""
    if row.ratio is None:
        return f"{_place(row)} {row.reason}"
    told = f"{_place(row)} {_percent(row.ratio)} %"
    if row.low is not None and row.high is not None:
        told += f" ({_percent(row.low)} .. {_percent(row.high)})"
    return told + (", exact" if row.q is None else f", q {row.q:.2g}")


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f}"


def missed_promises(scores: Sequence[RunScore]) -> list[str]:
    """Return in words what of the promises these runs break; nothing where they hold."""
    broken = [
        f"run {score.number} of {score.planted}: not found"
        for score in scores
        if score.planted and not (score.is_found() and score.exit_code == 1)
    ]
    for name, runs in (
        ("with a plant", [score for score in scores if score.planted]),
        ("of a release with itself", [score for score in scores if not score.planted]),
    ):
        false = sum(len(score.unplanted(THIS)) for score in runs)
        if false > ALLOWED:
            broken.append(f"{false} unplanted findings in {len(runs)} comparisons {name}; at most {ALLOWED}")
    return broken
