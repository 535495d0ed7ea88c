"""Looking at the machine around one repeat: its taints, its evidence, and the time that looking took."""

from __future__ import annotations

from harness.machine.gpu.presence import gpu_presence
from harness.machine.guards import Guards, gpu_evidence, taints
from harness.machine.load import far_enough
from harness.measure.host_phases import host_phase
from harness.measure.worker_process import Message


class Watch:
    """Looks at the machine when it is made, and once more when the repeat's result is there."""

    def __init__(self, guards: Guards, device: str) -> None:
        """Look for the first time; `device` is what the repeat runs on."""
        self._guards, self._device = guards, device
        self._phases: list[Message] = []
        with host_phase(self._phases, "sample the host"):
            self._before = guards.look(device)

    def added_to(self, result: Message) -> Message:
        """Return the result with the taints, the evidence and the phases of this watch."""
        with host_phase(self._phases, "sample the host"):
            after = self._guards.look(self._device)
        result = self._with_lost_gpu(result)
        since = None if far_enough(self._before.host, after.host) else self._guards.stretch_before(after)
        return {
            **result,
            "taints": [*result["taints"], *taints(self._before, after, since)],
            "evidence": {**result["evidence"], **gpu_evidence(self._before, after)},
            "phases": [*result["phases"], *self._phases],
        }

    def _with_lost_gpu(self, result: Message) -> Message:
        """Return a failure where TensorFlow found no GPU since it broke in the meantime; a release may lack a library.

        The first would otherwise pass for the second, which is n/a and does not fail anything.
        """
        found_none = result["status"] == "unsupported" and result["reason"].startswith("no-gpu: TensorFlow")
        if self._device != "gpu" or not found_none or not (gpu := gpu_presence()).is_broken:
            return result
        return dict(result, status="failed", reason=f"gpu-broken: {gpu.text}")
