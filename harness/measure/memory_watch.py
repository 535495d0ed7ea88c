"""The host's side of the memory pass on a GPU: device memory sampled over the cycles, energy over a window of calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.machine.gpu import memory
from harness.machine.gpu.energy import EnergyMark, EnergyPerCall, energy_per_call, mark_energy
from harness.machine.gpu.nvml import Nvml, Reading
from harness.machine.gpu.state import GpuState, read_state
from harness.machine.gpu.tracker import MemoryTrack, MemoryTracker
from harness.measure.worker_process import Message


class MemoryWatch:
    """Answers the holds of a memory repeat, and adds what it saw to the result."""

    def __init__(self, uuid: str | None, missing: str | None = None) -> None:
        """Watch the GPU with this UUID, which nothing uses yet; without one, `missing` says why values are absent."""
        self._uuid = uuid
        self._missing = missing or "no-gpu"
        self._baseline = memory.baseline(uuid).value if uuid else None
        self._asked = False
        self._tracker: MemoryTracker | None = None
        self._track: MemoryTrack | None = None
        self._begin: tuple[EnergyMark, GpuState] | None = None
        self._states: dict[str, Any] = {}
        self._energy: EnergyPerCall | None = None
        self._batch: int | None = None

    def read(self, message: Message) -> None:
        """Do what the worker holds still for: begin or end sampling, read the energy counter."""
        self._asked = True
        if self._uuid is None:
            return
        match message["hold"]:
            case "cycles-begin":
                self._tracker = MemoryTracker(self._uuid, root=message["pid"], baseline=self._baseline)
                self._tracker.__enter__()
            case "cycles-end":
                self.close()
            case "energy-begin":
                self._begin = self._marked(self._uuid)
            case "energy-end" if self._begin is not None:
                mark, state = self._marked(self._uuid)
                self._energy = energy_per_call(self._begin[0], mark, message["calls"])
                self._batch = message["batch"]
                self._states = {"before": self._begin[1].as_record(), "after": state.as_record()}

    def close(self) -> None:
        """End sampling, also where the repeat ended before it said so."""
        if self._tracker is not None:
            self._tracker.__exit__(None, None, None)
            self._track, self._tracker = self._tracker.track, None

    def added_to(self, result: Message) -> Message:
        """Return the result with the sampled peak and the energy of a call, or the reasons why there are none."""
        self.close()
        if not self._asked or result["status"] != "ok":
            return result
        metrics, absent, evidence = list(result["metrics"]), list(result["absent"]), dict(result["evidence"])
        if self._uuid is None:
            for name in ("device_footprint_peak_bytes", "infer_energy_j"):
                _add(name, Reading[Any](None, self._missing), None, metrics, absent)
        if self._track is not None:
            _add("device_footprint_peak_bytes", self._track.process_peak_bytes, None, metrics, absent)
            evidence["device_track"] = self._track.as_record()
        if self._energy is not None:
            _add("infer_energy_j", self._energy.energy_j, self._batch, metrics, absent)
            evidence["energy"] = {**asdict(self._energy), **self._states}
        return dict(result, metrics=metrics, absent=absent, evidence=evidence)

    @staticmethod
    def _marked(uuid: str) -> tuple[EnergyMark, GpuState]:
        with Nvml() as nvml:
            handle = nvml.device(uuid)
            state = read_state(nvml, handle.value)
            return mark_energy(nvml, handle.value), state


def _add(name: str, reading: Reading[Any], batch: int | None, metrics: list[Message], absent: list[Message]) -> None:
    place = {} if batch is None else {"batch": batch}
    if reading.value is None:
        absent.append({"metric": name, "reason": reading.reason, **place})
    else:
        metrics.append({"metric": name, "value": float(reading.value), **place})
