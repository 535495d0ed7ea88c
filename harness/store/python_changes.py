"""Which Python the numbers are of: those of two Pythons never share a row, and where it changed is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.store.runs import RunDirectory


@dataclass(frozen=True, slots=True)
class PythonChange:
    """From one run of a machine to the next, some releases were measured under another Python."""

    machine: str  # as in the table
    subjects: tuple[str, ...]
    before: str  # the minor
    after: str
    run: str  # the first one under the new Python

    def __str__(self) -> str:
        return (
            f"{self.machine}: {', '.join(self.subjects)} measured with Python {self.after} since run {self.run}, with "
            f"Python {self.before} before. No series contains both."
        )


@dataclass(frozen=True, slots=True)
class ReleasesOfPython:
    """The releases that a machine which has several Pythons in its results has measured under one of them."""

    machine: str  # as in the table
    python: str  # the minor
    subjects: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.machine}: measured with Python {self.python}: {', '.join(self.subjects)}."


def python_minors(samples: pd.DataFrame) -> pd.Series[str]:
    """Return the Python minor of each of `export.record_samples` ("3.11"), missing where it was not recorded."""
    return samples["python"].astype("string").str.extract(r"^(\d+\.\d+)", expand=False)


def python_changes(samples: pd.DataFrame, machines: pd.Series[str]) -> list[PythonChange]:
    """Return where the Python of a release changed from one of a machine's runs to the next, in the order of time.

    Args:
        samples: `export.record_samples`.
        machines: the machine of each, by the name that the table is to have.
    """
    found: dict[tuple[str, str, str, str], list[str]] = {}
    last: dict[tuple[str, str], str] = {}
    columns = ["machine", "subject", "run", "created_at", "python"]
    rows = _known(samples, machines)[columns].drop_duplicates().sort_values(["created_at", "run"], kind="stable")
    for machine, subject, run, _, python in rows.itertuples(index=False):
        before = last.get((machine, subject))
        if before not in (None, python):
            found.setdefault((machine, str(before), python, run), []).append(subject)
        last[machine, subject] = python
    return [PythonChange(key[0], tuple(subjects), *key[1:]) for key, subjects in found.items()]


def releases_by_python(samples: pd.DataFrame, machines: pd.Series[str], order: Sequence[str]) -> list[ReleasesOfPython]:
    """Return which releases were measured under which Python, of machines whose results have several.

    Args:
        samples: `export.record_samples`.
        machines: the machine of each, by the name that the table is to have.
        order: the releases by date; other subjects are left out.
    """
    rows = _known(samples, machines)
    rows = rows[rows["subject"].isin(list(order))]
    found = []
    for machine, part in rows.groupby("machine", sort=True):
        if part["python"].nunique() > 1:
            for python, own in part.groupby("python", sort=True):
                measured = set(own["subject"])
                names = tuple(name for name in order if name in measured)
                found.append(ReleasesOfPython(str(machine), str(python), names))
    return sorted(found, key=lambda one: (one.machine, [int(part) for part in one.python.split(".")]))


def subject_labels(runs: Iterable[RunDirectory]) -> dict[tuple[str, str], str]:
    """Return what a subject is called in a table of several runs, by run and subject.

    Where these runs have it under several Pythons, its name has the Python: "v2.21.0 [Python 3.11]".
    """
    recorded = {
        (run.run, str(subject["name"])): None if subject.get("python") is None else str(subject["python"])
        for run in runs
        for subject in run.facts["subjects"]
    }
    pythons: dict[str, set[str]] = {}
    for (_, name), python in recorded.items():
        pythons.setdefault(name, set()).update([python] if python else [])
    return {
        (run, name): f"{name} [Python {python}]" if python and len(pythons[name]) > 1 else name
        for (run, name), python in recorded.items()
    }


def _known(samples: pd.DataFrame, machines: pd.Series[str]) -> pd.DataFrame:
    """Return the samples whose Python was recorded, with its minor and the machine's name as plain texts."""
    named = samples.assign(machine=machines, python=python_minors(samples))
    named = named[named["python"].notna()]
    return named.astype(dict.fromkeys(("machine", "python", "subject", "run"), "object"))
