"""The kinds of repeats that a plan can hold: which operation of the worker each asks for, and how often a preset says.

To add one: a line here, a module in harness/worker/ named in its table of operations, and its metrics in
harness/metrics.py. A group of a preset then takes `<name>_repeats`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pass:
    """One kind of repeat."""

    name: str  # a preset's field is `<name>_repeats`
    operation: str  # of the worker, and of the metrics that it reports
    page_cache: str | None  # the state of the artifact's pages when it is read; None: nothing is read
    title: str  # as forecasts say it, after the number 1
    titles: str | None = None  # after any other number; None: the same
    spawned: bool = False  # its clock begins with the start of a process, so none is forked; it holds the import


PASSES = {
    each.name: each
    for each in (
        Pass("save", "save", None, "save", "saves"),
        Pass("answer", "answer", None, "answer to compare with", "answers to compare with"),
        Pass("cold", "load", "cold", "cold load", "cold loads"),
        Pass("warm", "load", "warm", "warm load", "warm loads"),
        Pass("reload", "reload", "warm", "with ten loads"),
        Pass("infer", "infer", "warm", "with steady calls"),
        Pass(
            "first_result",
            "first-result",
            "warm",
            "new process to its first result",
            "new processes to their first result",
            spawned=True,
        ),
        Pass("calls", "calls", "warm", "with all ways to call"),
        Pass("memory", "memory", "warm", "pass over memory", "passes over memory"),
        Pass("profile", "profile", "warm", "under the profiler"),
        Pass("slices", "slices", "warm", "pair of processes in turn", "pairs of processes in turn"),
        Pass("resave", "resave", "warm", "save of what was loaded", "saves of what was loaded"),
        Pass("resume", "resume", "warm", "check that training goes on", "checks that training goes on"),
        Pass(
            "custom_code", "custom-code", "warm", "check without the original code", "checks without the original code"
        ),
        Pass("floor", "floor", "warm", "floor of the device", "floors of the device"),
    )
}
"""By name, in the order of their first use in a cell: what saves comes before what reads.

A model of the zoo is saved by the harness; of an artifact that somebody else wrote, the first subject's answer stands
for what a model of the zoo gives before it is saved.
"""

ORIGINS = ("save", "answer")
"""The passes of which a cell has one: without it there is nothing to read or to compare with."""

OPERATIONS = tuple(dict.fromkeys(each.operation for each in PASSES.values()))
"""What `--operation` chooses from."""
