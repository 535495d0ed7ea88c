"""Looking at the machine around one repeat: its taints, its evidence, and the time that looking took."""

from __future__ import annotations

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
        since = None if far_enough(self._before.host, after.host) else self._guards.stretch_before(after)
        return {
            **result,
            "taints": [*result["taints"], *taints(self._before, after, since)],
            "evidence": {**result["evidence"], **gpu_evidence(self._before, after)},
            "phases": [*result["phases"], *self._phases],
        }
