"""What a night means for what earlier nights knew: which findings are new, open or gone, and where "last good" is.

A night measures a new build against baselines: each row's last good build, and the newest stable release. A regression
that a night calls is measured once more in fresh blocks the same night, and only what is called again is confirmed.

- One finding a row at a time. It is told once: new in the night that confirms it, open after that, gone in the night
  that shows the row to be as good as its baseline. What became clearly worse than what was told is a finding anew.
- Last good moves on row by row: to the new build where the night shows nothing against it. It stays where a regression
  is confirmed or was called and not settled, and where the row leans to worse without a verdict. A decline too slow for
  any night shows against the stable release, which does not move.
- An accepted finding is not told again before its date; then it is, if it is still there.
- A night whose new build differs from itself (the A/A arm) says nothing: every state stays as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.verdict.confirmation import RowKey, Standing
from harness.verdict.rows import Method, Row, Verdict


class Role(StrEnum):
    """Why a baseline is one."""

    LAST_GOOD = "last-good"
    STABLE = "stable"
    ASKED = "asked"  # by --against


class State(StrEnum):
    """What is known of a finding over nights."""

    NEW = "new"
    OPEN = "open"
    GONE = "gone"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a night says of a row against one baseline; `standing` is what the second measurement says of a call."""

    baseline: str
    row: Row
    standing: Standing = Standing.UNCONFIRMED

    @property
    def is_call(self) -> bool:
        """Whether the first measurement called a regression that the second did not refute."""
        return self.row.verdict is Verdict.REGRESSION and self.standing is not Standing.REFUTED

    @property
    def is_confirmed(self) -> bool:
        """Whether both measurements called a regression."""
        return self.row.verdict is Verdict.REGRESSION and self.standing is Standing.CONFIRMED

    @property
    def is_good(self) -> bool:
        """Whether nothing is held against the row: shown to be the same or better, or refuted, or no lean to worse."""
        if self.row.verdict is Verdict.REGRESSION:
            return self.standing is Standing.REFUTED
        if self.row.verdict is Verdict.INCONCLUSIVE:
            return self.row.low is not None and self.row.low <= 1.0
        return True


@dataclass(frozen=True, slots=True)
class Finding:
    """A confirmed regression of one row, as it is told from night to night.

    `ratio`, `low`, `high` (new / old) and `q` are the newest that were measured; `told_high` is the upper bound when it
    was last told. `first_seen` and `last_seen` are nights. `measured`: the last night measured this row against this
    baseline.
    """

    ident: str
    key: RowKey
    baseline: str
    build: str  # in which it was first seen
    state: State
    ratio: float | None
    low: float | None
    high: float | None
    q: float | None
    told_high: float | None
    first_seen: str
    last_seen: str
    measured: bool = True

    @property
    def is_told(self) -> bool:
        """Whether somebody hears of it tonight: it is new, or gone."""
        return self.state in (State.NEW, State.GONE)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known after a night: the findings that are not gone, and each row's last good build by name."""

    findings: tuple[Finding, ...] = ()
    good: Mapping[RowKey, str] | None = None

    @property
    def last_good(self) -> Mapping[RowKey, str]:
        """Each row's last good build."""
        return self.good or {}

    def without(self, names: Collection[str]) -> Known:
        """Return what is known once some builds cannot be had any more: rows and findings that rest on none of them."""
        return Known(
            tuple(one for one in self.findings if one.baseline not in names),
            {key: name for key, name in self.last_good.items() if name not in names},
        )


@dataclass(frozen=True, slots=True)
class Concluded:
    """What a night concludes. `findings` holds those that went, too; `unconfirmed` calls wake nobody."""

    findings: tuple[Finding, ...]
    good: Mapping[RowKey, str]
    unconfirmed: tuple[Evidence, ...]
    unmeasured: tuple[RowKey, ...]  # known rows of which tonight says nothing

    @property
    def is_alarm(self) -> bool:
        """Whether a regression is newly confirmed."""
        return any(one.state is State.NEW for one in self.findings)

    @property
    def known(self) -> Known:
        """What the next night begins with."""
        return Known(tuple(one for one in self.findings if one.state is not State.GONE), self.good)


def conclude(
    known: Known,
    night: str,
    build: str,
    evidence: Iterable[Evidence],
    accepted: Mapping[str, str] | None = None,
) -> Concluded:
    """Return what a night makes of what was known.

    Args:
        known: what the night before left.
        night: "2026-11-28"; nights sort by their names.
        build: the name of the new build.
        evidence: of each row and baseline that was measured; of a row's baselines the one to be told first is first.
        accepted: until which day a finding is accepted, that one included, by its ident.
    """
    accepted = accepted or {}
    by_row: dict[RowKey, list[Evidence]] = {}
    for one in evidence:
        by_row.setdefault(one.row.key, []).append(one)
    findings: list[Finding] = []
    held = {finding.key: finding for finding in known.findings}
    good = dict(known.last_good)
    unconfirmed: list[Evidence] = []
    for key in dict.fromkeys([*held, *by_row]):
        rows = by_row.get(key, [])
        finding = held.get(key)
        now = _new(rows, night, build) if finding is None else _again(finding, rows, night, build)
        if now is not None:
            now = _accepted(now, finding, accepted, night)
            findings.append(now)
        unconfirmed += [one for one in rows if one.is_call and not one.is_confirmed and finding is None]
        if (now is None or now.state is State.GONE) and _moves_on(rows, good.get(key)):
            good[key] = build
        elif now is not None and now.state is not State.GONE:
            good[key] = now.baseline
    unmeasured = tuple(key for key in known.last_good if key not in by_row)
    return Concluded(tuple(findings), good, tuple(unconfirmed), unmeasured)


def baselines(known: Known, stable: str | None, most: int, seen: Mapping[str, str] | None = None) -> dict[str, Role]:
    """Return the baselines that a night measures, the one to be told first first.

    The last good build of most rows is one; of the others, those go first that were not measured for longest.

    Args:
        known: what the night before left.
        stable: the newest stable release; None: there is none.
        most: how many last good builds at most.
        seen: the last night that measured a baseline.
    """
    seen = seen or {}
    counts: dict[str, int] = {}
    for name in known.last_good.values():
        counts[name] = counts.get(name, 0) + 1
    counts.pop(stable or "", None)
    common = sorted(counts, key=lambda name: -counts[name])[:1]
    rest = sorted((name for name in counts if name not in common), key=lambda name: (seen.get(name, ""), -counts[name]))
    chosen = dict.fromkeys([*common, *rest][:most], Role.LAST_GOOD)
    return {**chosen, **({} if stable is None else {stable: Role.STABLE})}


def fires(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows in which a build was called different from itself: with any, the night cannot be trusted."""
    return tuple(row for row in rows if row.judged and row.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT))


def tried(rows: Iterable[Row]) -> int:
    """Return how many rows of a build against itself could have been called: judged, with something to compare."""
    return sum(row.judged and row.method is not Method.NONE for row in rows)


def called(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows that a run called a regression."""
    return tuple(row for row in rows if row.judged and row.verdict is Verdict.REGRESSION)


def chosen_models(
    costs: Mapping[str, float], budget: float, first: Collection[str], seen: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the models that a budget has room for: what has findings first, then what was not measured for longest.

    Args:
        costs: what each model takes, in the unit of the budget, in the test plan's order.
        budget: what there is.
        first: models with findings.
        seen: the last night that measured a model.

    Returns:
        Those that fit, in the test plan's order; where none does, the one that takes least.
    """
    chosen: list[str] = []
    left = budget
    for name in sorted(costs, key=lambda one: (one not in first, seen.get(one, ""))):
        if costs[name] <= left:
            chosen.append(name)
            left -= costs[name]
    return tuple(name for name in costs if name in chosen) or tuple(sorted(costs, key=costs.__getitem__)[:1])


def _new(rows: Sequence[Evidence], night: str, build: str) -> Finding | None:
    first = next((one for one in rows if one.is_confirmed), None)
    return None if first is None else _told(first, night, build)


def _told(one: Evidence, night: str, build: str) -> Finding:
    row = one.row
    text = "\n".join((*row.key, one.baseline, night))
    ident = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Finding(
        ident, row.key, one.baseline, build, State.NEW, row.ratio, row.low, row.high, row.q, row.high, night, night
    )


def _again(finding: Finding, rows: Sequence[Evidence], night: str, build: str) -> Finding:
    """Return what became of a finding that was known."""
    one = next((one for one in rows if one.baseline == finding.baseline), None)
    waiting = finding.state if finding.state is State.ACCEPTED else State.OPEN
    if one is None:
        return replace(finding, state=waiting, measured=False)
    row = one.row
    now = replace(
        finding, state=waiting, ratio=row.ratio, low=row.low, high=row.high, q=row.q, last_seen=night, measured=True
    )
    if row.verdict in (Verdict.SAME, Verdict.IMPROVEMENT):
        return replace(now, state=State.GONE)
    low, told = _or(row.low, row.ratio), _or(finding.told_high, finding.ratio)
    is_worse = low is not None and told is not None and low > told * (1 + row.margin)
    return _told(one, night, build) if one.is_confirmed and is_worse else now


def _accepted(now: Finding, before: Finding | None, accepted: Mapping[str, str], night: str) -> Finding:
    if now.state is State.GONE or now.ident not in accepted:
        return now
    if night[:10] <= accepted[now.ident]:
        return replace(now, state=State.ACCEPTED)
    is_back = before is not None and before.state is State.ACCEPTED and now.measured
    low = _or(now.low, now.ratio)
    is_there = low is not None and low > 1.0
    return replace(now, state=State.NEW if is_back and is_there else now.state if not is_back else State.OPEN)


def _or(bound: float | None, ratio: float | None) -> float | None:
    """Return a bound, or the ratio itself where it is exact."""
    return ratio if bound is None else bound


def _moves_on(rows: Sequence[Evidence], good: str | None) -> bool:
    """Whether the new build is the row's last good one: measured against the last, and nothing speaks against it.

    A row without a last good build yet is held against all that was measured.
    """
    concerned = [one for one in rows if one.baseline == good] if good is not None else list(rows)
    return bool(concerned) and all(one.is_good for one in concerned) and not any(one.is_call for one in rows)
