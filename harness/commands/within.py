"""`savedmodel-bench scaling` and `savedmodel-bench ratios`: what one release's own numbers tell."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pandas as pd

from harness.commands import judging, measuring
from harness.commands.sources import Reading, Runs, first_telling
from harness.ratios import Ratio, ratios
from harness.releases.commands import find_root
from harness.report.ratios import render_ratios
from harness.report.scaling import render_scaling
from harness.scaling import Course, courses
from harness.store.frame import repeats_frame, samples_frame
from harness.store.python_changes import subject_labels
from harness.store.records import Problem


def show_scaling(options: argparse.Namespace) -> int:
    """Print the exponent of each operation along each ladder of models."""

    def read(runs: Runs, problems: list[Problem]) -> Reading[Course]:
        samples = _samples(options, runs, problems)
        found = courses(samples, [run.run for run in runs])
        fitted = [one for one in found if one.growth is not None]
        return Reading(found, _blocks(samples, {one.run for one in fitted or found}))

    def fits(found: Sequence[Course]) -> bool:
        return any(one.growth is not None for one in found)

    found, provenance = first_telling(options, read, fits)
    judging.put_out(render_scaling(found, provenance, options.format, judging.everything(options)), options)
    return 0


def show_ratios(options: argparse.Namespace) -> int:
    """Print loaded over original, writer over writer, way over way, and the like, each release by itself."""

    def read(runs: Runs, problems: list[Problem]) -> Reading[Ratio]:
        samples = _samples(options, runs, problems)
        found = ratios(samples)
        return Reading(found, _blocks(samples, {run for one in found for run in one.runs}))

    found, provenance = first_telling(options, read)
    judging.put_out(render_ratios(found, provenance, options.format, judging.everything(options)), options)
    return 0


def _samples(options: argparse.Namespace, runs: Runs, problems: list[Problem]) -> pd.DataFrame:
    """Return the samples of runs, only those of the subjects that the options name, each Python's apart."""
    samples = samples_frame(repeats_frame([run.path for run in runs], problems))
    if options.subjects:
        root = find_root()
        names = {measuring.subject_name(root, name) for name in options.subjects}
        samples = samples[samples["subject"].isin(names)]
    labels = subject_labels(runs)
    named = [labels[str(run), str(name)] for run, name in zip(samples["run"], samples["subject"], strict=True)]
    return samples.assign(subject=pd.Series(named, index=samples.index, dtype="string"))


def _blocks(samples: pd.DataFrame, runs: set[str]) -> set[tuple[str, int]]:
    """Return run and number of every block of some runs."""
    of_runs = samples.loc[samples["run"].isin(runs), ["run", "block"]].drop_duplicates()
    return {(str(run), int(block)) for run, block in of_runs.itertuples(index=False)}
