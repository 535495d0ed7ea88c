"""(h): what a measurement of somebody else's SavedModel costs beside the same measurement of the harness's own model.

The stranger is the harness's own artifact, given by its path: what the two differ in is how the harness treats them.
"""

from __future__ import annotations

import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .accounting import CLOCK_SLACK_S

MEASURED = ("load cold", "load warm", "infer")
"""Operations that both have: an artifact of somebody else is not saved by what built it."""

_SAVE = """
import sys

root, folder, *names = sys.argv[1:]
sys.path.insert(0, root)
import tensorflow as tf

from harness.formats import tf_module
from harness.models import families

for name in names:
    tf_module.write(tf, tf_module.prepare(tf, families.build(tf, name)), f"{folder}/{name}")
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Median seconds a measurement outside the clocks of its samples, of one model and operation, built and given."""

    model: str
    operation: str
    built_s: float
    given_s: float
    count: int  # of measurements of each

    @property
    def ratio(self) -> float:
        """Given over built."""
        return self.given_s / self.built_s


def save_models(root: Path, python: Path, folder: Path, names: Sequence[str]) -> None:
    """Have a release save models of the harness as SavedModel directories in `folder`, under their names.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, "-c", _SAVE, root, folder, *names], cwd=folder, check=True, capture_output=True)


def own_seconds(record: Mapping[str, Any]) -> float:
    """Return the seconds of a repeat that are neither inside the clock of a sample nor calls before a window."""
    outside = sum(phase["wall_s"] for phase in record["phases"] if phase["kind"] in ("sample", "warm-up"))
    return max(float(record["wall_s"]) - outside, CLOCK_SLACK_S)


def pairs(records: Iterable[Mapping[str, Any]]) -> list[Pair]:
    """Return both costs of each model and operation; a given model is called after the one that was built, and `@`.

    Raises:
        RuntimeError: a model was measured in one of the two ways alone.
    """
    seconds: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for record in records:
        if record["type"] != "repeat" or record["cell"] is None:
            continue
        cache = f" {record['page_cache']}" if record["operation"] == "load" else ""
        operation = f"{record['operation']}{cache}"
        if operation in MEASURED:
            model, at, _ = record["cell"]["model"].partition("@")
            seconds[model, operation, bool(at)].append(own_seconds(record))
    places = sorted({(model, operation) for model, operation, _ in seconds})
    alone = [place for place in places if not (seconds[(*place, False)] and seconds[(*place, True)])]
    if alone or not places:
        raise RuntimeError(f"measured in one way alone: {alone or 'everything'}")
    return [
        Pair(
            *place,
            statistics.median(seconds[(*place, False)]),
            statistics.median(seconds[(*place, True)]),
            min(len(seconds[(*place, False)]), len(seconds[(*place, True)])),
        )
        for place in places
    ]
