"""What a plan would measure: cells, blocks, the seconds expected, and the change that could be seen."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import Enum

from harness.measure.narrowing import narrow
from harness.measure.presets import Preset
from harness.metrics import Kind
from harness.planning.calibrated import Calibration, calibration_of, noise_rows, split_of_budget
from harness.planning.durations import learn
from harness.planning.plans import chosen_preset, described_subjects, require_room
from harness.planning.request import Request
from harness.releases.environments import Environment
from harness.releases.python_choice import Choice
from harness.store.frame import ROW_KEY, repeats_frame
from harness.store.machines import this_machine
from harness.store.pairs import pairs_frame
from harness.store.records import Problem
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.calibration import Split
from harness.verdict.differences import block_differences
from harness.verdict.looks import PLANNED, SHARES
from harness.verdict.margins import margin_table
from harness.verdict.power import planned_detectable_ratio

ASSUMED_SPREAD = 0.05
"""Standard deviation of a block's log difference where nothing was measured here yet."""
FEWEST_TIMED_BLOCKS = 4


class Basis(Enum):
    """What an expectation is made from."""

    CALIBRATION = "calibration"
    RUN = "run"  # of the same plan
    REPEATS = "repeats"  # of other plans, by what each pass took
    GUESS = "guess"  # nothing like it was measured here yet


@dataclass(frozen=True, slots=True)
class Known:
    """How an expectation is known: from which run, or how many; `unknown` are passes that had to be guessed."""

    basis: Basis
    run: str | None = None
    runs: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest change in time that the plan would call with 80 % power, as new / old; None: over tenfold.

    In a row of typical noise: judged alone, and as the only change among `rows`. `known` says where the noise is from.
    """

    alone: float | None
    among: float | None
    rows: int
    margin: float
    known: Known


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan would measure. `looks` are the blocks after which it would be judged, if it may stop early.

    `absent` says what cannot be measured on this machine, `problem` why a calibration could not be read, `split` how a
    budget is spent by the calibration; `detectable` is None where the plan has too few blocks for any verdict on time.
    """

    preset: Preset
    subjects: tuple[tuple[str, Environment], ...]
    python: Choice | None  # of all of them, where one of them has an environment of its own
    absent: tuple[str, ...]
    blocks: int
    block_s: float
    known: Known
    looks: tuple[int, ...] | None
    split: Split | None
    calibration_run: str | None
    detectable: Detectable | None
    problem: Problem | None

    @property
    def locks(self) -> int:
        """How many locks have to be made first."""
        return len({environment.name for _, environment in self.subjects if environment.is_unlocked})

    @property
    def installs(self) -> int:
        """How many environments have to be made first."""
        return len({environment.name for _, environment in self.subjects if not environment.installed})


def forecast(request: Request, *, with_looks: bool = False) -> Forecast:
    """Return what a request would measure; measures and installs nothing.

    Args:
        request: what is asked for.
        with_looks: whether a budget is spent by looks after which settled cells stop.

    Raises:
        UsageError: an option or a release's name is wrong, or most of the plan has no room on this machine.
    """
    preset, absent = chosen_preset(request)
    require_room(request, preset)
    looked = with_looks and request.budget_s is not None
    found = calibration_of(request, preset)
    calibration = None if isinstance(found, Problem) else found
    split = split_of_budget(request, calibration) if looked else None
    if split is not None and split.repeats is not None:
        preset = narrow(preset, repeats=split.repeats)
    choice, subjects = described_subjects(request)
    earlier = _run_to_learn_from(request, preset)
    block_s, known = _block_seconds(request, preset, len(subjects), earlier, calibration)
    if split is not None:
        block_s = split.seconds / split.blocks
    blocks = preset.blocks if request.budget_s is None else max(1, int(request.budget_s / block_s))
    if looked:
        blocks = min(blocks, PLANNED[-1])
    margin = margin_table(preset.time_margin, preset.margins, request.margins).by_kind[Kind.TIME]
    spreads, learnt = _spreads_from(earlier, calibration, None if split is None else split.repeats)
    return Forecast(
        preset=preset,
        subjects=tuple(subjects),
        python=choice,
        absent=absent,
        blocks=blocks,
        block_s=block_s,
        known=known,
        looks=tuple(look for look in PLANNED if look <= blocks) if looked else None,
        split=split,
        calibration_run=None if calibration is None else str(calibration["run"]),
        detectable=_detectable(margin, blocks, spreads, learnt, SHARES[-1] if looked else 1.0),
        problem=found if isinstance(found, Problem) else None,
    )


def _run_to_learn_from(request: Request, preset: Preset) -> RunDirectory | None:
    """Return this project's newest run of the same plan, made here, that has at least two blocks."""
    wanted = preset.digest()
    for run in reversed(runs_of(request.root)[0]):
        same_plan = run.facts.get("fingerprint_parts", {}).get("preset") == wanted
        if same_plan and len(_durations(run)) > 1:
            return run
    return None


def _durations(run: RunDirectory) -> list[float]:
    """Return the seconds of the planned blocks; one that only measured again what was disturbed is none."""
    blocks = (record for record in run.records()[0] if record["type"] == "block" and record["complete"])
    return [record["duration_s"] for record in blocks if record.get("stands_for") is None]


def _block_seconds(
    request: Request, preset: Preset, subjects: int, earlier: RunDirectory | None, calibration: Calibration | None
) -> tuple[float, Known]:
    """Return the seconds that a block of the plan takes on average, and how that is known."""
    if calibration is not None:
        return float(calibration["block_s"]) / 2 * subjects, Known(Basis.CALIBRATION, str(calibration["run"]))
    if earlier is not None:
        per_subject = statistics.median(_durations(earlier)) / len(earlier.facts["subjects"])
        return per_subject * subjects, Known(Basis.RUN, earlier.run)
    found = learn(runs_of(request.root, this_machine(request.root, request.machine).name)[0], preset)
    numbers = range(max(1, preset.blocks))
    seconds = statistics.fmean(found.block_s(preset, number, request.isolation) for number in numbers)
    unknown = tuple(found.unknown(preset))
    known = Known(Basis.REPEATS, runs=len(found.runs), unknown=unknown) if found.factors else Known(Basis.GUESS)
    return subjects * seconds, known


def _spreads_from(
    earlier: RunDirectory | None, calibration: Calibration | None, repeats: int | None
) -> tuple[list[float], Known]:
    """Return standard deviations of blocks' log differences, a row each, and where they come from.

    `repeats` are those that the plan has in place of the calibration's, None where it has the same.
    """
    if calibration is not None:
        rows = noise_rows(calibration)
        spreads = [row.floor if repeats is None else row.spread(repeats) for row in rows if row.floor > 0]
        if spreads:
            return spreads, Known(Basis.CALIBRATION, str(calibration["run"]))
    elif earlier is not None and (spreads := _spreads(earlier)):
        return spreads, Known(Basis.RUN, earlier.run)
    return [ASSUMED_SPREAD], Known(Basis.GUESS)


def _detectable(margin: float, blocks: int, spreads: list[float], known: Known, share: float) -> Detectable | None:
    if blocks < FEWEST_TIMED_BLOCKS:
        return None
    typical = statistics.median(spreads)
    alone, among = (planned_detectable_ratio(typical, blocks, margin, rows, share) for rows in (1, len(spreads)))
    return Detectable(alone, among, len(spreads), margin, known)


def _spreads(run: RunDirectory) -> list[float]:
    """Return, for each row in seconds, the standard deviation of a block's difference of two subjects."""
    names = [subject["name"] for subject in run.facts["subjects"]][:2]
    repeats = repeats_frame([run.path])
    timed = repeats[repeats["unit"] == "seconds"]
    if len(names) < 2 or timed.empty:
        return []
    pairs = pairs_frame(timed, *names)
    whole = pairs[pairs["whole"] & (pairs["old"] > 0) & (pairs["new"] > 0)]
    rows = (
        block_differences(members[["block", "old", "new"]].itertuples(index=False, name=None))
        for _, members in whole.groupby(ROW_KEY)
    )
    spreads = (statistics.stdev(found.values()) for found in rows if len(found) > 1)
    return [spread for spread in spreads if spread > 0]
