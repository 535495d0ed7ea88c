"""`savedmodel-bench promises`: what SavedModel promises, and in which release it holds."""

from __future__ import annotations

import argparse
import re

from harness.commands import judging
from harness.commands.sources import Reading, Runs, first_telling
from harness.promises import Promise, promises
from harness.releases.commands import find_root
from harness.releases.manifest import read_manifest
from harness.report.promises import render_promises
from harness.store.python_changes import subject_labels
from harness.store.records import Problem, Record, records_of_complete_blocks


def show_promises(options: argparse.Namespace) -> int:
    """Print every promise that one machine's records tell about, each by its newest run."""
    told, provenance = first_telling(options, _read)
    dates = {release.name: str(release.date) for release in read_manifest(find_root() / "releases.toml").releases}
    subjects = sorted({one.subject for one in told}, key=lambda name: (dates.get(re.split("[@ ]", name)[0], ""), name))
    judging.put_out(render_promises(told, subjects, provenance, options.format, judging.everything(options)), options)
    return 0


def _read(runs: Runs, problems: list[Problem]) -> Reading[Promise]:
    records: list[Record] = []
    labels = subject_labels(runs)
    for run in runs:
        read, found = run.records()
        problems.extend(found)
        records.extend(
            {**record, "run": run.run, "subject": labels[run.run, record["subject"]]}
            for record in records_of_complete_blocks(read)
        )
    told = promises(records)
    used = {one.run for one in told}
    return Reading(told, {(record["run"], record["block"]) for record in records if record["run"] in used})
