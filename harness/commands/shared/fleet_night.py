"""The nights of a fleet's nodes: its jobs measure, and all that a night concludes is done here, once."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.answers.comparison import Comparison
from harness.answers.night import Night
from harness.commands.shared.machine_night import MachineNight
from harness.commands.shared.night_ending import pack_old, tell, write_night
from harness.fleet.answer import of_share
from harness.fleet.collecting import Collected, collect, run_of
from harness.fleet.confirmation import second_wave
from harness.fleet.folder import FleetFolder, NodeNight, fleet_names, open_fleet
from harness.fleet.nights import FleetNight, NodeAnswer, canary_of, nights_by_place
from harness.fleet.starting import start
from harness.fleet.status import ENDED, JobStatus
from harness.planning.nights import AskedNight
from harness.planning.request import Request
from harness.report.night import report_night
from harness.store.nights import NightLock, StoredNight, in_time, nights_of, open_night
from harness.store.runs import RunDirectory, open_run, write_json_atomically

Say = Callable[[str], None]


def first_of(fleet: FleetFolder) -> FleetFolder:
    """Return the fleet that a night began with, where this one is its second wave; else itself."""
    if fleet.plan.night is None or fleet.plan.confirms is None:
        return fleet
    return open_fleet(fleet.root, fleet.plan.confirms)


def proceed(
    fleet: FleetFolder, options: argparse.Namespace, say: Say, *, anew: bool = False
) -> tuple[FleetNight, Collected]:
    """Collect a night's jobs and take it as far as it goes; can be repeated at any moment.

    Once all jobs have ended, what was called is measured again on the node where it was called, by a second fleet; once
    that has ended, each node's night is concluded: states, last good builds, page, `--on-finding`.

    Args:
        fleet: the night's first fleet.
        options: of `nightly`, as they stand after `--`.
        say: is told what is going on, a line each.
        anew: judge once more what is concluded already; else nothing is done then, and no node's night is returned.

    Returns:
        The night, and what collecting its first fleet did.

    Raises:
        UsageError: another command works on it.
    """
    done = collect(fleet)
    with fleet.locked():
        return _Proceeding(fleet, options, say).do(done.jobs, anew=anew), done


class _Proceeding:
    """A night taken as far as it goes, under the lock of its first fleet."""

    def __init__(self, fleet: FleetFolder, options: argparse.Namespace, say: Say) -> None:
        self._fleet, self._options, self._say = fleet, options, say
        request = Request(
            fleet.root,
            (),
            operations=None if options.operation is None else tuple(options.operation),
            margins=options.margin,
        )
        self._note = fleet.path / "concluded.json"
        self._untold = False
        self._asked = AskedNight(request, options.build, night=fleet.plan.night, only_exact=options.gate == "exact")

    def do(self, jobs: Sequence[JobStatus], *, anew: bool) -> FleetNight:
        name, night_name = self._fleet.plan.fleet, str(self._asked.night)
        have_ended = all(one.state in ENDED for one in jobs)
        jobs = [one for one in jobs if one.job.name in self._fleet.plan.nights]  # all but canaries
        is_concluded = self._note.exists()
        if not have_ended or (is_concluded and not anew):
            nodes = tuple(NodeAnswer(one, None, None) for one in jobs)
            return FleetNight(name, night_name, nodes, is_concluded, next(iter(self._fleet.waves()), None))
        nights = {one.job.name: self._measured(one) for one in jobs}
        wanted = {job: night for job, night in nights.items() if night is not None and night.wanted}
        second, second_jobs = self._second(wanted, {one.job.name: one.node for one in jobs})
        is_open = any(one.state not in ENDED for one in second_jobs)
        answers = []
        for status in jobs:
            night = nights[status.job.name]
            found: Night | None = None
            if night is not None and not is_open:
                found = self._concluded(night, second, status)
            answers.append(NodeAnswer(status, None if night is None else night.machine, found))
        if not is_open and not is_concluded:
            pack_old(self._fleet.root)
            if not self._untold:
                write_json_atomically(self._note, {"concluded_at": self._asked.now().isoformat(timespec="seconds")})
            self._say(f"Night {night_name} is concluded: `savedmodel-bench fleet report {name}` shows it.")
        second_name = None if second is None else second.plan.fleet
        kinds = self._fleet.plan.machine_types
        unstaged = tuple(dict.fromkeys(one.job.type for one in jobs if kinds[one.job.type].stage is False))
        return FleetNight(name, night_name, tuple(answers), not is_open, second_name, tuple(second_jobs), unstaged)

    def _measured(self, status: JobStatus) -> JobsNight | None:
        """Return the night of a job's node with what was measured; None where nobody knows the node's machine."""
        path = run_of(self._fleet, status.job)
        place = (status.job.type, status.node or "")
        if path is not None:
            machine = path.parent.name
        else:
            before = nights_by_place(self._fleet.root).get(place)
            if not before:
                return None
            machine = before[-1].path.parent.name
        with NightLock(self._fleet.root, machine):
            is_staged = self._fleet.plan.machine_types[status.job.type].stage is not False
            measured_by = (self._fleet.plan.fleet, status.job.name)
            night = JobsNight(self._asked, machine, self._say, measured_by, place, is_staged=is_staged)
            found = self._fleet.plan.nights[status.job.name]
            if path is None:
                night.is_missing(found, f"{status.job.name} has no results ({status.reason or status.state.value})")
            else:
                canary = next((one for one in self._fleet.plan.jobs if one.name == canary_of(status.job)), None)
                flown = None if canary is None else run_of(self._fleet, canary)
                is_there = flown is not None and flown.parent.name == machine
                night.is_measured(found, open_run(path), open_run(flown) if flown is not None and is_there else None)
        return night

    def _second(
        self, wanted: Mapping[str, JobsNight], nodes: Mapping[str, str | None]
    ) -> tuple[FleetFolder | None, list[JobStatus]]:
        """Return the fleet that measures again what was called, started where it was not yet; its jobs collected."""
        waves = self._fleet.waves()
        is_there = bool(waves) and waves[0] in fleet_names(self._fleet.root)
        is_confirmed = self._note.exists() or all("confirm" in night.stored.phases for night in wanted.values())
        if not is_there and is_confirmed:  # nothing to confirm, or it was confirmed and removed
            return None, []
        if is_there:
            second = open_fleet(self._fleet.root, waves[0])
            done = collect(second)
            for sentence in done.said:
                self._say(sentence)
            return second, done.jobs
        plan = self._fleet.plan
        subjects = {}
        for job in (one for one in plan.jobs if one.name in plan.nights):
            build, _, *baselines = plan.subjects_of(job)
            names = [name for name, *_ in plan.nights[job.name].baselines]
            called = wanted[job.name].wanted if job.name in wanted else ()
            against = [one for one, name in zip(baselines, names, strict=True) if name in called]
            subjects[job.name] = (build, *against)
        rows = {job: [row for found in night.calls().values() for row in found] for job, night in wanted.items()}
        again = second_wave(self._fleet, rows, nodes, subjects)
        if waves:  # it was killed before it began
            again = replace(again, fleet=waves[0])
        else:
            self._fleet.note_wave(again.fleet)
        self._say(f"Called on {', '.join(wanted)}: fleet {again.fleet} measures it once more there.")
        second, refused = start(again, {}, self._fleet.project)
        for sentence in refused:
            self._say(sentence)
        return second, collect(second).jobs

    def _concluded(
        self,
        night: JobsNight,
        second: FleetFolder | None,
        status: JobStatus,
    ) -> Night:
        runs: dict[str, Path] = {}
        if second is not None and night.wanted:
            job = next((one for one in second.plan.jobs if one.name == status.job.name), None)
            path = None if job is None else run_of(second, job)
            is_there = path is not None and path.parent.name == night.machine
            runs = dict.fromkeys(night.wanted, path) if path is not None and is_there else {}
        with NightLock(self._fleet.root, night.machine):
            found = night.conclusion(runs)
            report = report_night(found)
            write_night(night.stored.path, report)
            self._untold |= not tell(night.stored, report, self._options.on_finding)
        return found


class JobsNight(MachineNight):
    """One machine's night that a fleet's job measured.

    Where the machine has another night of that name, as if a job was measured elsewhere than on its node, it gets the
    next number of that day.

    Args:
        asked: what was to be measured.
        machine: the name of the machine.
        say: is told what is going on.
        measured_by: the fleet and the job.
        place: the machine type and the node.
        is_staged: whether environments lay on the node's own disk; else imports measured the shared one, and are not
            judged.
    """

    def __init__(
        self,
        asked: AskedNight,
        machine: str,
        say: Say,
        measured_by: tuple[str, str],
        place: tuple[str, str],
        *,
        is_staged: bool,
    ) -> None:
        self.machine, self._measured_by, self._place, self._is_staged = machine, measured_by, place, is_staged
        super().__init__(asked, machine, say)

    def _choose(self) -> StoredNight:
        night = str(self._asked.night)
        day, number = in_time(night)
        while (found := open_night(self._root, self._machine, night)).facts:
            if (found.facts.get("fleet"), found.facts.get("job")) == self._measured_by:
                break
            number = max(2, number + 1)
            night = f"{day}.{number}"
        return found

    def is_measured(self, found: NodeNight, run: RunDirectory, canary: RunDirectory | None) -> None:
        """Note what was measured, and what the A/A arm says of it; once."""
        if "measure" in self.stored.phases:
            return
        self._begin(found, "running")
        self.stored = self.stored.with_phase("find", subjects=list(found.subjects))
        self._note_measured(run)
        is_trusted = self._note_arms()
        called = [name for name, rows in self.calls().items() if rows] if is_trusted else []
        self.stored = self.stored.updated(called=called)
        if canary is not None:
            flown = asdict(self._judge.canary(canary))
            self.stored = self.stored.updated(canary=flown).with_phase("canary", run=self._shown(canary))

    def is_missing(self, found: NodeNight, reason: str) -> None:
        """Note that nothing was measured."""
        self._begin(found, "unmeasured", exit_code=3, shortfall=reason)

    @property
    def wanted(self) -> Sequence[str]:
        """The baselines against which something was called; none where the build differs from itself."""
        return tuple(self.stored.facts.get("called", ()))

    def conclusion(self, runs: Mapping[str, Path]) -> Night:
        """Conclude the night and return it; `runs` measured once more what was called, by baseline."""
        self._nights, _ = nights_of(self._root, self._machine)  # one of them may have been concluded meanwhile
        if self.stored.state == "unmeasured":
            return self._answer(shortfall=self.stored.facts["shortfall"])
        if "confirm" not in self.stored.phases:
            shown = {name: str(path.relative_to(self._root)) for name, path in runs.items()}
            self.stored = self.stored.with_phase("confirm", runs=shown)
        return self._concluded()

    def _judged(self) -> tuple[Comparison, list[Comparison]]:
        itself, comparisons = super()._judged()
        if self._is_staged:
            return itself, comparisons
        return _without_share(itself), [_without_share(one) for one in comparisons]

    def _begin(self, found: NodeNight, state: str, **facts: Any) -> None:
        self.stored = self.stored.updated(
            state=state,
            started_at=self.stored.facts.get("started_at") or self._asked.now().isoformat(timespec="seconds"),
            fleet=self._measured_by[0],
            job=self._measured_by[1],
            place=list(self._place),
            build=found.build,
            baselines=[list(one) for one in found.baselines],
            unavailable=list(found.unavailable),
            **facts,
        )


def _without_share(comparison: Comparison) -> Comparison:
    """Return a comparison that does not judge what measures the file system that environments are read from."""
    return changed(
        comparison, rows=tuple(changed(row, judged=False) if of_share(row) else row for row in comparison.rows)
    )
