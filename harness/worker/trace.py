"""What TensorFlow's profiler saw: when kernels ran on a device, from the trace (XSpace) that it writes.

A trace holds planes (the host, each GPU), a plane lines (threads of the host, streams of a GPU), a line events with a
start and a duration in picoseconds; names stand in the plane. Format: tsl/profiler/protobuf/xplane.proto.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Any, Iterator, List, Tuple

Stretch = Tuple[int, int]
"""Start and end of one event, in picoseconds of the trace's clock."""

HOST_PLANE = "/host:CPU"
DEVICE_PLANE = "/device:GPU:"
STREAM_LINE = "Stream #"
"""Lines of a GPU's plane that hold what ran; others are derived from them by viewers."""

_COPY = re.compile(r"Mem(cpy|set)", re.IGNORECASE)
_OP = re.compile(r"[^:]+:[A-Za-z_]\w*")
"""An operation's kernel on the host, "block_0/dense/MatMul:MatMul"; the runtime's own events have "::" or ": "."""


class Kernels:
    """What ran on a device: kernels, and copies beside them."""

    def __init__(self, kernels: List[Stretch], copies: List[Stretch]) -> None:
        self.kernels = kernels
        self.copies = copies

    @property
    def kernel_s(self) -> float:
        """Seconds of all kernels added up, those that ran side by side each for itself."""
        return sum(end - start for start, end in self.kernels) / 1e12

    @property
    def busy_s(self) -> float:
        """Seconds in which at least one kernel or copy ran."""
        return covered(self.kernels + self.copies) / 1e12


def kernels_in(space: Any, device: str) -> Kernels:
    """Return what ran on "cpu" or "gpu" according to a trace.

    On the CPU a kernel is an operation of the graph that the executor takes for expensive when it runs it: cheap ones
    are not traced at the profiler's default level, the only one that all releases know. Nothing is copied there.
    """
    kernels: List[Stretch] = []
    copies: List[Stretch] = []
    for plane in space.planes:
        if plane.name == HOST_PLANE if device == "cpu" else plane.name.startswith(DEVICE_PLANE):
            for name, stretch in _events(plane, "" if device == "cpu" else STREAM_LINE):
                if device == "cpu":
                    if _OP.fullmatch(name):
                        kernels.append(stretch)
                else:
                    (copies if _COPY.match(name) else kernels).append(stretch)
    return Kernels(kernels, copies)


def _events(plane: Any, beginning: str) -> Iterator[Tuple[str, Stretch]]:
    """Yield name and stretch of every event in the plane's lines whose name begins so."""
    names = {number: entry.name for number, entry in plane.event_metadata.items()}
    for line in plane.lines:
        if line.name.startswith(beginning):
            for event in line.events:
                start = line.timestamp_ns * 1000 + event.offset_ps
                yield names.get(event.metadata_id, ""), (start, start + event.duration_ps)


def covered(stretches: List[Stretch]) -> int:
    """Return the picoseconds that lie within at least one stretch."""
    total, reached = 0, 0
    for start, end in sorted(stretches):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def read_trace(folder: str) -> Any:
    """Return the trace that the profiler wrote below a folder.

    Raises:
        ImportError: this release does not ship the format's definition.
        OSError: there is no trace.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    found = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
    if not found:
        raise OSError("the profiler wrote no trace")
    space = xplane_pb2.XSpace()
    with open(found[0], "rb") as file:
        space.ParseFromString(file.read())
    return space
