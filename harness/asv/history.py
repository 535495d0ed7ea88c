"""What changed over the commits of an asv project, and the commands that would confirm it there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from harness.answers.history import (
    Check,
    History,
    HistorySection,
    find_history,
    points_of_commits,
    results_of_commits,
)
from harness.asv.commits import log_order
from harness.asv.directory import AsvHistory
from harness.asv.summary import present_versions
from harness.verdict.confirmation import Standing
from harness.verdict.course import Finding, Shape
from harness.verdict.history import Each

_AXIS = ["machine", "environment"]


def history_of_commits(
    history: AsvHistory,
    machine: str | None,
    margin: float,
    program: str,
    repository: Path | None = None,
    each: Each = map,
) -> HistorySection:
    """Return what changed over the commits of a result directory.

    Args:
        history: what the directory holds.
        machine: only this machine's results; all where None.
        margin: the change that does not matter.
        program: how the user calls this command.
        repository: whose log orders the commits; by default the one that asv.conf.json names.
        each: as `search_changes` takes it.

    Raises:
        UsageError: no result is of that machine; the repository is none.
    """
    values = present_versions(history, history.of_machine(machine))
    values, order = in_order(values, history.path, repository)
    results = results_of_commits(values)
    points = points_of_commits(values)
    found = find_history(
        points, axis=_AXIS, measured="benchmark", margin=margin, results=results, order=order, each=each
    )
    checks = tuple(_check(found, finding, history.path, program) for finding in found.findings)
    return HistorySection("commits", found, checks)


def in_order(values: pd.DataFrame, results: Path, repository: Path | None = None) -> tuple[pd.DataFrame, str]:
    """Return the values in the order of their commits, each with the label of its place, and what that order is.

    The order is that of the repository's log; commits that it does not know stay where their dates put them. Without a
    repository it is that of the dates, and commits of one second are one place: nothing says which came first.

    Args:
        values: `AsvHistory.values`.
        results: the result directory.
        repository: as `log_order` takes it.

    Raises:
        UsageError: the repository that was named is none.
    """
    commits = values[["commit", "date"]].drop_duplicates("commit").sort_values("date", kind="stable")
    names = list(commits["commit"].astype(str))
    known = log_order(results, repository)
    if known is not None:
        rank = {commit: place for place, commit in enumerate(known[1])}
        whole = {name: found for name in names if (found := _whole(name, rank)) is not None}
        logged = iter(sorted(whole, key=lambda name: rank[whole[name]]))
        names = [next(logged) if name in whole else name for name in names]
        labels = {name: name[:8] for name in names}
        rest = len(names) - len(whole)
        told = f"Commits are in the order of the log of {known[0]}"
        told += f"; {rest} that it does not know are placed by their dates." if rest else "."
    else:
        labels = _labels(commits)
        same = len(names) - len(set(labels.values()))
        told = "Commits are ordered by their dates: no repository is at hand (--repo DIR names one)."
        told += f" {same} have the same second as another and share its place." if same else ""
    place = {name: number for number, name in enumerate(names)}
    # Millions of values are of some hundred commits: each one's label and place are looked up once.
    commit = values["commit"].astype("category").cat
    known_names = [str(name) for name in commit.categories]
    ordered = values.assign(
        label=np.array([labels.get(name) for name in known_names], dtype=object)[commit.codes],
        place=np.array([place.get(name, -1) for name in known_names], dtype=np.int64)[commit.codes],
    )
    return ordered.sort_values([*_AXIS, "place"], kind="stable"), told


def _whole(name: str, rank: dict[str, int]) -> str | None:
    """Return the whole hash of a commit that a file may have cut short."""
    if name in rank or len(name) >= 40:
        return name if name in rank else None
    return next((commit for commit in rank if commit.startswith(name)), None)


def _labels(commits: pd.DataFrame) -> dict[str, str]:
    """Return what each commit's place is called; commits of one second share it."""
    labels: dict[str, str] = {}
    for date, members in commits.groupby("date", dropna=False, sort=False)["commit"]:
        names = [str(name) for name in members]
        if pd.isna(date) or len(names) == 1:
            labels.update({name: name[:8] for name in names})
        else:
            first = min(names)[:8]
            labels.update(dict.fromkeys(names, f"{first} and {len(names) - 1} more"))
    return labels


def _check(history: History, finding: Finding, results: Path, program: str) -> Check:
    """Return what a user of another asv project can do about a finding: its commits are not ours to build."""
    old, new = history.label(finding, finding.previous), history.label(finding, finding.since)
    if finding.shape is Shape.TREND:
        old, new = new, history.label(finding, max(one.until for one in finding.changes))
    old, new = old.partition(" ")[0], new.partition(" ")[0]
    benchmarks = dict.fromkeys(one.course.group[-1] for one in finding.changes)
    bench = ["--bench", f"^{re.escape(next(iter(benchmarks)))}(\\(|$)"] if len(benchmarks) == 1 else []
    measured = shlex.join(["asv", "continuous", "--interleave-rounds", "-a", "rounds=10", *bench, old, new])
    judged = shlex.join([program, "compare", "--results", str(results), old, new])
    return Check(Standing.UNCONFIRMED, command=f"{measured} && {judged}")
