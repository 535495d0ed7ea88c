"""What `--dry-run` says of a plan: its test cases and blocks, the time it takes, the change that it can detect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from harness.measure.passes import PASSES
from harness.measure.presets import Cell, Group
from harness.planning.forecast import ASSUMED_SPREAD, FEWEST_TIMED_BLOCKS, Basis, Detectable, Forecast, Known
from harness.planning.pythons import python_sentence
from harness.releases.environments import Environment
from harness.report.calibration import split_text
from harness.report.document import Document, Item, Items, Paragraph, Part, Report
from harness.report.numbers import count, how_long, percent
from harness.verdict.differences import ESTIMATOR


def report_forecast(found: Forecast) -> Report:
    """Return the plan in words."""
    return Report("dry-run", Document(None, tuple(_parts(found))), _data(found), notes=found.absent)


def _data(found: Forecast) -> dict[str, Any]:
    """Return the plan as plain data; seconds, and changes as ratios new / old."""
    return {
        "preset": found.preset.as_dict(),
        "subjects": [
            {
                "name": name,
                "wheel": one.wheel,
                "policy": one.policy,
                "python": str(one.python),
                "installed": one.installed,
            }
            for name, one in found.subjects
        ],
        "python": None if found.python is None else found.python.minor,
        "locks_to_make": found.locks,
        "releases_to_install": found.installs,
        "blocks": found.blocks,
        "block_s": found.block_s,
        "block_s_known_by": _known(found.known),
        "looks": found.looks,
        "estimator": ESTIMATOR,
        "split": None if found.split is None else asdict(found.split),
        "detectable": None
        if found.detectable is None
        else {**asdict(found.detectable), "known": _known(found.detectable.known)},
        "problem": None if found.problem is None else str(found.problem),
    }


def _known(known: Known) -> dict[str, Any]:
    return {**asdict(known), "basis": known.basis.value}


def split_sentence(found: Forecast) -> str:
    """Return what the time limit is good for, and how that is known."""
    return f"Within the time limit, {split_text(found.split)} (from the calibration of run {found.calibration_run})."


def _parts(found: Forecast) -> Iterator[Part]:
    if found.problem is not None:
        yield Paragraph(f"{found.problem}.")
    names = ", ".join(name for name, _ in found.subjects)
    sources = (f"{name}: {_had_from(environment)}" for name, environment in dict(found.subjects).items())
    yield Items((Item(f"Subjects: {names}; test plan {found.preset.name}: {found.preset.title}.", tuple(sources)),))
    if found.python is not None:
        yield Paragraph(f"{python_sentence(found.python, len(found.subjects))}.")
    if found.locks:
        yield Paragraph(f"First pins the requirements of {count(found.locks, 'release')} (asks the package index).")
    if found.installs:
        yield Paragraph(f"First installs {count(found.installs, 'release')}, about a minute each.")
    for group in found.preset.groups:
        yield Items((Item(_group(group), tuple(str(cell) for cell in map(_cell, group.cells))),))
    for reason in found.absent:
        yield Paragraph(f"{reason}.")
    in_all = "" if found.blocks == 1 else f" each, {how_long(found.blocks * found.block_s)} in total"
    yield Paragraph(f"Blocks: {found.blocks}, about {how_long(found.block_s)}{in_all} ({_known_seconds(found.known)}).")
    if found.looks is not None:
        after = ", ".join(map(str, found.looks)) or "none"
        yield Paragraph(
            f"Results are tested after these numbers of blocks: {after}. Test cases that have a verdict then are not "
            "measured any longer; the time goes to the others."
        )
    if found.split is not None:
        yield Paragraph(split_sentence(found))
    yield Paragraph(_detectable_text(found.detectable, found.blocks))


def _had_from(environment: Environment) -> str:
    """Return where a subject's TensorFlow comes from: "cpu wheel, policy today"."""
    if environment.wheel is None:
        return f"the interpreter {environment.python}, whose dependencies are not pinned"
    return f"{environment.wheel} wheel, policy {environment.policy}"


def _group(group: Group) -> str:
    first = "the first block" if group.blocks == 1 else f"the first {group.blocks} blocks"
    of = "every block" if group.blocks is None else first
    judged = ", whose times are not compared" if group.exact_only else ""
    repeats = ((group.repeats.get(name, 0), each) for name, each in PASSES.items())
    counts = (count(number, each.title, each.titles or each.title) for number, each in repeats if number)
    of_each = "for this model" if len(group.cells) == 1 else "for each of these models"
    return f"In {of}, {of_each}{judged}: {', '.join(counts)}"


def _cell(cell: Cell) -> str:
    return f"{cell.model} on {cell.device}, saved with {cell.writer}, loaded with {cell.reader}"


def _known_seconds(known: Known) -> str:
    """Return from what expected seconds come."""
    match known.basis:
        case Basis.CALIBRATION:
            return f"from the calibration of run {known.run}"
        case Basis.RUN:
            return f"as in run {known.run}"
        case Basis.REPEATS:
            measured = f"as measurements took in {count(known.runs, 'earlier run')} on this machine"
            return f"{measured}; a rough estimate for {', '.join(known.unknown)}" if known.unknown else measured
        case Basis.GUESS:
            return "a rough estimate: nothing like it has been measured on this machine yet"


def _detectable_text(found: Detectable | None, blocks: int) -> str:
    """Return the smallest change in time that the plan would report."""
    if found is None:
        return (
            f"No change in time can be detected: a verdict takes {FEWEST_TIMED_BLOCKS} blocks, this plan has {blocks}."
        )
    many = f", {_change(found.among)} for one change among {found.rows} comparisons" if found.rows > 1 else ""
    noise = {
        Basis.CALIBRATION: f"noise from the calibration of run {found.known.run}",
        Basis.RUN: f"noise from the spread between blocks of run {found.known.run}",
    }.get(found.known.basis, f"assuming a spread of {percent(ASSUMED_SPREAD)}")
    return (
        f"Minimum detectable change in time: {_change(found.alone)} for a single comparison{many} (80 % power, margin "
        f"of {percent(found.margin)}; {noise})."
    )


def _change(ratio: float | None) -> str:
    return "more than tenfold" if ratio is None else f"{ratio - 1:.0%}".replace("%", " %")
