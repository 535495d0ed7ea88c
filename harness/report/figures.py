"""What a figure draws: its data in the figure's own terms, without words, colours or sizes.

`harness/report/formats/html/page.js` has a function for each of these, named by `kind`. To add one: a dataclass here, a
function there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a place of an axis, with its 95 % interval where it has one; `told` is the evidence in a sentence."""

    place: int
    value: float
    low: float | None
    high: float | None
    told: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series of points, oldest first."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something was found in a line of the course: at `place`, for better or worse."""

    line: str
    place: int
    is_worse: bool
    told: str


@dataclass(frozen=True, slots=True)
class Courses:
    """Values over places (releases, commits, nights), in `unit`; drawn as changes since each line's first value."""

    kind: ClassVar[str] = "courses"
    places: tuple[str, ...]
    unit: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a stack: the lengths of its parts, in the order of the stack's parts; None is not measured."""

    group: str
    name: str
    lengths: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """Bars of parts that add up, in `unit`, grouped; `names` are those of the bars, in their order in each group."""

    kind: ClassVar[str] = "stack"
    parts: tuple[str, ...]
    names: tuple[str, ...]
    unit: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """One row of levels: a value for each name, None where there is none; `told` is the evidence of each."""

    row: str
    values: tuple[float | None, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Levels:
    """Rows of dots on one axis, in `unit`; a logarithmic axis where `is_log`. `ends` are those that figures share."""

    kind: ClassVar[str] = "levels"
    names: tuple[str, ...]
    unit: str
    rows: tuple[Level, ...]
    is_log: bool = False
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What a block measured of both sides, in the unit of its figure; None where a side has no undisturbed value."""

    block: int
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """The blocks behind a comparison: each one's old and new value, and the difference with its interval and margin.

    `ratio`, `low` and `high` are new / old, `margin` a fraction.
    """

    kind: ClassVar[str] = "pairs"
    old: str
    new: str
    unit: str
    pairs: tuple[Pair, ...]
    ratio: float | None
    low: float | None
    high: float | None
    margin: float
    tone: str


@dataclass(frozen=True, slots=True)
class Size:
    """One model of a growth: its size, what it costs and its name."""

    name: str
    size: float
    cost: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Costs over sizes on two logarithmic axes, with the power law that was fitted."""

    kind: ClassVar[str] = "growth"
    size_unit: str
    unit: str
    sizes: tuple[Size, ...]
    exponent: float
    constant: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bytes in use over seconds, as steps, with the stretches of time that have a name."""

    kind: ClassVar[str] = "timeline"
    steps: tuple[tuple[float, float], ...]
    stretches: tuple[tuple[str, float, float], ...]  # name, from, to


Drawing = Courses | Stack | Levels | Pairs | Growth | Timeline


def plain(drawing: Drawing) -> dict[str, Any]:
    """Return a drawing as plain data, with its `kind`; points of a course without names, which there may be many of."""
    data: dict[str, Any] = {"kind": drawing.kind, **asdict(drawing)}
    if isinstance(drawing, Courses):
        data["lines"] = [
            {"name": line.name, "points": [[one.place, one.value, one.low, one.high, one.told] for one in line.points]}
            for line in drawing.lines
        ]
    return data
