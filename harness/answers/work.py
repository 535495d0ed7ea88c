"""What both sides' counted work says of a comparison's rows, beside what the clock says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.store.work import Counted, CountedSubject, count_key
from harness.verdict.rows import Row, Verdict
from harness.verdict.work import Difference, difference, least_calls

JUDGED = ("import", "save_first", "save_later", "load_cold", "load_warm", "load_again")
"""Operations whose time is mostly Python's (docs/methodology.md, "Work"): their work is judged."""
SHOWN = ("first_call",)
"""Those whose work is shown: three to five hundredths of their time are Python's."""

_UNIT = "_s"
_OTHERS = ("graph_operations", "functions", "modules_imported")
_OTHER_PYTHON = "other-python"
_NOT_JUDGED = "not-judged: Python is a small part of this operation's time"
_RANGES = "ranges: the counts of the processes vary too much to tell"

Key = tuple[str, str, str, str]
Pair = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class ModuleWork:
    """The Python calls of one module, 0 where a side has none."""

    module: str
    old: int
    new: int

    @property
    def change(self) -> int:
        """How many more the new side has."""
        return self.new - self.old


@dataclass(frozen=True, slots=True)
class Work:
    """The counted work of one row: Python calls of the middle process, and how the sides differ.

    `says` tells which of clock and counter settled the row, `difference` is None where the sides could not be held
    against each other or the operation's work is only shown; `reason` then says why. `by_module` has the modules that
    differ, the largest change first; `others` what else was counted, as (old, new); `fails` whether the row's work is
    what the comparison's exit code is for: it grew beyond the row's margin, and the row's time is not judged.
    """

    says: Literal["both", "clock", "counter"] | None
    old: int | None
    new: int | None
    by_module: tuple[ModuleWork, ...] = ()
    difference: Difference | None = None
    reason: str | None = None
    others: Mapping[str, Pair] = field(default_factory=dict)
    fails: bool = False

    @property
    def ratio(self) -> float | None:
        """New / old; None where a side has no calls."""
        return self.new / self.old if self.old and self.new else None


def works_of(
    rows: Iterable[Row],
    old: CountedSubject | None,
    new: CountedSubject | None,
    margin: float,
    untimed: Collection[Key] = (),
) -> dict[Key, Work]:
    """Return, by row key, the work of every row that has counts on either side.

    Args:
        rows: judged by the clock.
        old: the old side's counts; None where there are none.
        new: the new side's.
        margin: a change in work up to this fraction does not count.
        untimed: keys of the rows whose times the test plan does not judge.
    """
    if old is None and new is None:
        return {}
    found = {}
    for row in rows:
        operation = row.metric.removesuffix(_UNIT)
        if operation not in (*JUDGED, *SHOWN) or not row.metric.endswith(_UNIT):
            continue
        key = count_key(operation, row.device, row.model, row.variant)
        sides = [None if side is None else side.counts.get(key) for side in (old, new)]
        if any(sides):
            found[row.key] = _work(row, operation, (old, new), sides[0], sides[1], margin, row.key in untimed)
    return found


def _work(
    row: Row,
    operation: str,
    subjects: tuple[CountedSubject | None, CountedSubject | None],
    old: Counted | None,
    new: Counted | None,
    margin: float,
    untimed: bool,
) -> Work:
    clock = row.judged and row.verdict is not Verdict.INCONCLUSIVE
    work = Work(
        says="clock" if clock else None,
        old=None if old is None else old.middle,
        new=None if new is None else new.middle,
    )
    why = _why_not(subjects, old, new)
    if why is not None:
        return replace(work, reason=why)
    assert old is not None
    assert new is not None
    others = {name: (getattr(old, name), getattr(new, name)) for name in _OTHERS}
    for name in dict.fromkeys((*(old.io or {}), *(new.io or {}))):
        others[name] = ((old.io or {}).get(name), (new.io or {}).get(name))
    work = replace(work, by_module=_by_module(old, new), others=others)
    if operation in SHOWN:
        return replace(work, reason=_NOT_JUDGED)
    least = least_calls(row.old)
    found = difference(old.calls, new.calls, margin, least)
    settled = found is not Difference.OPEN
    says: Literal["both", "clock", "counter"] | None = ("both" if clock else "counter") if settled else work.says
    fails = untimed and difference(old.calls, new.calls, row.margin, least) is Difference.MORE
    return replace(work, says=says, difference=found, reason=None if settled else _RANGES, fails=fails)


def _why_not(
    subjects: tuple[CountedSubject | None, CountedSubject | None], old: Counted | None, new: Counted | None
) -> str | None:
    """Return why two sides cannot be held against each other, None where they can."""
    for which, one in (("old", old), ("new", new)):
        if one is None:
            return f"not-counted: on the {which} side"
        if one.reason is not None:
            return one.reason
    pythons = [side and side.python for side in subjects]
    if None in pythons or pythons[0] != pythons[1]:
        # What an interpreter counts as a call, and what its own library does, differs.
        return f"{_OTHER_PYTHON}: {' and '.join(python or 'unknown' for python in pythons)}"
    return None


def _by_module(old: Counted, new: Counted) -> tuple[ModuleWork, ...]:
    modules = dict.fromkeys((*old.by_module, *new.by_module))
    every = (ModuleWork(name, old.by_module.get(name, 0), new.by_module.get(name, 0)) for name in modules)
    return tuple(sorted((one for one in every if one.change), key=lambda one: (-abs(one.change), one.module)))


def package_of(module: str) -> str:
    """Return what a module is told by where many are: its first name, of TensorFlow and Keras the first two."""
    first, *rest = module.split(".")
    return ".".join([first, *rest[:1]]) if first in ("tensorflow", "keras", "tf_keras") else first


def packages(by_module: Iterable[ModuleWork]) -> tuple[ModuleWork, ...]:
    """Return the same by package, the largest change first; a package of which one module is nearly all has its name.

    Nearly all: four fifths of the package's change.
    """
    groups: dict[str, list[ModuleWork]] = {}
    for one in by_module:
        groups.setdefault(package_of(one.module), []).append(one)
    found = []
    for name, members in groups.items():
        whole = ModuleWork(name, sum(one.old for one in members), sum(one.new for one in members))
        largest = max(members, key=lambda one: abs(one.change))
        alone = len(members) > 1 and whole.change and 0.8 <= largest.change / whole.change <= 1.25
        found.append(replace(whole, module=largest.module) if alone or len(members) == 1 else whole)
    return tuple(sorted((one for one in found if one.change), key=lambda one: (-abs(one.change), one.module)))
