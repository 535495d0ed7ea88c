"""Everything that a project's results answer, for one page: courses, steps between releases, changes and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.answers.confirmation import SAME_RELEASE, Confirmations
from harness.answers.courses import RowCourse, Steps, courses_of_releases, steps_between_releases
from harness.answers.history import Check, HistorySection
from harness.answers.promises import Promises, ask_promises
from harness.answers.ratios import Ratio, ask_ratios
from harness.answers.records_history import ask_history, judged_samples
from harness.answers.scaling import Course, ask_scaling
from harness.answers.sources import Source, Telling
from harness.answers.summary import SpawnedRuns, summary
from harness.store.records import Problem
from harness.store.worker_versions import OlderRuns
from harness.verdict.confirmation import Standing
from harness.verdict.history import MARGIN


@dataclass(frozen=True, slots=True)
class Overview:
    """What the results of a project say, question by question.

    `medians` is `answers.summary.summary`; `courses` and `steps` are of what is tested for change; `changes` are over
    releases and over nights; `scaling`, `ratios` and `promises` are of one machine. `spawned` and `older` name runs
    that are left out, `problems` could not be read.
    """

    medians: pd.DataFrame
    courses: tuple[RowCourse, ...]
    steps: Steps
    changes: tuple[HistorySection, ...]
    scaling: Telling[Course]
    ratios: Telling[Ratio]
    promises: Promises
    spawned: tuple[SpawnedRuns, ...]
    older: tuple[OlderRuns, ...]
    problems: tuple[Problem, ...]


def ask_overview(root: Path, machine: str | None, program: str) -> Overview:
    """Return everything that the results of a project answer.

    Args:
        root: the project root.
        machine: only this machine's results; all where None.
        program: how the user calls this command.

    Raises:
        UsageError: there are no results.
    """
    problems: list[Problem] = []
    spawned: list[SpawnedRuns] = []
    older: list[OlderRuns] = []
    judged = judged_samples(root, machine)
    medians = summary(root, machine=machine, problems=problems, spawned=spawned, older=older)
    found = ask_history(judged)
    checks = Confirmations(root, found.releases, judged.samples, MARGIN, program).checks()
    same = tuple(Check(Standing.UNCONFIRMED, reason=SAME_RELEASE) for _ in found.nights.findings)
    source = Source(root, machine)
    return Overview(
        medians,
        courses_of_releases(judged.samples, judged.order),
        steps_between_releases(root, judged.order, machine),
        (
            HistorySection("releases", found.releases, checks, found.releases_of_pythons, found.model_changes),
            HistorySection("nights", found.nights, same, found.python_changes, found.model_changes),
        ),
        ask_scaling(source),
        ask_ratios(source),
        ask_promises(source),
        tuple(spawned),
        tuple(older),
        tuple(problems),
    )
