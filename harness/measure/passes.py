"""The kinds of measurements that a plan can hold: which operation of the worker each asks for, and its title.

To add one: a line here, a module in harness/worker/ named in its table of operations, and its metrics in
harness/metrics.py. A group of a preset then takes `<name>_repeats`.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.store.records import IN_TURN


@dataclass(frozen=True, slots=True)
class Pass:
    """One kind of measurement."""

    name: str  # a preset's field is `<name>_repeats`
    operation: str  # of the worker, and of the metrics that it reports
    page_cache: str | None  # the state of the artifact's pages when it is read; None: nothing is read
    title: str  # as forecasts say it, after the number 1
    titles: str | None = None  # after any other number; None: the same
    spawned: bool = False  # its clock begins with the start of a process, so none is forked; it holds the import
    in_turn: bool = False  # two subjects' processes do it at once, in turn: for a pair, and no value of its own

    @property
    def recorded(self) -> str:
        """What records call the operation."""
        return recorded_name(self.operation, in_turn=self.in_turn)


def recorded_name(operation: str, *, in_turn: bool) -> str:
    """Return what records call an operation: of what a process also does alone, it tells what was done in turn."""
    return f"{operation}{IN_TURN}" if in_turn and operation != "slices" else operation


PASSES = {
    each.name: each
    for each in (
        Pass("save", "save", None, "save", "saves"),
        Pass("save_turns", "save", None, "save in turn", "saves in turn", in_turn=True),
        Pass("answer", "answer", None, "answer to compare with", "answers to compare with"),
        Pass("cold", "load", "cold", "load with a cold page cache", "loads with a cold page cache"),
        Pass("warm", "load", "warm", "load with a warm page cache", "loads with a warm page cache"),
        Pass("reload", "reload", "warm", "process that loads ten times", "processes that load ten times"),
        Pass("infer", "infer", "warm", "latency measurement", "latency measurements"),
        Pass(
            "first_result",
            "first-result",
            "warm",
            "new process to its first result",
            "new processes to their first result",
            spawned=True,
        ),
        Pass("calls", "calls", "warm", "measurement of all call methods", "measurements of all call methods"),
        Pass("memory", "memory", "warm", "memory measurement", "memory measurements"),
        Pass("profile", "profile", "warm", "profiler measurement", "profiler measurements"),
        Pass("slices", "slices", "warm", "latency comparison in turn", "latency comparisons in turn", in_turn=True),
        Pass("warm_turns", "load", "warm", "load in turn", "loads in turn", in_turn=True),
        Pass("resave", "resave", "warm", "save of a loaded model", "saves of a loaded model"),
        Pass("resume", "resume", "warm", "check of resuming training", "checks of resuming training"),
        Pass(
            "custom_code",
            "custom-code",
            "warm",
            "check of loading without the original code",
            "checks of loading without the original code",
        ),
        Pass("floor", "floor", "warm", "measurement of the lower bounds", "measurements of the lower bounds"),
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
