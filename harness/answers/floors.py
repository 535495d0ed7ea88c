"""How far an operation is from what the hardware allows: "12x of a raw read", from the run's own floors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.answers.measured import Measured
from harness.metrics import split_batch
from harness.models.families import names, operations
from harness.worker.floor import MATRIX_SIZES

FLOOR_OF = {
    "save_first_s": "write",
    "save_later_s": "write",
    "save_durable_s": "write and fsync",
    "load_cold_s": "read, cold",
    "load_warm_s": "read, warm",
    "load_again_s": "read, warm",
    "load_tenth_s": "read, warm",
}
"""Metric: the floor that moves the same bytes. A save does not wait for the disk, so its floor does not either."""

DEVICE_FLOOR = "device_copy_floor_s"
"""Metric that a worker measures with these very bytes: every load to a GPU copies them there."""

SMALLEST_BYTES = 1 << 20
"""Artifacts below this have no multiple: their floor is the latency of a few calls, which a rate does not tell."""


CALL = "infer_p50_s"
MATRIX_FLOOR = "matrix product"
"""The floor of a steady call: the model's multiplications at the rate of the release's own matrix product."""

MATRIX_METRIC = "matrix_floor_s"
"""Metric that a worker measures on either device: the product of two matrices of MATRIX_SIZES."""


@dataclass(frozen=True, slots=True)
class Multiple:
    """One operation of a subject beside its floor."""

    measured: Measured
    floor: str
    floor_s: float  # of moving the artifact's bytes, or of the model's multiplications, at the floor's rate
    times: float


def multiples(measured: Sequence[Measured], floors: Iterable[Mapping[str, Any]]) -> tuple[Multiple, ...]:
    """Return, in the order given, what moves an artifact, and every steady call, beside its floor.

    Args:
        measured: of one subject or of several; each one's `artifact_bytes` give its bytes.
        floors: as run.json holds them (`Floor.as_record`); those without a rate are left out.
    """
    rates = {floor["name"]: floor["rate_per_s"] for floor in floors if floor.get("rate_per_s")}
    sizes = {_artifact(one): one.value for one in measured if one.metric == "artifact_bytes" and one.value}
    copies = {_artifact(one): one.value for one in measured if one.metric == DEVICE_FLOOR}
    products = {(one.subject, one.device): one.value for one in measured if one.metric == MATRIX_METRIC}
    found = []
    for one in measured:
        where = _artifact(one)
        if one.metric == CALL:
            its_floors = _floor_of_call(one, products.get((one.subject, one.device)))
        else:
            its_floors = _floors_of_bytes(one, rates, sizes.get(where, 0.0), copies.get(where))
        for floor, floor_s in its_floors:
            if one.value is not None:
                found.append(Multiple(one, floor, floor_s, one.value / floor_s))
    return tuple(found)


def _floors_of_bytes(
    one: Measured, rates: Mapping[str, float], size_bytes: float, copy_s: float | None
) -> Iterator[tuple[str, float]]:
    """Yield the name of each floor that an operation on an artifact has, and its seconds."""
    floor = FLOOR_OF.get(one.metric)
    if floor is None or size_bytes < SMALLEST_BYTES:
        return
    if floor in rates:
        yield floor, size_bytes / rates[floor]
    if copy_s and floor.startswith("read"):
        yield "copy to the device", copy_s


def _floor_of_call(one: Measured, product_s: float | None) -> Iterator[tuple[str, float]]:
    """Yield the floor of a steady call of one of our models, and its seconds, by what a matrix product takes."""
    if product_s and one.model in names():
        share = operations(one.model) * (split_batch(one.variant)[1] or 1) / (2 * MATRIX_SIZES[one.device] ** 3)
        yield MATRIX_FLOOR, share * product_s


def _artifact(one: Measured) -> tuple[str, str, str, str]:
    """Return which artifact something was measured of: subject, device, model and writer."""
    return one.subject, one.device, one.model, one.variant.partition("/")[0]
