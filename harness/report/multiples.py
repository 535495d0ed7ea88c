"""How far an operation is from what the hardware allows: "12x of a raw read", from the run's own floors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.verdict.rows import Row

FLOOR_OF = {
    "save_first_s": "write",
    "save_later_s": "write",
    "save_durable_s": "write and fsync",
    "load_cold_s": "read, cold",
    "load_warm_s": "read, warm",
    "load_again_s": "read, warm",
}
"""Metric: the floor that moves the same bytes. A save does not wait for the disk, so its floor does not either."""

DEVICE_FLOOR = "device_copy_floor_s"
"""Metric that a worker measures with these very bytes: every load to a GPU copies them there."""

SMALLEST_BYTES = 1 << 20
"""Artifacts below this have no multiple: their floor is the latency of a few calls, which a rate does not tell."""


@dataclass(frozen=True, slots=True)
class Multiple:
    """One operation of the new side beside its floor."""

    row: Row
    floor: str
    floor_s: float  # the time that moving the artifact's bytes takes at the floor's rate
    times: float


def multiples(rows: Sequence[Row], floors: Iterable[Mapping[str, Any]]) -> tuple[Multiple, ...]:
    """Return, in the rows' order, every row that moves an artifact beside the time its bytes take at least.

    Args:
        rows: of a comparison; those of `artifact_bytes` give the bytes.
        floors: as run.json holds them (`Floor.as_record`); those without a rate are left out.
    """
    rates = {floor["name"]: floor["rate_per_s"] for floor in floors if floor.get("rate_per_s")}
    sizes = {_artifact(row): row.new for row in rows if row.metric == "artifact_bytes" and row.new}
    copies = {_artifact(row): row.new for row in rows if row.metric == DEVICE_FLOOR}
    found = []
    for row in rows:
        floor, size = FLOOR_OF.get(row.metric), sizes.get(_artifact(row), 0.0)
        if floor is None or row.new is None or size < SMALLEST_BYTES:
            continue
        if floor in rates:
            found.append(Multiple(row, floor, size / rates[floor], row.new * rates[floor] / size))
        copy_s = copies.get(_artifact(row))
        if copy_s and floor.startswith("read"):
            found.append(Multiple(row, "copy to the device", copy_s, row.new / copy_s))
    return tuple(found)


def multiple_text(found: Multiple) -> str:
    """Return "12x of a raw read, warm": two digits are what a floor of some tries on a shared machine is good for."""
    return f"{_two_digits(found.times)}x of a raw {found.floor}"


def _two_digits(value: float) -> str:
    """Return a positive number with two significant digits and no exponent: 0.93, 4.0, 45, 1,200."""
    rounded = float(f"{value:.1e}")
    places = max(0, 1 - math.floor(math.log10(rounded))) if rounded else 0
    return f"{rounded:,.{places}f}"


def _artifact(row: Row) -> tuple[str, str, str]:
    """Return which artifact a row is about: device, model and writer."""
    return row.device, row.model, row.variant.partition("/")[0]
