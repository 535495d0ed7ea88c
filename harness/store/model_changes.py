"""Where a model of a user's own changed under its name: no row has both, and that is told."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class ModelChange:
    """From one run of a machine to the next, a name stood for another content, signature or inputs."""

    machine: str  # as in the table
    called: str  # what people call the model
    before: str  # with the digest, as rows name it
    after: str
    run: str  # the first one of the new model

    def __str__(self) -> str:
        return (
            f"{self.machine}: {self.called} is another model since run {self.run}: {self.after}, {self.before} before. "
            "No series contains both."
        )


def model_changes(samples: pd.DataFrame, machines: pd.Series[str]) -> list[ModelChange]:
    """Return where a machine's runs first had another model under a name, in the order of time.

    Args:
        samples: `export.record_samples`.
        machines: the machine of each, by the name that the table is to have.
    """
    rows = samples.assign(machine=machines, called=samples["model"].astype("string").str.extract(r"^(.+)@[^@]*$")[0])
    columns = ["machine", "called", "model", "run", "created_at"]
    rows = rows[rows["called"].notna()][columns].drop_duplicates().sort_values(["created_at", "run"], kind="stable")
    found: list[ModelChange] = []
    seen: dict[tuple[str, str], list[str]] = {}
    for machine, called, model, run, _ in rows.itertuples(index=False):
        known = seen.setdefault((machine, called), [])
        if known and model not in known:
            found.append(ModelChange(machine, called, known[-1], model, run))
        known.append(model)
    return found
