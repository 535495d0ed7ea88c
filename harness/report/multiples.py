"""How far an operation is from what the hardware allows: "12x of a raw read", from the run's own floors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.remarks import Measured

FLOOR_OF = {
    "save_first_s": "write",
    "save_later_s": "write",
    "save_durable_s": "write and fsync",
    "load_cold_s": "read, cold",
    "load_warm_s": "read, warm",
    "load_again_s": "read, warm",
}
"""Metric: the floor that moves the same bytes. A save does not wait for the disk, so its floor does not either."""

HEADING = "How far from what this hardware allows, moving the same bytes"

DEVICE_FLOOR = "device_copy_floor_s"
"""Metric that a worker measures with these very bytes: every load to a GPU copies them there."""

SMALLEST_BYTES = 1 << 20
"""Artifacts below this have no multiple: their floor is the latency of a few calls, which a rate does not tell."""


@dataclass(frozen=True, slots=True)
class Multiple:
    """One operation of a subject beside its floor."""

    measured: Measured
    floor: str
    floor_s: float  # the time that moving the artifact's bytes takes at the floor's rate
    times: float


def multiples(measured: Sequence[Measured], floors: Iterable[Mapping[str, Any]]) -> tuple[Multiple, ...]:
    """Return, in the order given, what moves an artifact beside the time its bytes take at least.

    Args:
        measured: of one subject or of several; each one's `artifact_bytes` give its bytes.
        floors: as run.json holds them (`Floor.as_record`); those without a rate are left out.
    """
    rates = {floor["name"]: floor["rate_per_s"] for floor in floors if floor.get("rate_per_s")}
    sizes = {_artifact(one): one.value for one in measured if one.metric == "artifact_bytes" and one.value}
    copies = {_artifact(one): one.value for one in measured if one.metric == DEVICE_FLOOR}
    found = []
    for one in measured:
        floor, size = FLOOR_OF.get(one.metric), sizes.get(_artifact(one), 0.0)
        if floor is None or one.value is None or size < SMALLEST_BYTES:
            continue
        if floor in rates:
            found.append(Multiple(one, floor, size / rates[floor], one.value * rates[floor] / size))
        copy_s = copies.get(_artifact(one))
        if copy_s and floor.startswith("read"):
            found.append(Multiple(one, "copy to the device", copy_s, one.value / copy_s))
    return tuple(found)


def multiple_text(found: Multiple) -> str:
    """Return "12x of a raw read, warm"."""
    return f"{times_text(found)} of a raw {found.floor}"


def times_text(found: Multiple) -> str:
    """Return "12x": two digits are what a floor of some tries on a shared machine is good for."""
    return f"{_two_digits(found.times)}x"


def _two_digits(value: float) -> str:
    """Return a positive number with two significant digits and no exponent: 0.93, 4.0, 45, 1,200."""
    rounded = float(f"{value:.1e}")
    places = max(0, 1 - math.floor(math.log10(rounded))) if rounded else 0
    return f"{rounded:,.{places}f}"


def _artifact(one: Measured) -> tuple[str, str, str, str]:
    """Return which artifact something was measured of: subject, device, model and writer."""
    return one.subject, one.device, one.model, one.variant.partition("/")[0]
