"""From samples to the growth of every operation along the ladders of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.answers.sources import Reading, Runs, Source, Telling, blocks_of, first_telling, samples_of
from harness.metrics import METRICS, Kind
from harness.models.families import names
from harness.store.records import Problem
from harness.verdict.scaling import Growth, growth

BYTES = "artifact bytes"
LAYERS = "layers"
_LADDERS = {"mlp": BYTES, "conv": BYTES, "transformer": BYTES, "deep": LAYERS}


@dataclass(frozen=True, slots=True)
class Rung:
    """One model of a ladder: its size (bytes or layers) and what it costs in seconds."""

    model: str
    size: float
    cost_s: float


_Place = tuple[str, str, str, str, str]  # subject, device, metric, family, variant
_Rungs = dict[str, tuple[float, float]]  # by model: its size and what it costs


@dataclass(frozen=True, slots=True)
class Course:
    """One metric of one subject along one family's ladder, in one run; `growth` is None where rungs are missing."""

    subject: str
    device: str
    metric: str
    family: str
    variant: str
    run: str
    ladder: str  # what grows: artifact bytes or layers
    models: tuple[str, ...]
    missing: tuple[str, ...]  # rungs between these that have no untainted sample
    growth: Growth | None
    rungs: tuple[Rung, ...] = ()  # by size


def ask_scaling(source: Source, subjects: Sequence[str] = ()) -> Telling[Course]:
    """Return the courses that the results hold of these subjects; of all where none is named.

    Raises:
        UsageError: there is no such subject, or no such run.
    """

    def read(runs: Runs, problems: list[Problem]) -> Reading[Course]:
        samples = samples_of(source, runs, subjects, problems)
        found = courses(samples, [run.run for run in runs])
        fitted = [one for one in found if one.growth is not None]
        return Reading(found, blocks_of(samples, {one.run for one in fitted or found}))

    return first_telling(source, read, lambda found: any(one.growth is not None for one in found))


def courses(samples: pd.DataFrame, runs: Sequence[str]) -> list[Course]:
    """Return every judged time along the ladders, the median over a run's blocks at each rung.

    A course is of one run, since another's rungs were measured under other conditions: of the newest that has enough
    rungs; where none has, of the newest that has any.

    Args:
        samples: as `harness.store.frame.samples_frame` returns them. Sizes on the ladder of bytes are the artifact's
            own, as measured; those on the ladder of layers stand in the models' names.
        runs: their runs' ids, oldest first.
    """
    found: dict[_Place, Course] = {}
    ladders = _ladders(samples)
    for run in reversed(runs):
        for place, rungs in ladders.get(run, {}).items():
            if place not in found or found[place].growth is None:
                course = _course(place, run, rungs)
                if place not in found or course.growth is not None:
                    found[place] = course
    return sorted(found.values(), key=lambda one: (one.subject, one.device, one.family, one.variant, one.metric))


def _ladders(samples: pd.DataFrame) -> dict[str, dict[_Place, _Rungs]]:
    """Return the rungs of each course, by run."""
    key = ["run", "subject", "device", "model", "variant", "metric"]
    medians = samples.groupby(key)["value"].median().reset_index().itertuples(index=False)
    values = {
        (str(r), str(s), str(d), str(m), str(v), str(name)): float(value) for r, s, d, m, v, name, value in medians
    }
    sizes: dict[tuple[str, str, str], dict[str, float]] = {}  # by run, subject and model: by writer
    for (run, subject, _, model, writer, metric), value in values.items():
        if metric == "artifact_bytes":
            sizes.setdefault((run, subject, model), {})[writer] = value
    found: dict[str, dict[_Place, _Rungs]] = {}
    for (run, subject, device, model, variant, metric), value in values.items():
        family, _, rung = model.partition("-")
        known = METRICS.get(metric)
        if known is None or known.kind is not Kind.TIME or not known.judged or family not in _LADDERS:
            continue
        size = float(rung) if _LADDERS[family] == LAYERS else _size(sizes.get((run, subject, model), {}), variant)
        if size is not None:
            place = (subject, device, metric, family, variant)
            found.setdefault(run, {}).setdefault(place, {})[model] = (size, value)
    return found


def _size(by_writer: Mapping[str, float], variant: str) -> float | None:
    """Return the bytes of the artifact that a variant is about: its writer's, any where it names none."""
    writer = variant.partition("/")[0].partition(" ")[0]
    return next((size for name, size in by_writer.items() if writer in ("-", name)), None)


def _course(place: _Place, run: str, rungs: _Rungs) -> Course:
    ordered = dict(sorted(rungs.items(), key=lambda rung: rung[1]))
    fitted = growth([size for size, _ in ordered.values()], [cost for _, cost in ordered.values()])
    measured = tuple(Rung(model, size, cost) for model, (size, cost) in ordered.items())
    return Course(*place, run, _LADDERS[place[3]], tuple(ordered), _missing(place[3], rungs), fitted, measured)


def _missing(family: str, rungs: _Rungs) -> tuple[str, ...]:
    """Return the models of a family's ladder between the first and the last rung that are not among the rungs."""
    ladder = [model for model in names() if model.partition("-")[0] == family]
    places = [place for place, model in enumerate(ladder) if model in rungs]
    if not places:
        return ()
    return tuple(model for model in ladder[places[0] : places[-1]] if model not in rungs)
