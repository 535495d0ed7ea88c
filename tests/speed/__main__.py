"""`python -m tests.speed`: measure the harness, print tables, write results/speed.json. No time ever fails it."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import UsageError
from harness.machine.gpu.presence import Presence, gpu_presence
from harness.machine.identity import describe_machine
from harness.machine.measuring_lock import FOLDER_VARIABLE, MeasuringLock
from harness.releases.environments import Environment, prepare
from harness.releases.manifest import read_manifest
from harness.releases.python_choice import common_python
from harness.store.runs import write_json_atomically

from .accounting import account
from .equality import harness_samples, require_equal, wanted
from .isolation import HEADER, isolation_rows
from .measuring import Cost, measured
from .overheads import device_need_spread, windows
from .plain_suite import run_plain_suite
from .plans import PLANS, models
from .report import Target, account_document, account_tables, table, targets_table, write_docs
from .strangers import pairs, save_models
from .tracker import CALLS_A_SAMPLE, tracker_cost

PARTS = ("a", "b", "c", "d", "e", "f", "g", "h")
ROOT = Path(__file__).resolve().parents[2]


class _Parser(argparse.ArgumentParser):
    """Ends with 3 where the options are wrong, as all commands of the project do."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(3, f"{self.prog}: {message}\n")


class Benchmark:
    """Runs the parts and keeps what they gave."""

    def __init__(self, root: Path, work: Path, environments: list[Environment], smoke: bool) -> None:
        """Measure with the newest releases' environments, the newest last, below the folder `work`."""
        self._root = root
        self._work = work
        self._names = [environment.release.name for environment in environments]
        self._newest = environments[-1]
        self._smoke = smoke
        self.targets: list[Target] = []
        self.lines: list[str] = []
        self.document: dict[str, Any] = {}

    def measure_account(self, parts: set[str]) -> None:
        """(a), (b) and (e): where the seconds of one block of `quick` go, and what of a call is its clock."""
        run = measured(self._root, self._work / "account", "quick", self._names, smoke=self._smoke)
        found = account(run.records, run.phases, run.cost.wall_s)
        if "a" in parts:
            title = "wall time that no phase names"
            self.targets.append(Target("a", title, 100 * found.unnamed_share, 5, True, "%"))
        if "b" in parts:
            title = "without imports: time inside clocks of stored samples"
            self.targets.append(Target("b", title, 100 * found.sample_share, 60, False, "%"))
        if "e" in parts:
            self._tell_clock(run.records)
        if not parts & {"a", "b"}:
            return
        subjects = " and ".join(self._names)
        self._tell(
            "Where the time goes", [f"One block of `quick`, {subjects}, on the CPU.", "", *account_tables(found)]
        )
        self.document["account"] = account_document(found)

    def _tell_clock(self, records: list[dict[str, Any]]) -> None:
        """(e): of the shortest calls, and of every window, the share that is the clock."""
        found = windows(records)
        title = "reading the clock, of the shortest call"
        self.targets.append(Target("e", title, 100 * found[0].clock_share, 0.1, True, "%"))
        rows = [
            (
                f"{one.model} batch {one.batch}",
                f"{1e6 * one.call_s:.0f}",
                one.calls_per_reading,
                f"{1e9 * one.clock_s:.0f}",
                f"{one.clock_share:.3%}",
                f"{1e6 * one.barrier_s:.1f}",
                f"{one.barrier_share:.2%}",
            )
            for one in {(one.model, one.batch): one for one in reversed(found)}.values()
        ]
        heads = ("steady call", "call us", "calls a reading", "clock ns", "of a call", "empty barrier us", "of a call")
        self._tell("Clock and barrier", [*table(heads, rows[::-1])])
        self.document["clock"] = [asdict(one) for one in found]

    def measure_tracker(self) -> None:
        """(f): the device memory tracker, without a target: it never runs beside a clock."""
        track, real = tracker_cost()
        rows = [
            ("samples a second", f"{track['samples_per_s']:.0f}"),
            ("calls of the driver a second", f"{track['samples_per_s'] * CALLS_A_SAMPLE:.0f}"),
            ("share of one core", f"{track['cpu_share']:.1%}"),
            ("longest gap between samples, ms", f"{1e3 * track['longest_gap_s']:.1f}"),
        ]
        answered = (
            "The GPU's driver answered."
            if real
            else "No GPU here: the tests' stand-in library answered, at once. This is the harness's own part; a driver "
            "comes on top (seen on an H100: 9 us a look at the device, 39 us for its processes)."
        )
        self._tell("The device memory tracker", [answered, "", *table(("", "measured"), rows)])
        if real:  # numbers of the stand-in never reach results/
            self.document["tracker"] = track

    def measure_device_need(self) -> None:
        """(g): three blocks on the GPU must agree on what the allocator counted."""
        gpu = gpu_presence(os.environ)
        if gpu.state is not Presence.ANSWERING:
            self._tell("Device need", [f"n/a: {'no-gpu' if gpu.state is Presence.NONE else gpu.text}"])
            return
        release = self._newest.release
        prepare(release, self._root, say=print)
        work = self._work / "device"
        run = measured(self._root, work, "device", [release.name], smoke=self._smoke, wheel="auto")
        spread = device_need_spread(run.records)
        if spread is None:
            raise RuntimeError("no repeat on the GPU told its device need")
        title = "device need: largest difference of a row over the blocks"
        self.targets.append(Target("g", title, 100 * spread, 0.1, True, "%"))

    def measure_given(self) -> None:
        """(h): the harness's own time for a model that was given by its path, held against one that it builds."""
        artifacts = self._work / "artifacts"
        names = models(self._smoke)
        shutil.rmtree(artifacts, ignore_errors=True)
        save_models(self._root, self._newest.python, artifacts, names)
        release = self._newest.release.name
        run = measured(self._root, self._work / "given", "given", [release], smoke=self._smoke, given=artifacts)
        found = pairs(run.records)
        rows = [
            (one.model, one.operation, one.count, f"{one.built_s:.3f}", f"{one.given_s:.3f}", f"{one.ratio:.2f}")
            for one in found
        ]
        told = f"One block, {release}, on the CPU; median seconds a measurement outside the clocks of its samples."
        heads = ("model", "operation", "measurements of each", "built s", "given by its path s", "ratio")
        self._tell("A model that was given by its path", [told, "", *table(heads, rows)])
        ratio = statistics.geometric_mean(one.ratio for one in found)
        self.targets.append(Target("h", "harness time of a given model by a built one", ratio, 1.1, True, "x"))
        self.document["given"] = [asdict(one) for one in found]

    def measure_spawning(self) -> None:
        """(c): the same plan with a process of its own for each repeat."""
        costs, records = {}, {}
        for isolation in ("fork", "spawn"):
            work = self._work / isolation
            run = measured(self._root, work, "quick", self._names[-1:], isolation=isolation, smoke=self._smoke)
            # A p99 of too few calls is a value too: the reason why there is none.
            values = sum(len(record.get(kind) or []) for record in run.records for kind in ("metrics", "absent"))
            costs[isolation], records[isolation] = (run.cost, values), run.records
        if costs["fork"][1] != costs["spawn"][1]:
            raise AssertionError(f"forks gave {costs['fork'][1]} values and spawned processes {costs['spawn'][1]}")
        self._ratio("c", "spawning", 5, costs["spawn"][0], costs["fork"][0])
        rows = [(f"{name} ({values} values)", *_costs(cost)) for name, (cost, values) in costs.items()]
        lines = [
            f"One block of `quick`, {self._names[-1]}, on the CPU.",
            "",
            *table(("isolation", "wall s", "CPU s"), rows),
            "",
            "What the two ways read, one block each, one after the other:",
            "",
            *table(HEADER, isolation_rows(records["fork"], records["spawn"])),
        ]
        self._tell("Forking and spawning", lines)
        self.document["spawning"] = {name: asdict(cost) for name, (cost, _) in costs.items()}

    def measure_plain(self) -> None:
        """(d): equal metrics and sample counts from a plain asv suite."""
        names, name = models(self._smoke), self._newest.release.name
        run = measured(self._root, self._work / "plain-harness", "plain", [name], smoke=self._smoke)
        preset = PLANS["plain"](self._smoke)
        plain = run_plain_suite(self._root, self._work / "plain-asv", self._newest.python, names)
        rows, ours = wanted(names, preset.groups[0].batches), harness_samples(run.records)
        require_equal(rows, ours, plain.samples, preset.blocks)
        self._ratio("d", "a plain asv suite", 8, plain.cost, run.cost)
        first = plain.first_run.wall_s / run.cost.wall_s
        counts = f"{len(rows)} rows with {preset.blocks} samples each on both sides, {name}, {', '.join(names)}."
        sides = {"harness": run.cost, "plain asv": plain.cost, "of it the first `asv run`": plain.first_run}
        costs = table(("side", "wall s", "CPU s"), [(side, *_costs(cost)) for side, cost in sides.items()])
        share = f"Without the second reading of `peakmem_` and `track_`: {first:.1f} x."
        values = [
            (
                metric,
                model,
                batch or "",
                _listed(ours[metric, model, batch]),
                _listed(plain.samples[metric, model, batch]),
            )
            for metric, model, batch in sorted(rows, key=str)
        ]
        heads = ("metric", "model", "batch", "harness", "plain asv")
        self._tell("A plain asv suite", [counts, "", *costs, "", share, "", *table(heads, values)])
        self.document["plain"] = {side: asdict(cost) for side, cost in sides.items()} | {"rows": len(rows)}

    def _ratio(self, part: str, title: str, limit: float, other: Cost, own: Cost) -> None:
        self.targets.append(Target(part, f"wall time by {title}", other.wall_s / own.wall_s, limit, False, "x"))

    def _tell(self, title: str, lines: list[str]) -> None:
        self.lines += [f"### {title}", "", *lines, ""]
        print("\n".join(["", title, "", *lines]), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for. Returns 0 when it measured, whatever the times; 3 when it could not."""
    parser = _Parser("python -m tests.speed", description="Measure the harness itself (docs/speed.md).")
    parser.add_argument(
        "--only", type=_parts, default=set(PARTS), metavar="PARTS", help="some of a,b,c,d,e,f,g,h (default: all)"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="tiny models and windows: try the machinery, believe no number"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/speed.md")
    options = parser.parse_args(arguments)
    if options.write_docs and (options.smoke or options.only != set(PARTS)):
        parser.error("--write-docs takes a whole run: leave out --smoke and --only")
    try:
        _measure(options)
    except (UsageError, RuntimeError, AssertionError) as error:
        print(f"python -m tests.speed: {error}", file=sys.stderr)
        return 3
    return 0


@contextmanager
def _machine_alone() -> Iterator[None]:
    """Keep all other runs off this machine; what is measured inside takes a lock of its own."""
    with MeasuringLock(), tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield


def _measure(options: argparse.Namespace) -> None:
    releases = read_manifest(ROOT / "releases.toml").newest_stable(2)
    python = common_python(releases)
    environments = [prepare(release, ROOT, wheel="cpu", python=python, say=print) for release in releases]
    benchmark = Benchmark(ROOT, ROOT / "results" / "speed", environments, options.smoke)
    # No other run may disturb this one; a smoke run believes no number.
    with nullcontext() if options.smoke else _machine_alone():
        if options.only & {"a", "b", "e"}:
            benchmark.measure_account(options.only)
        if "c" in options.only:
            benchmark.measure_spawning()
        if "d" in options.only:
            benchmark.measure_plain()
        if "f" in options.only:
            benchmark.measure_tracker()
        if "g" in options.only:
            benchmark.measure_device_need()
        if "h" in options.only:
            benchmark.measure_given()
    machine = describe_machine()
    targets = targets_table(benchmark.targets)
    document = {"schema": 1, "smoke": options.smoke, "machine": machine.as_record(), **benchmark.document}
    document["targets"] = [asdict(target) | {"met": target.met} for target in benchmark.targets]
    write_json_atomically(ROOT / "results" / "speed.json", document)
    print("\n".join(["", *targets, "", "All figures: results/speed.json"]))
    if options.write_docs:
        where = f"Measured on {machine.cpu}, {machine.usable_cpus} CPUs, {machine.memory_bytes / 2**30:.0f} GiB."
        write_docs(ROOT / "docs" / "speed.md", [where, "", *targets, "", *benchmark.lines[:-1]])


def _parts(text: str) -> set[str]:
    chosen = {part.strip() for part in text.split(",") if part.strip()}
    if not chosen or chosen - set(PARTS):
        raise argparse.ArgumentTypeError(f"choose some of {','.join(PARTS)}, not {text!r}")
    return chosen


def _costs(cost: Cost) -> tuple[str, str]:
    return f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}"


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
