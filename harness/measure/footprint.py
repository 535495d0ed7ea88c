"""The device footprint of a measuring process that holds still while the host looks."""

from __future__ import annotations

from harness.machine import gpu
from harness.measure.worker_process import Message


class Footprint:
    """Reads the device footprint of a process that holds still for it, through NVML."""

    def __init__(self, uuid: str | None) -> None:
        """Take the baseline before the process touches the device."""
        self._uuid = uuid
        self._baseline = gpu.device_used_bytes(uuid)[0] if uuid else None
        self._value: tuple[int | None, str | None] | None = None

    def read(self, message: Message) -> None:
        """Read the footprint of the process that sent a `hold`."""
        if self._uuid:
            self._value = gpu.footprint_bytes({message["pid"]}, self._uuid, baseline_bytes=self._baseline)

    def added_to(self, result: Message) -> Message:
        """Return the result with the footprint among its metrics, or the reason why there is none."""
        if self._value is None or result["status"] != "ok":
            return result
        value, reason = self._value
        if value is None:
            absent = {"metric": "device_footprint_bytes", "reason": reason}
            return dict(result, absent=[*result["absent"], absent])
        metric = {"metric": "device_footprint_bytes", "value": float(value)}
        evidence = dict(result["evidence"], footprint_source=reason or "NVML process list")
        return dict(result, metrics=[*result["metrics"], metric], evidence=evidence)
