"""From a run's records to a comparison of two of its subjects."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.commands.call_notes import call_notes
from harness.commands.installation_notes import installation_notes
from harness.commands.remarks import floors_of, read_run, run_notes
from harness.comparison import Comparison, SubjectFacts, compare_subjects, exact_only_cells
from harness.errors import UsageError
from harness.measure.presets import matches, shipped_names
from harness.measure.retries import stands_for
from harness.metrics import CELL_FAILED, METRICS, Kind
from harness.output_encoding import ERRORS
from harness.report.json_document import render_json
from harness.report.markdown import render_markdown
from harness.report.table import render_table
from harness.shortfall import Places, places_of, shortfall_of_places
from harness.store.frame import failures_frame, samples_frame, taint_kinds, tainted_frame, tainted_repeats
from harness.store.records import Problem, complete_blocks, records_of_complete_blocks, versions_said
from harness.store.runs import RunDirectory, load_run
from harness.verdict.margins import MARGINS, Asked, margin_table


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for: all where None. `models` are globs with commas between."""

    operations: Sequence[str] | None = None
    devices: Sequence[str] | None = None
    models: str | None = None

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table with the columns device, model, and metric or operation, that are asked for.

        What no device or model is part of, an import, stays.
        """
        kept = pd.Series(True, index=table.index)
        if self.operations is not None and "metric" in table:
            names = {name for name, metric in METRICS.items() if metric.operation in self.operations}
            kept &= table["metric"].isin(names | {CELL_FAILED.name})
        if self.devices is not None:
            kept &= table["device"].isin([*self.devices, "-"])
        if self.models is not None:
            known = [model for model in table["model"].unique() if model == "-" or matches(model, self.models)]
            kept &= table["model"].isin(known)
        return table[kept]

    def of_places(self, places: Places) -> Places:
        """Return the places that are asked for."""
        return {
            place: outcomes
            for place, outcomes in places.items()
            if (self.operations is None or place.operation in self.operations)
            and (self.devices is None or place.cell.device in self.devices)
            and matches(place.cell.model, self.models)
        }

    def lacks(self, table: pd.DataFrame) -> bool:
        """Return whether a table that was narrowed has nothing that was asked for."""
        narrowed = self.devices is not None or self.models is not None
        return table.empty or (narrowed and bool((table["model"] == "-").all()))


def compare_in_run(
    run: RunDirectory,
    old: str,
    new: str,
    wanted: Wanted = Wanted(),
    *,
    margins: Asked | None = None,
    q_level: float = 0.05,
) -> Comparison:
    """Judge two subjects of one run.

    Args:
        run: the run.
        old, new: names of its subjects.
        wanted: only these rows.
        margins: asked for beside those of the run's preset.
        q_level: accepted false discovery rate.

    Raises:
        UsageError: the run has no such subject, no complete block, or none of the rows that are wanted.
    """
    facts: Mapping[str, Mapping[str, Any]] = {subject["name"]: subject for subject in run.facts["subjects"]}
    for name in (old, new):
        if name not in facts:
            raise UsageError(f"Run {run.run} did not measure {name}; it measured {', '.join(facts)}.")
    records, repeats = read_run(run)
    if not complete_blocks(records):
        raise UsageError(f"Run {run.run} holds no complete block: there is nothing to judge.")
    samples, tainted, failures = map(
        wanted.of, (samples_frame(repeats), tainted_frame(repeats), failures_frame(repeats))
    )
    if all(wanted.lacks(table) for table in (samples, tainted, failures)):
        raise UsageError(f"Run {run.run} measured nothing that --operation, --device and --model leave.")
    versions = versions_said(records)
    preset, looks = run.facts["preset"], _looks(run)
    exact_only = exact_only_cells(preset)
    places = places_of(records_of_complete_blocks(records), (old, new), preset.get("groups", ()), exact_only)
    return compare_subjects(
        samples,
        failures,
        SubjectFacts.of({**facts[old], **versions.get(old, {})}),
        SubjectFacts.of({**facts[new], **versions.get(new, {})}),
        margins=margin_table(preset.get("time_margin", MARGINS[Kind.TIME]), preset.get("margins"), margins),
        machine=run.facts["machine"],
        preset=preset["name"],
        run_path=shown_path(run.path),
        exact_only=exact_only,
        tainted=tainted,
        tainted_repeats=tainted_repeats(repeats, (old, new)),
        taint_kinds=taint_kinds(repeats, (old, new)),
        further=stands_for(records),
        floors=floors_of(run),
        notes=[
            *installation_notes(run, records, (old, new)),
            *run_notes(run),
            *_looks_note(looks),
            *call_notes(records, (old, new)),
        ],
        shortfall=shortfall_of_places(wanted.of_places(places), (old, new)),
        looks=looks,
        q_level=q_level,
    )


def concluded(comparison: Comparison, require_decision: bool = False) -> int:
    """Return the exit code of a comparison that was put out, and say what was missing where too little was measured."""
    if comparison.shortfall is not None:
        print(f"savedmodel-bench: {comparison.shortfall}", file=sys.stderr)
    return comparison.exit_code(require_decision)


def render(comparison: Comparison, options: argparse.Namespace) -> str:
    """Return the comparison in the format that was asked for."""
    if options.format == "json":
        return render_json(comparison, require_decision=options.require_decision)
    if options.format == "markdown":
        return render_markdown(comparison, everything=everything(options, comparison))
    settle = _settle_command(comparison, options)
    return render_table(comparison, width=terminal_width(), colour=is_coloured(options), settle_command=settle)


def _settle_command(comparison: Comparison, options: argparse.Namespace) -> str | None:
    """Return the command that measures these two sides as they were, without a number of blocks; None: there is none.

    A run that is read says what its preset is called, not in which file it lay.
    """
    preset = options.preset if options.run is None else comparison.preset
    if options.results is not None or (options.run is not None and preset not in shipped_names()):
        return None
    words = [command_name(), "compare", comparison.old.name, comparison.new.name, "--preset", preset]
    for name in ("device", "model", "operation", "isolation", "wheel", "policy", "python", "machine"):
        value = getattr(options, name)
        if value not in (None, "fork", "auto"):
            words += [f"--{name}", value if isinstance(value, str) else ",".join(value)]
    return shlex.join(words)


def everything(options: argparse.Namespace, comparison: Comparison | None = None) -> str:
    """Return the command that prints as JSON all that this one found, measuring nothing.

    Args:
        options: of a command that has answers in JSON.
        comparison: what was judged, where the command judges.
    """
    given = vars(options)
    words, run = [command_name(), options.command, *given.get("subjects", ())], given.get("run")
    rows = ["device", "model", "operation"]  # options that choose rows; the others say how to measure
    if comparison is None or options.results is not None:
        words += [given[name] for name in ("old", "new") if name in given]
        rows.append("machine")
    else:
        words += [comparison.old.name, comparison.new.name]
        run = run or comparison.run_path
    sources = (("results", given.get("results")), ("repo", given.get("repo")), ("run", run))
    for name, value in (*sources, *((name, given.get(name)) for name in rows)):
        if value is not None:
            words += [f"--{name}", ",".join(value) if isinstance(value, list) else str(value)]
    words += ["--changes"] if given.get("changes") else []
    margins = given.get("margin") or ()
    for pattern, share in [(None, margins)] if isinstance(margins, float) else margins:
        words += ["--margin", f"{share:g}" if pattern is None else f"{pattern}={share:g}"]
    return shlex.join([*words, "--format", "json"])


def everything_of_run(run: RunDirectory) -> str:
    """Return the command that has every number of a run that nobody compares: `run` itself would measure again."""
    return shlex.join([command_name(), "export", "--machine", run.machine, "--format", "json"])


def is_coloured(options: argparse.Namespace) -> bool:
    """Return whether the report goes to a terminal, which shows colours."""
    return options.output is None and sys.stdout.isatty()


def put_out(text: str, options: argparse.Namespace) -> None:
    """Print a report, or write it where --output says.

    Raises:
        UsageError: the file cannot be written.
    """
    if options.output is None:
        print(text.rstrip("\n"))
        return
    try:
        options.output.write_text(text.rstrip("\n") + "\n", encoding="utf-8", errors=ERRORS)
    except OSError as error:
        raise UsageError(f"{options.output} cannot be written ({error.strerror}): give another --output.") from error
    print(f"The report is in {options.output}.", file=sys.stderr)


def require_machine(table: pd.DataFrame, machine: str | None) -> None:
    """Raise UsageError if a machine was asked for by name of which nothing was found."""
    if machine is not None and table.empty:
        raise UsageError(
            f"The results hold nothing of a machine {machine!r}; `savedmodel-bench summary` names those known."
        )


def load_named_run(path: Path) -> RunDirectory:
    """Return the run in a directory that a user named.

    Raises:
        UsageError: there is none.
    """
    run = load_run(path)
    if isinstance(run, Problem):
        raise UsageError(f"{path} holds no run that can be read: {run.path.name} {run.text}.")
    return run


def command_name() -> str:
    """Return this command as the user would type it here: by its name where that is found, else by its path."""
    name = Path(sys.argv[0]).name
    return name if shutil.which(name) else shown_path(Path(sys.argv[0]).absolute())


def terminal_width() -> int:
    """Return the columns to write for: the terminal's, between 80 and 120, or 100 where there is none."""
    return max(80, min(120, shutil.get_terminal_size((100, 24)).columns))


def shown_path(path: Path) -> str:
    """Return a path as the user would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _looks(run: RunDirectory) -> tuple[int, ...]:
    """Return the blocks after which a budgeted run was judged; one that was broken off before is looked at now."""
    if "looks" not in run.facts:
        return ()
    return tuple(run.facts["looks"]) or (max(1, len(complete_blocks(run.records()[0]))),)


def _looks_note(looks: Sequence[int]) -> list[str]:
    if not looks:
        return []
    after = " and ".join(filter(None, (", ".join(map(str, looks[:-1])), str(looks[-1]))))
    return [
        f"Measured within a budget and judged after {after} blocks, cells stopping when settled: p-values, intervals "
        "and blocks needed are paid for up to four looks."
    ]
