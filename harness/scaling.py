"""From samples to the growth of every operation along the ladders of models."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.metrics import METRICS, Kind
from harness.verdict.scaling import Growth, growth

BYTES = "artifact bytes"
LAYERS = "layers"
_LADDERS = {"mlp": BYTES, "conv": BYTES, "transformer": BYTES, "deep": LAYERS}


@dataclass(frozen=True, slots=True)
class Course:
    """One metric of one subject along one family's ladder; `growth` is None where rungs are missing."""

    subject: str
    device: str
    metric: str
    family: str
    variant: str
    ladder: str  # what grows: artifact bytes or layers
    models: tuple[str, ...]
    growth: Growth | None


def courses(samples: pd.DataFrame) -> list[Course]:
    """Return every judged time along the ladders, the median over all blocks at each rung.

    Args:
        samples: as `harness.store.frame.samples_frame` returns them. Sizes on the ladder of bytes are the artifact's
            own, as measured; those on the ladder of layers stand in the models' names.
    """
    key = ["subject", "device", "model", "variant", "metric"]
    rows = samples.groupby(key)["value"].median().reset_index().itertuples(index=False)
    values = {(str(s), str(d), str(m), str(v), str(name)): float(value) for s, d, m, v, name, value in rows}
    sizes = {
        (subject, model, writer): value
        for (subject, _, model, writer, metric), value in values.items()
        if metric == "artifact_bytes"
    }
    found: dict[tuple[str, str, str, str, str], dict[str, tuple[float, float]]] = {}
    for (subject, device, model, variant, metric), value in values.items():
        family, _, rung = model.partition("-")
        known = METRICS.get(metric)
        if known is None or known.kind is not Kind.TIME or not known.judged or family not in _LADDERS:
            continue
        place = (subject, device, metric, family, variant)
        rungs = found.setdefault(place, {})
        if _LADDERS[family] == LAYERS:
            rungs[model] = (float(rung), value)
        else:
            writer = variant.partition("/")[0].partition(" ")[0]
            of_writer = [size for key, size in sizes.items() if key[:2] == (subject, model) and writer in ("-", key[2])]
            if of_writer:
                rungs[model] = (of_writer[0], value)
    found = {place: dict(sorted(rungs.items(), key=lambda rung: rung[1])) for place, rungs in found.items()}
    return [
        Course(
            *place,
            _LADDERS[place[3]],
            tuple(rungs),
            growth([size for size, _ in rungs.values()], [cost for _, cost in rungs.values()]),
        )
        for place, rungs in found.items()
        if rungs
    ]
