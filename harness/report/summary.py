"""All numbers of the project's own records: a line a metric and model family, and as data every median."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.answers.history import HistorySection
from harness.answers.outline import Outline
from harness.answers.summary import SpawnedRuns
from harness.report.document import Document, Paragraph, Report
from harness.report.history import history_data, history_parts
from harness.report.medians import medians_data
from harness.report.outline import Shown, outline_data, outline_parts
from harness.store.worker_versions import OlderRuns


def report_summary(
    medians: pd.DataFrame,
    standings: pd.DataFrame,
    outlines: Sequence[Outline] = (),
    changes: Sequence[HistorySection] = (),
    *,
    spawned: Sequence[SpawnedRuns] = (),
    older: Sequence[OlderRuns] = (),
    older_judged: Sequence[OlderRuns] = (),
    shown: Shown | None = None,
) -> Report:
    """Return the course, the best and the latest of each metric and model family; medians and standings as data.

    Args:
        medians: `answers.summary.summary`.
        standings: `answers.history.standings`.
        outlines: of each machine and environment.
        changes: over releases and nights; empty where nobody asked for them.
        spawned: the machines that have runs with `--isolation spawn`.
        older: the machines that have runs of older worker versions, which are not in the medians.
        older_judged: the same of the standings and changes.
        shown: how much is shown.
    """
    told = dict.fromkeys([*map(str, spawned), *map(str, older), *map(str, older_judged)])
    parts = (*outline_parts(outlines, shown or Shown()), *map(Paragraph, told), *history_parts(changes))
    rows = [{**row, "course": list(row["course"])} for row in standings.to_dict("records")]
    history = history_data(changes, older_judged)
    data = {
        **medians_data(medians, spawned, older),
        "outlines": outline_data(outlines),
        "standings": rows,
        "history": history["sections"],
        "history_older_runs": history["older_runs"],
    }
    return Report("summary", Document(None, parts), data)
