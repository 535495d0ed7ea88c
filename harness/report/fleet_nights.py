"""A night of many machines: first what it says in all, then each node's night as that of one machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.answers.shortfall import EXIT_CODE
from harness.fleet.nights import FleetNight, NodeAnswer
from harness.fleet.status import ENDED
from harness.report.document import Document, Note, Paragraph, Part, Report, Section, Tone
from harness.report.night import night_data, report_night
from harness.report.numbers import count, percent
from harness.verdict.nights import State


def report_fleet_night(answer: FleetNight, *, require_coverage: float) -> Report:
    """Return the report of a fleet's night.

    Args:
        answer: the night.
        require_coverage: the share of each type's blocks that an answer needs; with less the exit code is 3.
    """
    code = answer.exit_code(require_coverage)
    reports = {one.status.job.name: report_night(one.night) for one in answer.nodes if one.night is not None}
    missing = tuple(_missing(answer))
    staging = f"On {', '.join(answer.unstaged)} imports and cold loads are n/a: staging is off."
    notes = (*missing, *([staging] if answer.unstaged else []))
    top: list[Part] = [Paragraph(_headline(answer), Tone.STRONG), *(Note(note) for note in notes)]
    sections = []
    for one in answer.nodes:
        if one.night is None:
            continue
        name = f"{one.status.job.name}, on {one.machine}"
        found = reports[one.status.job.name]
        sections.append(Section(name, (found.screen or found.document).parts))
    shortfall = None
    if code == EXIT_CODE:
        shortfall = next(iter(missing), None) or next(
            (f"{job}: {found.shortfall}" for job, found in reports.items() if found.shortfall), None
        )
    return Report(
        "fleet",
        Document(f"Night {answer.night}", (*top, *sections)),
        {
            "fleet": answer.fleet,
            "night": answer.night,
            "second_fleet": answer.second,
            "over": answer.is_over,
            "coverage": answer.coverage,
            "nights": [_node_data(one) for one in answer.nodes],
        },
        code,
        notes,
        shortfall=shortfall,
        cases=tuple(
            replace(case, group=f"{job}: {case.group}") for job, found in reports.items() for case in found.cases
        ),
    )


def _node_data(one: NodeAnswer) -> dict[str, Any]:
    place = {"job": one.status.job.name, "type": one.status.job.type, "node": one.status.node, "machine": one.machine}
    if one.night is None:
        return {**place, "exit_code": None, "reason": one.status.reason or one.status.state.value}
    return {**place, **night_data(one.night), "exit_code": one.night.exit_code}


def _headline(answer: FleetNight) -> str:
    concluded = [one.night for one in answer.nodes if one.night is not None]
    states = [
        finding.state
        for night in concluded
        if night.concluded is not None and night.is_trusted
        for finding in night.concluded.findings
    ]
    new = states.count(State.NEW)
    unable = sum(night.shortfall is not None for night in concluded)
    distrusted = sum(bool(night.fired) for night in concluded)
    is_silent = new == 0 and unable + distrusted == len(concluded)
    said = [f"{count(new, 'regression')} newly confirmed" if new else "no answer" if is_silent else "nothing new"]
    others = (State.GONE, State.OPEN, State.ACCEPTED)
    said += [f"{states.count(state)} {state.value}" for state in others if state in states]
    said += [f"too little was measured on {count(unable, 'node')}"] if unable else []
    said += [f"{count(distrusted, 'node')} cannot be trusted"] if distrusted else []
    shares = ", ".join(f"{name} {percent(share)}" for name, share in answer.coverage.items())
    which = f"{len(concluded)} of {count(len(answer.nodes), 'node')}"
    return f"{which} concluded: {', '.join(said)}. Measured of the plan: {shares}."


def _missing(answer: FleetNight) -> Iterator[str]:
    for one in answer.nodes:
        job, state = one.status.job.name, one.status.state
        if one.night is not None:
            if 0 < one.status.blocks_done < one.status.blocks_planned:
                yield f"{job} has {one.status.blocks_done} of {one.status.blocks_planned} blocks ({one.status.reason})."
        elif state not in ENDED:
            yield f"{job} has not ended ({state.value}): the night is concluded when all jobs have."
        elif one.machine is None and not answer.is_over:
            yield f"{job} has ended; the night is concluded when all jobs have."
        elif one.machine is not None:
            yield f"{job} is concluded when fleet {answer.second} has measured again what was called."
        else:
            yield f"{job} has no results ({one.status.reason or state.value})."
