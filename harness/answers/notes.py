"""Facts that qualify an answer: read them before its numbers. `harness.report.notes` has the words for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that the run itself wrote down: what this machine cannot measure, what disturbed it."""

    text: str


@dataclass(frozen=True, slots=True)
class Unpaired:
    """The two sides share no block."""


@dataclass(frozen=True, slots=True)
class OwnInterpreters:
    """These sides are interpreters of their own, whose dependencies are not locked."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SidesDiffer:
    """The sides differ in more than TensorFlow: `what` is Keras, lock policy, wheel, Python, compiler, … or profile."""

    what: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class LocksDiffer:
    """The dependencies of the sides differ: names and versions that only one has, and names with both versions."""

    old: str
    new: str
    added: tuple[tuple[str, str], ...]
    removed: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class OwnWheel:
    """A side is a wheel of somebody's own: the file's name, the package and the SHA-256."""

    name: str
    label: str
    package: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Looked:
    """The run was judged while it was measured, after these numbers of blocks."""

    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlocksAdded:
    """The run was judged before, after this many blocks, and others were added."""

    before: int


@dataclass(frozen=True, slots=True)
class UnsettledCalls:
    """Windows of calls that never became steady: how many of how many, and the places where it happened most."""

    unsettled: int
    windows: int
    places: tuple[tuple[str, int], ...]  # "mlp-xs b1 on cpu" and how often


@dataclass(frozen=True, slots=True)
class CostlyBarrier:
    """The barrier after a call, with nothing to wait for, takes more than a hundredth of the call."""

    share: float  # of the call's time, where it is largest
    barrier_s: float
    place: str


@dataclass(frozen=True, slots=True)
class DisturbedFloors:
    """The floors were measured beside other work, of which this taint tells."""

    taint: str


Note = (
    Said
    | Unpaired
    | OwnInterpreters
    | SidesDiffer
    | LocksDiffer
    | OwnWheel
    | Looked
    | BlocksAdded
    | UnsettledCalls
    | CostlyBarrier
    | DisturbedFloors
)
