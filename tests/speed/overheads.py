"""What measuring adds to what is measured: the clock's own reading, and how steady the allocator's counter is.

Pure: records in, figures out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Window:
    """One window of steady calls: what was timed, and what its clock and its barrier cost by themselves."""

    model: str
    batch: int
    call_s: float
    calls_per_reading: int
    clock_s: float  # of a reading
    barrier_s: float  # with nothing left to wait for

    @property
    def clock_share(self) -> float:
        """The share of a reported call that is reading the clock."""
        return self.clock_s / (self.call_s * self.calls_per_reading)

    @property
    def barrier_share(self) -> float:
        """The share of a reported call that an empty barrier takes."""
        return self.barrier_s / self.call_s


def windows(records: Iterable[Mapping[str, Any]]) -> list[Window]:
    """Return the windows of steady signature calls of a run, the shortest call first."""
    found: list[Window] = []
    for record in records:
        if record.get("operation") != "infer" or record.get("status") != "ok":
            continue
        for entry in record["metrics"]:
            told = record["evidence"].get(f"infer_b{entry.get('batch')}")
            if entry["metric"] == "infer_p50_s" and told:
                costs = (told["calls_per_reading"], told["clock_s"], told["barrier_s"])
                found.append(Window(record["cell"]["model"], entry["batch"], entry["value"], *costs))
    return sorted(found, key=lambda window: window.call_s)


def device_need_spread(records: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the largest share by which a row's device need differs over a run of one release; None without any."""
    values: dict[tuple[Any, ...], list[float]] = {}
    for place, value in _needs(records):
        values.setdefault(place, []).append(value)
    spreads = [max(row) / min(row) - 1 for row in values.values() if min(row) > 0]
    return max(spreads) if spreads else None


def _needs(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[tuple[Any, ...], float]]:
    for record in records:
        for entry in record.get("metrics") or ():
            if str(entry["metric"]).endswith("_device_need_bytes"):
                cell = record["cell"]
                yield (entry["metric"], cell["model"], record.get("page_cache"), entry.get("batch")), entry["value"]
