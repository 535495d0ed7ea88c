"""A night in words: whether it can be trusted, what else changed, then what is new, open, gone and not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.answers.comparison import Comparison
from harness.answers.night import AlarmRecord, Canary, Changed, Night
from harness.report.comparison import report_comparison
from harness.report.document import (
    Case,
    Chance,
    Change,
    Command,
    Document,
    Interval,
    Note,
    Outcome,
    Paragraph,
    Part,
    Report,
    Row,
    Section,
    Tone,
    items,
    table,
)
from harness.report.notes import is_of_sides, notes_text
from harness.report.numbers import change, count, interval
from harness.report.pages.comparison import comparison_page
from harness.report.wording import Places, finding_text
from harness.verdict.confirmation import RowKey
from harness.verdict.findings import findings as grouped
from harness.verdict.nights import Evidence, Finding, Role, State

_ROLES = {Role.LAST_GOOD: "last good build", Role.STABLE: "newest stable release", Role.ASKED: "asked for"}
_TONES = {State.NEW: Tone.WORSE, State.GONE: Tone.BETTER}
_MISSED = {
    "running": "began and did not come to its end; nothing of it counts",
    "unmeasured": "could not be measured",
    "untrusted": "could not be trusted, since the build differed from itself",
}
_MOST = 20


@dataclass(frozen=True, slots=True)
class _Place:
    """A row by its key."""

    metric: str
    device: str
    model: str
    variant: str


def report_night(night: Night) -> Report:
    """Return a night's report: a document for every format, with a page that holds the whole comparisons."""
    top = tuple(_top(night))
    notes = tuple(part.text for part in top if isinstance(part, Note))
    title = f"Night {night.night}: {night.build['name']}"
    below = tuple(_below(night))
    tables = (_whole(one, night) for one in night.comparisons)
    pages = (
        Section(f"Everything against {one.old.name}", comparison_page(one).parts, True, anchor=f"against-{place}")
        for place, one in enumerate(night.comparisons)
    )
    return Report(
        "nightly",
        Document(title, (*top, *below, *tables)),
        night_data(night),
        night.exit_code,
        notes,
        shortfall=_shortfall(night),
        screen=Document(title, (*top, *below)),
        page=Document(title, (*top, *below, *pages), (night.machine,)),
        cases=tuple(_cases(night)),
    )


def night_data(night: Night) -> dict[str, Any]:
    """Return a night as plain data. `ratio`, `low` and `high` are new / old against `baseline`; nights are days."""
    concluded = night.concluded
    findings = () if concluded is None or night.fired else concluded.findings
    accepted = night.accepted or {}
    return {
        "night": night.night,
        "machine": night.machine,
        "build": dict(night.build),
        "baselines": [{"id": ident, "role": role.value, "name": name} for name, role, ident in night.baselines],
        "aa": {"judged": night.aa_judged, "called": len(night.fired)},
        "canary": None
        if night.canary is None
        else {"called": night.canary.is_called, "ratio": night.canary.ratio, "blocks": night.canary.blocks},
        "record": _record_data(night.record),
        "findings": [_finding_data(one, accepted) for one in findings],
        "unconfirmed": [] if concluded is None else [_evidence_data(one) for one in concluded.unconfirmed],
        "unmeasured": [] if concluded is None else [list(key) for key in concluded.unmeasured],
        "changed": [{"what": one.what, "before": one.before, "now": one.now} for one in night.changed],
        "missed": [{"night": missed, "state": state} for missed, state in night.missed],
        "silent_since": night.silent_since,
        "left_out": list(night.left_out),
        "idle": night.idle,
        "shortfall": _shortfall(night),
    }


def _finding_data(one: Finding, accepted: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    metric, device, model, variant = one.key
    return {
        "id": one.ident,
        "state": one.state.value,
        "confirmed": True,
        "metric": metric,
        "device": device,
        "model": model,
        "variant": variant,
        "ratio": one.ratio,
        "low": one.low,
        "high": one.high,
        "q": one.q,
        "first_seen": one.first_seen,
        "last_seen": one.last_seen,
        "measured": one.measured,
        "baseline": one.baseline,
        "build": one.build,
        "accepted": dict(accepted[one.ident]) if one.ident in accepted else None,
        "text": _told(one),
    }


def _evidence_data(one: Evidence) -> dict[str, Any]:
    metric, device, model, variant = one.row.key
    return {
        "metric": metric, "device": device, "model": model, "variant": variant, "ratio": one.row.ratio,
        "baseline": one.baseline, "standing": one.standing.value,
    }  # fmt: skip


def _record_data(record: AlarmRecord) -> dict[str, int]:
    return {
        "nights": record.nights,
        "aa_judged": record.aa_judged,
        "aa_called": record.aa_called,
        "canaries": record.canaries,
        "canaries_found": record.canaries_found,
    }


def _top(night: Night) -> Iterator[Part]:
    """Yield the answer and what qualifies it; before a regression comes what else than the build has changed."""
    against = ", ".join(f"{name} ({_ROLES[role]})" for name, role, _ in night.baselines)
    if against:
        yield Paragraph(f"{night.build['name']} against {against}, on {night.machine}.")
    what_else = [Note(text) for text in (*map(_changed, night.changed), *_notes(night, of_sides=True))]
    rest = [Note(text) for text in _qualifications(night)]
    result: list[Part] = [Paragraph(f"Result: {_headline(night)}", Tone.STRONG)]
    if night.record.nights:
        result.append(Paragraph(record_text(night.record), Tone.QUIET))
    tells_regression = night.concluded is not None and any(one.state is State.NEW for one in night.concluded.findings)
    yield from (*what_else, *result, *rest) if tells_regression else (*result, *what_else, *rest)


def record_text(record: AlarmRecord) -> str:
    """Return how the alarm did so far: "41 nights: 0 of 3,690 A/A rows called, 6 of 6 canaries found."."""
    return (
        f"{count(record.nights, 'night')}: {record.aa_called:,} of {record.aa_judged:,} A/A rows called, "
        f"{record.canaries_found} of {count(record.canaries, 'canary', 'canaries')} found."
    )


def _headline(night: Night) -> str:
    if night.idle:
        return "there is no build that was not measured before, so nothing was measured."
    if night.concluded is None and not night.fired:
        return "this night could not be measured."
    if night.fired:
        rows = f"{len(night.fired)} of {count(night.aa_judged, 'row')}"
        return (
            f"this night cannot be trusted. The build was measured twice and differs from itself in {rows}, so what "
            "differs from other builds may be noise. No state has changed."
        )
    states = [] if night.concluded is None else [one.state for one in night.concluded.findings]
    new, gone = states.count(State.NEW), states.count(State.GONE)
    text = f"{count(new, 'regression')} newly confirmed" if new else "nothing new"
    if night.shortfall is not None and not new:
        text = f"too little was measured to say that nothing is new ({night.shortfall.removesuffix('.')})"
    rest = [
        f"{gone} gone" if gone else "",
        f"{states.count(State.OPEN)} open" if State.OPEN in states else "",
        f"{states.count(State.ACCEPTED)} accepted" if State.ACCEPTED in states else "",
    ]
    return ", ".join(filter(None, (text, *rest))) + "."


def _qualifications(night: Night) -> Iterator[str]:
    yield from _notes(night, of_sides=False)
    for missed, state in night.missed:
        yield f"Night {missed} {_MISSED[state]}."
    if night.silent_since is not None:
        yield f"No night ran between {night.silent_since} and {night.night}."
    for name in night.unavailable:
        yield f"{name} was the last good build of some rows and cannot be had any more: they begin anew."
    if night.left_out:
        yield f"The budget has no room for all models. Not measured tonight: {', '.join(night.left_out)}."
    if night.canary is not None and not night.canary.is_called:
        yield _canary(night.canary)


def _notes(night: Night, *, of_sides: bool) -> Iterator[str]:
    """Yield what differs beside the releases, or all other notes; what all comparisons say is told once."""
    told = {
        one.old.name: notes_text(note for note in one.notes if is_of_sides(note) == of_sides)
        for one in night.comparisons
    }
    of_all = set.intersection(*map(set, told.values())) if told else set()
    yield from (text for text in next(iter(told.values()), ()) if text in of_all)
    for name, texts in told.items():
        yield from (f"Against {name}: {text}" for text in texts if text not in of_all)


def _changed(one: Changed) -> str:
    return f"Not as in the last night: {one.what} ({one.before} before, {one.now} now)."


def _canary(canary: Canary) -> str:
    if canary.is_called is None:
        return "The canary could not be measured undisturbed tonight, so whether the alarm works was not tried."
    seen = "" if canary.ratio is None else f" The largest change seen was {change(canary.ratio)}."
    return (
        f"The canary was not found: {canary.subject}, the same build with planted regressions, was not called in "
        f"{count(canary.blocks, 'block')}.{seen} A night that overlooks it may overlook others."
    )


def _below(night: Night) -> Iterator[Part]:
    concluded = night.concluded
    if night.fired:
        yield Section("What differs between the build and itself", (items(_fired(night), "row"),))
    if concluded is None or night.fired:
        return
    if concluded.findings:
        yield _findings(concluded.findings, night)
    if concluded.unconfirmed:
        texts = (
            f"{_where(one.row.key)}: {change(one.row.ratio)} against {one.baseline}, {one.standing.value}"
            for one in concluded.unconfirmed[:_MOST]
        )
        title = "Called once and not confirmed: the next night looks again"
        yield Section(title, (items(texts, "row"),))
    if night.drifts:
        told = "A search of all runs on this machine; no night alone shows these. `history --confirm` measures again."
        yield Section("Worse over many nights", (Paragraph(told), items(night.drifts, "change")))
    if concluded.unmeasured:
        texts = (_where(key) for key in concluded.unmeasured[:_MOST])
        more = len(concluded.unmeasured) - _MOST
        last = (f"and {more} more",) if more > 0 else ()
        yield Section("Not measured tonight", (items((*texts, *last), "row"),), True)


def _findings(findings: Sequence[Finding], night: Night) -> Section:
    accepted = night.accepted or {}
    rows = []
    for one in sorted(findings, key=lambda one: (list(State).index(one.state), -(one.ratio or 0.0))):
        why = accepted.get(one.ident) if one.state is State.ACCEPTED else None
        state = one.state.value if why is None else f"accepted until {why['until']}: {why['why']}"
        cells = (
            one.ident, state if one.measured else f"{state}, not measured tonight", _where(one.key),
            f"{one.baseline}", one.first_seen, Change(one.ratio), Interval(one.low, one.high), Chance(one.q),
        )  # fmt: skip
        rows.append(Row(cells, _TONES.get(one.state, Tone.PLAIN)))
    numbers = ("change", "95 % interval", "q")
    parts: list[Part] = [table(("finding", "state", "where", "against", "first seen"), numbers, rows)]
    first = next((one for one in findings if one.state in (State.NEW, State.OPEN)), None)
    if first is not None:
        where = "" if night.fleet is None else f"--machine {night.machine} "
        command = f"savedmodel-bench nightly {where}accept {first.ident} --until DATE --why TEXT"
        parts.append(Command(command, "if it is known and nobody needs to hear of it"))
    return Section("Findings: confirmed by a second measurement in fresh blocks", tuple(parts))


def _fired(night: Night) -> Iterator[str]:
    assert night.itself is not None
    places = Places.of(night.itself.rows)
    yield from (finding_text(one, places) for one in grouped(night.itself.rows))


def _whole(comparison: Comparison, night: Night) -> Section:
    parts = report_comparison(comparison).document.parts
    return Section(f"Everything against {comparison.old.name}", parts, True)


def _where(key: RowKey) -> str:
    place = _Place(*key)
    return Places((key[1], ""), None, None).row(place)


def _told(one: Finding) -> str:
    """Return a finding in a sentence, as an issue or a message tells it."""
    size = f"{change(one.ratio)} ({interval(one.low, one.high)})" if one.low is not None else change(one.ratio)
    return (
        f"{_where(one.key)}: {size} in {one.build} against {one.baseline}, first seen in the night of {one.first_seen}."
    )


def _shortfall(night: Night) -> str | None:
    if night.shortfall is not None:
        return night.shortfall
    if night.fired:
        return "this night cannot be trusted: the build differs from itself."
    if night.canary is not None and night.canary.is_called is False and night.exit_code:
        return "the planted regressions were not found, so tonight's silence says little."
    return None


def _cases(night: Night) -> Iterator[Case]:
    if night.concluded is None or night.fired:
        return
    for one in night.concluded.findings:
        outcome = {State.NEW: Outcome.FAILED, State.GONE: Outcome.PASSED}.get(one.state, Outcome.SKIPPED)
        yield Case(f"finding {one.ident}", _where(one.key), outcome, _told(one))
