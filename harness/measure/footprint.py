"""The device footprint of a measuring process that holds still while the host looks."""

from __future__ import annotations

from harness.machine.gpu import memory
from harness.machine.gpu.nvml import Reading
from harness.measure.worker_process import Message


class Footprint:
    """Reads the device footprint of a process that holds still for it, through NVML."""

    def __init__(self, uuid: str | None, missing: str | None = None) -> None:
        """Take the baseline before the process touches the device; `missing` says why there is no UUID."""
        self._uuid = uuid
        self._baseline = memory.baseline(uuid).value if uuid else None
        self._missing = missing or "no-gpu"
        self._value: Reading[int] | None = None
        self._accounted: Reading[int] = Reading(None)

    def read(self, message: Message) -> None:
        """Read the footprint of the process that sent a `hold`, and the driver's own peak where it keeps one."""
        if self._uuid:
            self._value = memory.footprint({message["pid"]}, self._uuid, baseline=self._baseline)
            self._accounted = memory.accounted_peak(message["pid"], self._uuid)
        else:
            self._value = Reading(None, self._missing)

    def close(self) -> None:
        """Do nothing: no reading goes on beyond its moment."""

    def added_to(self, result: Message) -> Message:
        """Return the result with the footprint among its metrics, or the reason why there is none."""
        if self._value is None or result["status"] != "ok":
            return result
        value, reason = self._value.value, self._value.reason
        evidence = dict(result["evidence"], accounted_peak_bytes=self._accounted.value)
        if self._accounted.value is None:
            evidence["accounted_peak_absent"] = self._accounted.reason
        if value is None:
            absent = {"metric": "device_footprint_bytes", "reason": reason}
            return dict(result, absent=[*result["absent"], absent], evidence=evidence)
        metric = {"metric": "device_footprint_bytes", "value": float(value)}
        evidence["footprint_source"] = reason or "NVML process list"
        return dict(result, metrics=[*result["metrics"], metric], evidence=evidence)
