"""Which promises hold in which release: ways down, releases across."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict

from harness.promises import Promise, State
from harness.provenance import Provenance
from harness.report.listing import Listing
from harness.report.numbers import quantity
from harness.report.provenance import provenance_document, provenance_line

Row = tuple[str, str, str, str, str]  # device, model, promise, writer, way
_Places = dict[str, dict[str, None]]  # by writer and way: the subjects, in order

_LONGEST = 160
"""Characters of a reason in plain text: Keras explains itself in paragraphs."""
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ARTIFACT = re.compile(r"ARTIFACT[\w.-]*\w")
"""The artifact of a repeat, or of one of its custom models: `ARTIFACT.custom-layer`."""


def render_promises(
    found: Sequence[Promise],
    subjects: Sequence[str],
    provenance: Provenance,
    form: str,
    everything: str | None = None,
) -> str:
    """Return the promises as "table" (plain text), "markdown" or "json".

    Args:
        found: the promises.
        subjects: the columns, oldest release first.
        provenance: where they come from.
        form: which format.
        everything: the command that has what Markdown has no room for.
    """
    if form == "json":
        document = [dict(asdict(one), state=one.state.value) for one in found]
        where = provenance_document(provenance)
        return json.dumps(
            {"schema": 1, "provenance": where, "subjects": list(subjects), "promises": document}, indent=1
        )
    listing = _listing(found, subjects, provenance, whole_reasons=form == "markdown")
    return listing.markdown(everything) if form == "markdown" else listing.text()


def _listing(
    found: Sequence[Promise], subjects: Sequence[str], provenance: Provenance, *, whole_reasons: bool
) -> Listing:
    top, headings = [provenance_line(provenance)], ("promise", "model", "writer", "way", *subjects)
    if not found:
        hint = "No record tells about a promise yet: measure some with `savedmodel-bench run A B --preset promises`."
        return Listing(top, headings, (), legend=[hint])
    cells = {(_row(one), one.subject): one for one in found}
    absent_writers = {(*_row(one)[:4], one.subject): one for one in found if one.way == "-"}
    rows = sorted({_row(one) for one in found})
    # A writer that one release lacks has its ways from the others; a promise that nobody verified has no row.
    named = {row[:4] for row in rows if row[4] != "-"}
    verified = {row[:3] for row in named} | {_row(one)[:3] for one in found if one.state is State.BROKEN}
    known = [row for row in rows if row[4] != "-" or (row[:4] not in named and row[:3] in verified)]
    lines: list[tuple[str, ...]] = []
    reasons: dict[tuple[str, str], _Places] = {}  # by state and reason
    is_cut = False
    for row in known:
        states = []
        for subject in subjects:
            one = cells.get((row, subject)) or absent_writers.get((*row[:4], subject))
            states.append(_state(one))
            if one is not None and one.detail:
                whole = _reason(one)
                detail = whole if whole_reasons else _shortened(whole)
                is_cut = is_cut or detail != whole
                if 0 < one.blocks_not_kept < one.blocks:
                    detail += f", in {one.blocks_not_kept} of {one.blocks} blocks"
                what = row[3] if one.way == "-" else f"{row[3]} {row[4]}"
                places = reasons.setdefault((one.state.value, detail), {})
                places.setdefault(what, {})[subject] = None
        device = "" if row[0] == "cpu" else f" on {row[0]}"
        lines.append((row[2], row[1] + device, row[3], row[4], *states))
    notes = [f"{state}: {detail} [{_named(places)}]" for (state, detail), places in reasons.items()]
    if is_cut:
        notes.append("Reasons are cut to a line; --format markdown has them whole.")
    return Listing(top, headings, lines, reasons=notes, legend=_legend(lines))


def _row(one: Promise) -> Row:
    return one.device, one.model, one.promise, one.writer, one.way


def _state(one: Promise | None) -> str:
    """Return "kept", with the time to the first resumed step where that is what was promised: "kept, 310 ms"."""
    if one is None:
        return "-"
    timed = one.state is State.KEPT and one.first_step_s is not None
    return f"{one.state.value}, {quantity(one.first_step_s, 'seconds')}" if timed else one.state.value


def _reason(one: Promise) -> str:
    """Return a reason, the same for whatever artifact it is about."""
    return _ARTIFACT.sub("ARTIFACT", one.detail.replace(f"{one.device}-{one.model}-{one.writer}", "ARTIFACT"))


def _shortened(reason: str) -> str:
    """Return the first sentence of a reason, or as much of it as a line holds."""
    sentence = _END_OF_SENTENCE.split(reason, maxsplit=1)[0]
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1].rstrip() + "…"


def _named(places: _Places) -> str:
    """Return ways and releases: "tf-save signature, tf-module signature: v2.15.1; tf-save: v2.15.1, v2.21.0"."""
    ways: dict[str, list[str]] = {}
    for way, subjects in places.items():
        ways.setdefault(", ".join(subjects), []).append(way)
    return "; ".join(f"{', '.join(names)}: {subjects}" for subjects, names in ways.items())


def _legend(lines: Sequence[tuple[str, ...]]) -> list[str]:
    timed = "kept, TIME: from the start of restoring to the end of the first resumed step, median of calm repeats."
    return [
        *([timed] if any(", " in state for line in lines for state in line[4:]) else []),
        f"{State.ABSENT.value}: tried for real; the release has no such API, or it does not read what this writer "
        "wrote. -: not measured.",
    ]
