"""What is said of a row over several machine types, at a level of its own.

A type's verdicts stay those of a comparison on it alone. The fleet's statement first asks which rows changed on any
type (Simes (1986), Biometrika 73, within a row; Benjamini-Hochberg over rows), then on which types within the rows that
were called (Benjamini and Bogomolov (2014), "Selective inference on multiple families of hypotheses", J. R. Stat. Soc.
B 76: within R called of m rows at R/m of the level, so that the expected share of false type calls, averaged over
called rows, stays below the level).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.verdict.hypotheses import false_discovery_q
from harness.verdict.rows import Verdict

LEVEL = 0.05
CHANGES = (Verdict.REGRESSION, Verdict.IMPROVEMENT)


@dataclass(frozen=True, slots=True)
class OnType:
    """A row on one type: its own verdict there, its p-value, and whether it got larger.

    `p` is None for what is compared exactly, and where nothing was tested; `is_larger` is None where it is not known.
    """

    verdict: Verdict
    p: float | None
    is_larger: bool | None

    @property
    def evidence(self) -> float:
        """The p-value that counts: an exact change is certain, what was not tested says nothing."""
        return (0.0 if self.verdict in CHANGES else 1.0) if self.p is None else self.p

    @property
    def direction(self) -> Verdict | None:
        """What it would be called."""
        if self.is_larger is None:
            return self.verdict if self.verdict in CHANGES else None
        return Verdict.REGRESSION if self.is_larger else Verdict.IMPROVEMENT


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of a row over all types; `q` is that of "it changed on some type".

    `called` has the types on which it changed, each with its direction; `same` those on which it is shown to be
    unchanged, `undecided` all others.
    """

    q: float
    called: Mapping[str, Verdict]
    same: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The sentence: "regression everywhere", "regression only on a100", "regression on a100, undecided on l4"."""
        if not self.called:
            return Verdict.INCONCLUSIVE.value if self.undecided or not self.same else Verdict.SAME.value
        directions = list(dict.fromkeys(self.called.values()))
        if len(directions) == 1 and not self.undecided:
            where = f"only on {_listed(self.called)}" if self.same else "everywhere"
            return f"{directions[0].value} {where}"
        parts = [
            f"{direction.value} on {_listed([name for name, found in self.called.items() if found is direction])}"
            for direction in directions
        ]
        parts += [f"same on {_listed(self.same)}"] if self.same else []
        parts += [f"undecided on {_listed(self.undecided)}"] if self.undecided else []
        return ", ".join(parts)


def simes(p_values: Sequence[float]) -> float:
    """Return the p-value of "no hypothesis of these is false but by chance" (Simes)."""
    ordered = sorted(p_values)
    return min((len(ordered) * p / place for place, p in enumerate(ordered, start=1)), default=1.0)


def state(rows: Sequence[Mapping[str, OnType]], names: Sequence[str], level: float = LEVEL) -> list[Statement]:
    """Say of each row on which types it changed.

    Args:
        rows: for each row what each type that has it found.
        names: all types: one that does not have a row is undecided there.
        level: accepted false discovery rate, of rows and of types within called rows.
    """
    q_values = false_discovery_q([simes([one.evidence for one in row.values()]) for row in rows])
    called = sum(q <= level for q in q_values)
    share = called / len(rows) if rows else 0.0
    return [_statement(row, names, q, level, share) for row, q in zip(rows, q_values, strict=True)]


def _statement(row: Mapping[str, OnType], names: Sequence[str], q: float, level: float, share: float) -> Statement:
    called: dict[str, Verdict] = {}
    if q <= level:
        within = false_discovery_q([one.evidence for one in row.values()])
        for (name, one), own in zip(row.items(), within, strict=True):
            if own <= level * share and one.direction is not None:
                called[name] = one.direction
    same = tuple(name for name, one in row.items() if name not in called and one.verdict is Verdict.SAME)
    return Statement(q, called, same, tuple(name for name in names if name not in called and name not in same))


def _listed(names: Sequence[str] | Mapping[str, Verdict]) -> str:
    return " and ".join(names)
