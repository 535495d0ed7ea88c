"""A night of one machine, whoever measured it: what its runs say becomes states, last good builds and a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.answers.comparison import Comparison
from harness.answers.night import Night, circumstances, night_of, record_of
from harness.answers.night_evidence import NightJudge
from harness.answers.records_history import ask_history, judged_samples
from harness.errors import UsageError
from harness.planning.nights import AskedNight
from harness.report.history_words import finding_text
from harness.store.nights import StoredNight, accepted_of, in_time, known_after, known_as_facts, nights_of, open_night
from harness.store.runs import RunDirectory, open_run
from harness.verdict.nights import Known, called, conclude, fires, tried
from harness.verdict.rows import Row


class MachineNight:
    """One night of one machine, on disk; each step is noted there, so that the next command goes on.

    Args:
        asked: what was to be measured; `night` names it.
        machine: the name of the machine that measured it.
        say: is told what is going on, a line each.
    """

    def __init__(self, asked: AskedNight, machine: str, say: Callable[[str], None]):
        self._asked, self._machine, self._say = asked, machine, say
        self._root = asked.request.root
        self._nights, problems = nights_of(self._root, machine)
        for problem in problems:
            say(str(problem))
        self._judge = NightJudge(asked.request.operations, asked.request.margins, asked.only_exact)
        self.stored = self._choose()

    def _choose(self) -> StoredNight:
        return open_night(self._root, self._machine, str(self._asked.night))

    @property
    def _before(self) -> list[StoredNight]:
        """The nights before this one, the oldest first."""
        return [one for one in self._nights if in_time(one.night) < in_time(self.stored.night)]

    def _known(self) -> Known:
        return known_after(self._before)

    def calls(self) -> Mapping[str, Sequence[Row]]:
        """Return the rows that were called worse, by the baseline's name."""
        return {one.old.name: called(one.rows) for one in self._judged()[1]}

    def _note_measured(self, run: RunDirectory, left_out: Sequence[str] = ()) -> None:
        """Note the run that holds the build twice and its baselines."""
        models = {record["cell"]["model"] for record in run.records()[0] if record.get("cell")} - {"-"}
        self.stored = self.stored.updated(models=sorted(models), left_out=list(left_out)).with_phase(
            "measure", run=self._shown(run)
        )

    def _note_arms(self) -> bool:
        """Note what the A/A arm says; return whether the night can be trusted."""
        itself, _ = self._judged()
        fired = fires(itself.rows)
        self.stored = self.stored.updated(
            aa={"judged": tried(itself.rows), "called": len(fired)},
            only_exact=self._asked.only_exact,
            circumstances=circumstances(self._stored_run("measure").facts, itself),
        )
        return not fired

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

    def _drifts(self) -> tuple[str, ...]:
        """Return what a search of all runs finds to have become worse, in sentences; the project's references apart."""
        try:
            history = ask_history(judged_samples(self._root, self._machine, references=False)).releases
        except UsageError as error:
            self._say(str(error))
            return ()
        return tuple(finding_text(history, one) for one in history.findings if one.ratio > 1)[:5]

    def _subject_names(self) -> list[str]:
        return [self.stored.facts["build"]["name"], *(name for name, *_ in self.stored.facts["baselines"])]

    def _stored_run(self, phase: str) -> RunDirectory:
        return open_run(self._root / self.stored.phases[phase]["run"])

    def _shown(self, run: RunDirectory) -> str:
        return str(run.path.relative_to(self._root))
