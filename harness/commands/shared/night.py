"""A night from its first line to its last: each step is noted on disk when it is done, so that a killed one goes on.

find       the new build, what it is measured against, all of it installed
measure    the build twice (the A/A arm) and its baselines, interleaved in one run
canary     the build with a planted slowdown, where one is due
confirm    what was called, measured again in fresh blocks, a run for each baseline
conclude   states, last good builds, report
"""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from harness.answers.night import Night, is_canary_due
from harness.commands.shared.machine_night import MachineNight
from harness.commands.shared.session import measure_request
from harness.errors import ReleaseError, UsageError
from harness.fleet.confirmation import EXACT_BLOCKS
from harness.measure.limits import Limits
from harness.measure.passes import OPERATIONS
from harness.metrics import METRICS, Kind
from harness.planning.nights import (
    CANARY,
    CANARY_PLAN,
    AskedNight,
    find,
    of_models,
    sync,
    with_registered,
    with_room,
)
from harness.planning.plans import chosen_preset
from harness.planning.request import Request
from harness.store.machines import this_machine
from harness.store.nights import CANARY_KIND, CONFIRM_KIND, NIGHT, NIGHT_KIND, StoredNight, night_seed, open_night
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.looks import PLANNED

MEASURE_SHARE, CANARY_SHARE = 0.65, 0.10
CONFIRM_BUDGET_S = 20 * 60.0
GOES_ON_HOURS = 20
"""A night that was killed goes on when it is started again within so many hours."""


class NightJob(MachineNight):
    """One night that this machine measures. Made under the night's lock.

    Args:
        asked: what to measure.
        say: is told what is going on, a line each.
    """

    def __init__(self, asked: AskedNight, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)):
        machine = this_machine(asked.request.root, asked.request.machine).name
        super().__init__(asked, machine, say)
        self._deadline = None if asked.request.budget_s is None else time.monotonic() + asked.request.budget_s
        self._request = with_registered(asked.request)

    def run(self) -> Night:
        """Measure what is not measured yet, and return the night. A failure to measure is a night, too.

        Raises:
            KeyboardInterrupt: it was interrupted; the same command goes on.
        """
        try:
            if "find" not in self.stored.phases or self.stored.state == "idle":  # a build may have appeared since
                self._find()
            if self.stored.state == "idle":
                return self._idle()
            self._measure()
            return self._concluded()
        except UsageError as error:
            self.stored = self.stored.updated(state="unmeasured", exit_code=3, shortfall=str(error))
            return self._answer(shortfall=str(error))

    # The night itself.

    def _choose(self) -> StoredNight:
        """Return the night to measure: the one that was named, the one that was killed, or today's."""
        now = self._asked.now()
        if self._asked.night is not None:
            if not NIGHT.fullmatch(self._asked.night):
                raise UsageError(f"{self._asked.night!r} is no night: write a day like {now:%Y-%m-%d}.")
            return self._own(self._asked.night)
        last = self._nights[-1] if self._nights else None
        if last is not None and not last.is_over and "fleet" not in last.facts:
            begun = datetime.datetime.fromisoformat(last.facts["started_at"])
            if now - begun < datetime.timedelta(hours=GOES_ON_HOURS):
                self._say(f"Night {last.night} goes on where it was stopped.")
                return last
        return self._own(f"{now:%Y-%m-%d}")

    def _own(self, night: str) -> StoredNight:
        found = open_night(self._root, self._machine, night)
        if "fleet" in found.facts:
            raise UsageError(
                f"Night {night} of {self._machine} is that of fleet {found.facts['fleet']}: another one of that day "
                f"has a number, as in --night {night[:10]}.2."
            )
        return found

    def _find(self) -> None:
        now = self._asked.now().isoformat(timespec="seconds")
        self.stored = self.stored.updated(state="running", started_at=self.stored.facts.get("started_at", now))
        sync(self._asked.request, self._say)
        found = find(self._asked, self._known(), self._before, self._say)
        state = {"state": "idle", "exit_code": 0} if found.baselines is None else {}
        self.stored = self.stored.updated(**found.as_facts(), **state).with_phase("find", subjects=list(found.subjects))

    # Measuring.

    def _measure(self) -> None:
        subjects = self.stored.phases["find"]["subjects"]
        seed = night_seed(self.stored.night)
        if "measure" not in self.stored.phases:
            base = replace(self._request, subjects=(subjects[0], *subjects), seed=seed, against_first=True)
            due = self._canary_is_due()
            left_s = self._left_s()
            budget_s = None if left_s is None else left_s * (MEASURE_SHARE + (0 if due else CANARY_SHARE))
            base, left_out = with_room(replace(base, budget_s=budget_s), self._known(), self._before)
            run = self._run_of(base, NIGHT_KIND)
            self._note_measured(run, left_out)
        if not self._note_arms():
            return
        if "canary" not in self.stored.phases:
            self._measure_canary(subjects[0], seed)
        if "confirm" not in self.stored.phases:
            self._confirm(subjects, seed)

    def _run_of(self, request: Request, kind: str, looks: tuple[int, ...] = ()) -> RunDirectory:
        """Return the run of a request: the one that is complete already, or a new one."""
        for run in reversed(runs_of(self._root, self._machine)[0]):
            parts = run.facts.get("fingerprint_parts", {})
            if run.facts["kind"] == kind and run.facts["state"] == "complete" and parts.get("seed") == request.seed:
                names = {subject["name"] for subject in run.facts["subjects"]}
                if self._names(request.subjects) <= names:
                    return run
        outcome = measure_request(request, kind, Limits(budget_s=request.budget_s), looks)
        if outcome.interrupted:
            raise KeyboardInterrupt
        return outcome.run

    def _names(self, subjects: Sequence[str]) -> set[str]:
        """Return the names that results have for subjects as they were asked for."""
        facts = self.stored.facts
        known = dict(zip(self.stored.phases["find"]["subjects"], self._subject_names(), strict=True))
        plain = facts["build"]["name"]
        return {known.get(one, f"{plain}@{CANARY}" if one.endswith(f"@{CANARY}") else one) for one in subjects}

    def _canary_is_due(self) -> bool:
        """Whether a canary is measured tonight: it is, unless a budget was given and one was found within the week."""
        return self._deadline is None or is_canary_due(self._before, self.stored.night)

    def _measure_canary(self, build: str, seed: int) -> None:
        left_s = self._left_s()
        if not self._canary_is_due() and left_s is not None and left_s < CONFIRM_BUDGET_S:
            self.stored = self.stored.updated(canary=None).with_phase("canary", run=None)
            return
        request = Request(
            root=self._root,
            subjects=(build, f"{build}@{CANARY}"),
            preset=str(CANARY_PLAN),
            wheel=self._request.wheel,
            policy=self._request.policy,
            python=self._request.python,
            machine=self._request.machine,
            seed=seed,
        )
        run = self._run_of(request, CANARY_KIND)
        canary = asdict(self._judge.canary(run))
        self.stored = self.stored.updated(canary=canary).with_phase("canary", run=self._shown(run))

    def _confirm(self, subjects: Sequence[str], seed: int) -> None:
        """Measure what was called once more, against each baseline that it was called against."""
        asked = zip(subjects[1:], self.calls().items(), strict=True)
        wanted = [(subject, name, rows) for subject, (name, rows) in asked if rows]
        runs: dict[str, str] = {}
        for place, (subject, name, rows) in enumerate(wanted):
            left_s = self._left_s()
            budget_s = CONFIRM_BUDGET_S if left_s is None else max(60.0, left_s / (len(wanted) - place))
            is_exact = all(row.kind is Kind.EXACT for row in rows)
            models = sorted({row.model for row in rows if row.model != "-"})
            operations = {METRICS[row.metric].operation for row in rows if row.metric in METRICS} & set(OPERATIONS)
            request = replace(
                of_models(self._request, models or [_first_model(self._request)]),
                subjects=(subject, subjects[0]),
                operations=tuple(one for one in OPERATIONS if one in operations) or self._request.operations,
                blocks=EXACT_BLOCKS if is_exact else None,
                budget_s=None if is_exact else budget_s,
                seed=seed,
            )
            looks = () if is_exact else PLANNED
            self._say(f"{len(rows)} called against {name}: measured once more in fresh blocks.")
            try:
                runs[name] = self._shown(self._run_of(request, CONFIRM_KIND, looks))
            except ReleaseError:
                raise
            except UsageError as error:
                self._say(f"It could not be measured again: {error}")
        self.stored = self.stored.with_phase("confirm", runs=runs)

    def _idle(self) -> Night:
        return replace(self._answer(), idle=True)

    def _left_s(self) -> float | None:
        return None if self._deadline is None else max(60.0, self._deadline - time.monotonic())


def _first_model(request: Request) -> str:
    return chosen_preset(request)[0].cells[0].model
