"""Ratios that need no second release: one measured quantity over another of the same release and block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.answers.sources import Reading, Runs, Source, Telling, blocks_of, first_telling, samples_of
from harness.metrics import variant_order
from harness.store.records import Problem
from harness.verdict.intervals import paired

FEWEST_BLOCKS = 3

_ON_BOTH_DEVICES = {
    "save_first_s": "first save",
    "save_later_s": "later save",
    "load_cold_s": "cold load",
    "load_warm_s": "warm load",
    "first_call_s": "first call",
    "infer_p50_s": "steady call",
}
"""What a user asks of a GPU: does it save, load or answer faster than the CPU beside it?"""

_Place = tuple[str, str, str, str, str]  # subject, device, model, variant, metric
_Blocks = dict[tuple[str, int], float]  # by run and block


@dataclass(frozen=True, slots=True)
class Ratio:
    """`what` of one place over `over`, the geometric mean over blocks; the 95 % interval from three blocks on."""

    what: str
    over: str
    subject: str
    device: str
    model: str
    variant: str
    ratio: float
    low: float | None
    high: float | None
    blocks: int
    runs: tuple[str, ...]  # of these blocks
    difference_s: float | None  # the mean difference, where both are times of one call


def ask_ratios(source: Source, subjects: Sequence[str] = ()) -> Telling[Ratio]:
    """Return the ratios that the results hold of these subjects; of all where none is named.

    Raises:
        UsageError: there is no such subject, or no such run.
    """

    def read(runs: Runs, problems: list[Problem]) -> Reading[Ratio]:
        samples = samples_of(source, runs, subjects, problems)
        found = ratios(samples)
        return Reading(found, blocks_of(samples, {run for one in found for run in one.runs}))

    return first_telling(source, read)


def ratios(samples: pd.DataFrame) -> list[Ratio]:
    """Return every ratio that the samples allow, each paired within its blocks.

    Args:
        samples: as `harness.store.frame.samples_frame` returns them.
    """
    values: dict[_Place, _Blocks] = {}
    columns = ["subject", "device", "model", "variant", "metric", "run", "block", "value"]
    for subject, device, model, variant, metric, run, block, value in samples[columns].itertuples(index=False):
        place = (str(subject), str(device), str(model), str(variant), str(metric))
        values.setdefault(place, {})[str(run), int(block)] = float(value)
    found = []
    for place in sorted(values, key=lambda place: (*place[:3], variant_order(place[3]), place[4])):
        for what, over, other in _pairs(place, values):
            ratio = _ratio(what, over, place, values[place], values[other])
            if ratio is not None:
                found.append(ratio)
    return found


def _pairs(place: _Place, values: dict[_Place, _Blocks]) -> Iterator[tuple[str, str, _Place]]:
    """Yield what a place is divided by: the words for both, and the other place."""
    subject, device, model, variant, metric = place

    def at(other_variant: str, other_metric: str) -> _Place:
        return subject, device, model, other_variant, other_metric

    artifact, _, rest = variant.partition(" ")
    writer, _, reader = artifact.partition("/")
    candidates = []
    if metric == "call_p50_s":
        way, _, batch = rest.rpartition(" ")
        candidates.append((f"way {way}", "signature", at(f"{artifact} {batch}", "infer_p50_s")))
        if way == "loaded-function":
            # The same kind of object on both sides: a signature costs some microseconds that no load adds.
            candidates.append(("loaded", "original", at(f"{artifact} original {batch}", metric)))
    if metric == "call_first_s" and rest == "xla":
        candidates.append(("first call, compiled", "not compiled", at(f"{artifact} function", metric)))
    if metric == "first_call_s":
        candidates.append(("first call", "steady call", at(f"{variant} b1", "infer_p50_s")))
    if metric == "load_again_s":
        candidates.append(("second load", "first load", at(variant, "load_warm_s")))
    if metric == "load_tenth_s":
        candidates.append(("tenth load", "first load", at(variant, "load_warm_s")))
    if metric == "load_cold_s":
        candidates.append(("cold load", "warm load", at(variant, "load_warm_s")))
    if metric == "save_later_s":
        candidates.append(("later save", "first save", at(variant, "save_first_s")))
    if metric == "save_durable_s":
        candidates.append(("durable save", "later save", at(variant, "save_later_s")))
    if metric in ("save_first_s", "artifact_bytes") and writer != "tf-module":
        what = "save" if metric == "save_first_s" else "bytes"
        candidates.append((f"{what} by {writer}", f"{what} by tf-module", at("tf-module", metric)))
    if metric == "load_warm_s" and reader != "tf-load":
        candidates.append((f"load by {reader}", "load by tf-load", at(f"{writer}/tf-load", metric)))
    if metric == "load_warm_s" and writer != "tf-module" and reader == "tf-load":
        candidates.append((f"load of {writer}", "load of tf-module", at("tf-module/tf-load", metric)))
    if device == "gpu" and metric in _ON_BOTH_DEVICES:
        candidates.append(
            (f"{_ON_BOTH_DEVICES[metric]} on the GPU", "on the CPU", (subject, "cpu", model, variant, metric))
        )
    yield from (candidate for candidate in candidates if candidate[2] in values)


def _ratio(what: str, over: str, place: _Place, upper: _Blocks, lower: _Blocks) -> Ratio | None:
    common = sorted(upper.keys() & lower.keys())
    common = [block for block in common if upper[block] > 0 and lower[block] > 0]
    pairs = [(upper[block], lower[block]) for block in common]
    if not pairs:
        return None
    above, below = (np.asarray(side) for side in zip(*pairs, strict=True))
    logs = np.log(above / below)
    low = high = None
    if len(pairs) >= FEWEST_BLOCKS:
        low, high = (math.exp(end) for end in paired(logs).interval())
    subject, device, model, variant, metric = place
    difference_s = float((above - below).mean()) if metric in ("call_p50_s", "call_first_s") else None
    runs = tuple(dict.fromkeys(run for run, _ in common))
    return Ratio(
        what,
        over,
        subject,
        device,
        model,
        variant,
        math.exp(float(logs.mean())),
        low,
        high,
        len(pairs),
        runs,
        difference_s,
    )
