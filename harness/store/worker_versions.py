"""Which runs may be read together: those of one worker version. By some numbers the next one means something else."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class OlderRuns:
    """A machine's runs of workers before the newest version that a table reads: left out of it."""

    machine: str  # as in the table
    runs: tuple[str, ...]
    version_read: int

    def __str__(self) -> str:
        runs = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
        return (
            f"{self.machine}: {runs} with a measurement method before version {self.version_read} left out, because "
            "not all of their numbers are comparable; `savedmodel-bench export` has all."
        )


def age(version: int | None) -> int:
    """Return what orders worker versions: a run that does not say its own comes before all that do."""
    return version or 0


def of_newest_worker(samples: pd.DataFrame, machines: pd.Series[str]) -> tuple[pd.DataFrame, list[OlderRuns]]:
    """Return the samples of the newest worker version that each machine has, and which runs that leaves out.

    Args:
        samples: with the columns run and worker_version (missing where a run does not say it).
        machines: the machine of each sample, by the name that the table is to have; a machine's reference runs are
            another machine.
    """
    versions = samples["worker_version"].fillna(age(None)).astype("int64")
    newest = versions.groupby(machines).transform("max")
    is_older = versions < newest
    older = [
        OlderRuns(str(machine), tuple(map(str, runs.unique())), int(newest[runs.index[0]]))
        for machine, runs in samples.loc[is_older, "run"].groupby(machines[is_older])
    ]
    return samples[~is_older], older
