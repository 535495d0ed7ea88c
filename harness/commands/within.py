"""`savedmodel-bench scaling` and `savedmodel-bench ratios`: what one release's own numbers tell."""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from harness.commands import judging, measuring
from harness.ratios import ratios
from harness.releases.commands import find_root
from harness.report.ratios import render_ratios
from harness.report.scaling import render_scaling
from harness.scaling import courses
from harness.store.frame import repeats_frame, samples_frame
from harness.store.records import Problem
from harness.store.runs import runs_of


def show_scaling(options: argparse.Namespace) -> int:
    """Print the exponent of each operation along each ladder of models."""
    judging.put_out(render_scaling(courses(_samples(options)), options.format), options)
    return 0


def show_ratios(options: argparse.Namespace) -> int:
    """Print loaded over original, writer over writer, way over way, and the like, each release by itself."""
    judging.put_out(render_ratios(ratios(_samples(options)), options.format), options)
    return 0


def _samples(options: argparse.Namespace) -> pd.DataFrame:
    """Return the samples of the run, the machine and the subjects that the options name; of all where they do not."""
    root = find_root()
    problems: list[Problem] = []
    if options.run is not None:
        paths = [judging.load_named_run(options.run).path]
    else:
        both = [runs_of(root, options.machine, reference=reference) for reference in (True, False)]
        paths = [run.path for runs, _ in both for run in runs if run.facts["kind"] != "speed"]
        problems.extend(problem for _, found in both for problem in found)
    samples = samples_frame(repeats_frame(paths, problems))
    for problem in problems:
        print(problem, file=sys.stderr)
    if options.subjects:
        names = {measuring.subject_name(root, name) for name in options.subjects}
        samples = samples[samples["subject"].isin(names)]
    return samples
