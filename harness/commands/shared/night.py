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
from pathlib import Path
from typing import Any

from harness import releases
from harness.answers.comparison import Comparison
from harness.answers.confirmation import KIND as CONFIRM_KIND
from harness.answers.night import Night, circumstances, flew, night_of, record_of
from harness.answers.night_evidence import NightJudge
from harness.answers.records_history import ask_history, judged_samples
from harness.commands.shared.session import measure_request
from harness.errors import ReleaseError, UsageError
from harness.measure.limits import Limits
from harness.measure.passes import OPERATIONS
from harness.metrics import METRICS, Kind
from harness.planning.nights import AskedNight, find, of_models, with_registered, with_room
from harness.planning.plans import chosen_preset
from harness.planning.request import Request
from harness.report.history_words import finding_text
from harness.store.machines import this_machine
from harness.store.nights import NIGHT, StoredNight, accepted_of, in_time, known_as_facts, nights_of, open_night
from harness.store.runs import RunDirectory, open_run, runs_of
from harness.verdict.looks import PLANNED
from harness.verdict.nights import Known, called, conclude, fires

KIND, CANARY_KIND = "night", "canary"
CANARY = "canary"
"""The settings profile with the planted slowdown."""
CANARY_PLAN = Path(releases.__file__).parent / CANARY / "plan.toml"
CANARY_DAYS = 7
MEASURE_SHARE, CANARY_SHARE = 0.65, 0.10
CONFIRM_BUDGET_S = 20 * 60.0
EXACT_BLOCKS = 2
"""What is compared exactly needs no more to be confirmed."""
GOES_ON_HOURS = 20
"""A night that was killed goes on when it is started again within so many hours."""


class NightJob:
    """One night of one machine. Made under the night's lock.

    Args:
        asked: what to measure.
        say: is told what is going on, a line each.
    """

    def __init__(self, asked: AskedNight, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)):
        self._asked, self._say = asked, say
        self._root = asked.request.root
        self._machine = this_machine(self._root, asked.request.machine).name
        self._deadline = None if asked.request.budget_s is None else time.monotonic() + asked.request.budget_s
        self._nights, problems = nights_of(self._root, self._machine)
        for problem in problems:
            say(str(problem))
        self.stored = self._choose()
        self._request = with_registered(asked.request)
        self._judge = NightJudge(self._request.operations, self._request.margins, asked.only_exact)

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
        """Return the night to measure: the one that was killed, or today's, or today's next one."""
        now = self._asked.now()
        if self._asked.night is not None:
            if not NIGHT.fullmatch(self._asked.night):
                raise UsageError(f"{self._asked.night!r} is no night: write a day like {now:%Y-%m-%d}.")
            return open_night(self._root, self._machine, self._asked.night)
        last = self._nights[-1] if self._nights else None
        if last is not None and not last.is_over:
            begun = datetime.datetime.fromisoformat(last.facts["started_at"])
            if now - begun < datetime.timedelta(hours=GOES_ON_HOURS):
                self._say(f"Night {last.night} goes on where it was stopped.")
                return last
        return open_night(self._root, self._machine, f"{now:%Y-%m-%d}")

    @property
    def _before(self) -> list[StoredNight]:
        """The nights before this one, the oldest first."""
        return [one for one in self._nights if in_time(one.night) < in_time(self.stored.night)]

    def _known(self) -> Known:
        concluded = [one for one in self._before if one.is_concluded]
        return concluded[-1].known() if concluded else Known()

    def _find(self) -> None:
        now = self._asked.now().isoformat(timespec="seconds")
        self.stored = self.stored.updated(state="running", started_at=self.stored.facts.get("started_at", now))
        found = find(self._asked, self._known(), self._before, self._say)
        state = {"state": "idle", "exit_code": 0} if found.baselines is None else {}
        self.stored = self.stored.updated(**found.as_facts(), **state).with_phase("find", subjects=list(found.subjects))

    # Measuring.

    def _measure(self) -> None:
        subjects = self.stored.phases["find"]["subjects"]
        seed = _seed(self.stored.night)
        if "measure" not in self.stored.phases:
            base = replace(self._request, subjects=(subjects[0], *subjects), seed=seed, against_first=True)
            due = self._canary_is_due()
            left_s = self._left_s()
            budget_s = None if left_s is None else left_s * (MEASURE_SHARE + (0 if due else CANARY_SHARE))
            base, left_out = with_room(replace(base, budget_s=budget_s), self._known(), self._before)
            run = self._run_of(base, KIND)
            models = sorted({cell["model"] for cell in _cells(run) if cell["model"] != "-"})
            self.stored = self.stored.updated(models=models, left_out=list(left_out)).with_phase(
                "measure", run=self._shown(run)
            )
        itself, _ = self._judged()
        fired = fires(itself.rows)
        self.stored = self.stored.updated(
            aa={"judged": sum(row.judged for row in itself.rows), "called": len(fired)},
            only_exact=self._asked.only_exact,
            circumstances=circumstances(self._stored_run("measure").facts, itself),
        )
        if fired:
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

    def _subject_names(self) -> list[str]:
        return [self.stored.facts["build"]["name"], *(name for name, *_ in self.stored.facts["baselines"])]

    def _canary_is_due(self) -> bool:
        """Whether a canary is measured tonight: it is, unless a budget was given and one was found within the week."""
        if self._deadline is None:
            return True
        day = datetime.date.fromisoformat(self.stored.night[:10])
        flown = [one.night[:10] for one in self._before if flew(one.facts)]
        return not flown or (day - datetime.date.fromisoformat(flown[-1])).days >= CANARY_DAYS

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
        _, comparisons = self._judged()
        asked = zip(subjects[1:], comparisons, strict=True)
        wanted = [(name, one.old.name, rows) for name, one in asked if (rows := called(one.rows))]
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

    # Judging.

    def _judged(self) -> tuple[Comparison, list[Comparison]]:
        """Return the A/A arm and the comparison with each baseline."""
        build, *names = self._subject_names()
        return self._judge.judged(self._stored_run("measure"), build, names)

    def _concluded(self) -> Night:
        itself, comparisons = self._judged()
        until = {ident: one["until"] for ident, one in accepted_of(self._root, self._machine).items()}
        known = self._known().without(self.stored.facts.get("unavailable", ()))
        build = self.stored.facts["build"]["name"]
        runs: dict[str, str] = self.stored.phases.get("confirm", {}).get("runs", {})
        again = {name: open_run(self._root / run) for name, run in runs.items()}
        evidence = self._judge.evidence(comparisons, again)
        concluded = conclude(known, self.stored.night, build, evidence, until)
        answer = self._answer(itself, comparisons, self._judge.shortfall(comparisons))
        if answer.fired:
            self.stored = self.stored.updated(state="untrusted", exit_code=answer.exit_code)
            return answer
        answer = replace(answer, concluded=concluded)
        canary = self.stored.facts.get("canary")
        self.stored = self.stored.updated(
            state="finished",
            exit_code=answer.exit_code,
            known=known_as_facts(concluded.known),
            finished_at=self.stored.facts.get("finished_at") or self._asked.now().isoformat(timespec="seconds"),
            canary=canary,
        )
        return replace(answer, record=record_of([*self._before, self.stored]), drifts=self._drifts())

    def _answer(
        self,
        itself: Comparison | None = None,
        comparisons: Sequence[Comparison] = (),
        shortfall: str | None = None,
    ) -> Night:
        accepted = accepted_of(self._root, self._machine)
        answer = night_of(self.stored, self._before, self._machine, self._asked.build, accepted)
        return replace(answer, itself=itself, comparisons=tuple(comparisons), shortfall=shortfall)

    def _idle(self) -> Night:
        return replace(self._answer(), idle=True)

    def _drifts(self) -> tuple[str, ...]:
        """Return what a search of all runs finds to have become worse, in sentences; the project's references apart."""
        try:
            history = ask_history(judged_samples(self._root, self._machine, references=False)).releases
        except UsageError as error:
            self._say(str(error))
            return ()
        return tuple(finding_text(history, one) for one in history.findings if one.ratio > 1)[:5]

    # Runs, time, places.

    def _left_s(self) -> float | None:
        return None if self._deadline is None else max(60.0, self._deadline - time.monotonic())

    def _stored_run(self, phase: str) -> RunDirectory:
        return open_run(self._root / self.stored.phases[phase]["run"])

    def _shown(self, run: RunDirectory) -> str:
        return str(run.path.relative_to(self._root))


def _seed(night: str) -> int:
    """Return the seed of a night's runs, by which a killed night finds them again."""
    day, _, number = night.partition(".")
    return int(day.replace("-", "")) * 100 + int(number or 0)


def _cells(run: RunDirectory) -> list[dict[str, Any]]:
    return [record["cell"] for record in run.records()[0] if record.get("cell")]


def _first_model(request: Request) -> str:
    return chosen_preset(request)[0].cells[0].model
