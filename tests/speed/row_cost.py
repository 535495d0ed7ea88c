"""What a row costs: this harness, an older checkout of it, pyperf and plain asv on the same rows of one model, in turn.

    python -m tests.speed.row_cost --runs 5 --before ../older-checkout --write-docs

Both sides are the same release, so the truth is known: no row has changed. The cost of a row is the seconds of a whole
run times (standard error / 2.5 %) squared: what it takes until a change is known to within 5 %, at 95 %. It does not
depend on how long a run is, since twice the samples halve the squared error. Each run is kept in
`results/row_cost.jsonl` as soon as it is done; a later call adds to it, and the table is of all that are there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from harness.errors import UsageError
from harness.machine.identity import describe_machine
from harness.measure.pinning import worker_environment
from harness.releases.environments import prepare
from harness.releases.manifest import read_manifest

from .plain_suite import SUITE, environment_beside, run_plain_suite
from .report import table, write_docs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "speed.md"
KEPT = ROOT / "results" / "row_cost.jsonl"
BEGIN = "<!-- numbers: written by `python -m tests.speed.row_cost --write-docs`, from here -->"
MODEL = "mlp-s"
ROWS = {
    "import_s": "import",
    "save_first_s": "first save",
    "save_later_s": "later save",
    "load_cold_s": "cold load",
    "load_again_s": "second load",
    "first_call_s": "first call",
    "infer_p50_s b1": "steady call, batch 1",
    "infer_p50_s b32": "steady call, batch 32",
}
_BENCHMARKS = r"\.time_(import|save_first|save_later|load_cold|load_again|first_call|infer)\b"
_PYPERF = "pyperf==2.11.0"
_GOAL = 0.025

Difference = tuple[float, float, float]
"""Log ratio of the two sides, its standard error, and its degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a tool: what it took, and each row's difference, whose truth is 0."""

    tool: str
    wall_s: float
    rows: Mapping[str, Difference]


def of_sides(old: Sequence[float], new: Sequence[float]) -> Difference:
    """Return the difference of two sides' means of logs, from one number a process (Welch's standard error)."""
    first, second = ([math.log(value) for value in side] for side in (old, new))
    parts = [statistics.variance(side) / len(side) for side in (first, second)]
    freedom = sum(parts) ** 2 / sum(p**2 / (len(s) - 1) for p, s in zip(parts, (first, second), strict=True))
    return statistics.fmean(second) - statistics.fmean(first), math.sqrt(sum(parts)), freedom


class Tools:
    """Each tool, ready to compare the release with itself."""

    def __init__(self, work: Path, python: Path, before: Path | None, blocks: int, processes: int) -> None:
        """Measure the TensorFlow of an interpreter, below the folder `work`."""
        self._work, self._python, self._before = work, python, before
        self._blocks, self._processes = blocks, processes

    def all(self) -> dict[str, Callable[[], Run]]:
        """Return the tools by their names."""
        found: dict[str, Callable[[], Run]] = {"this harness": lambda: self.harness("this harness", ROOT)}
        if self._before is not None:
            before = self._before
            found["before"] = lambda: self.harness("before", before)
        return {**found, "pyperf": self.pyperf, "plain asv": self.asv}

    def harness(self, tool: str, checkout: Path) -> Run:
        """Run `compare` of a checkout: all that its plan `quick` measures of the model."""
        project = self._fresh(tool.replace(" ", "-"))
        shutil.copy(ROOT / "asv.conf.json", project)
        entries = [
            f'[[release]]\nname = "{name}"\npython = "{self._python}"\ndate = 2026-01-0{day}\n'
            for day, name in enumerate(("first", "second"), 1)
        ]
        (project / "releases.toml").write_text("\n".join(entries))
        out = project / "answer.json"
        words = ["compare", "first", "second", "--preset", "quick", "--model", MODEL, "--device", "cpu"]
        words += ["--blocks", str(self._blocks), "--format", "json", "--output", str(out)]
        code = f"import sys; from harness.cli import main; sys.exit(main({words!r}))"
        began = time.monotonic()
        self._call(
            [sys.executable, "-c", code], project, {**os.environ, "PYTHONPATH": str(checkout)}, allowed=(0, 1, 2)
        )
        wall_s = time.monotonic() - began
        rows = {}
        for row in json.loads(out.read_text())["rows"]:
            batch = row["variant"].rpartition(" b")[2] if row["metric"] == "infer_p50_s" else ""
            key = f"{row['metric']} b{batch}" if batch else row["metric"]
            if key in ROWS and row["variant"].startswith(("-", "tf-module")) and row["spread"] is not None:
                freedom = row["blocks"] - 1 + (row.get("borrowed_freedom") or 0)
                mean = math.log(row["low"] * row["high"]) / 2
                error = math.log(row["high"] / row["low"]) / 2 / float(stats.t.isf(0.025, freedom))
                rows[key] = (mean, error, freedom)
        return Run(tool, wall_s, rows)

    def pyperf(self) -> Run:
        """Run pyperf once for each side, with its defaults; what happens once in a process is one value of each."""
        work = self._fresh("pyperf")
        shutil.copytree(SUITE, work / "suite")
        script = work / "suite" / "pyperf_rows.py"
        python = environment_beside(ROOT, work / "environment", self._python, _PYPERF)
        variables = {**worker_environment(os.environ, work), **self._plain(), "PLAIN_ARTIFACTS": str(work / "saved")}
        began = time.monotonic()
        self._call([str(python), str(script), "prepare"], work, variables)
        sides: list[dict[str, list[float]]] = []
        for side in ("first", "second"):
            sides.append({})
            for part in ("once", "often"):
                out = work / f"{side}-{part}.json"
                few = ["--processes", str(self._processes)]
                inherit = ["--inherit-environ", ",".join(variables)]
                self._call([str(python), str(script), part, "-o", str(out), *few, *inherit], work, variables)
                for found in json.loads(out.read_text())["benchmarks"]:
                    runs = [run["values"] for run in found["runs"] if "values" in run]
                    name = {**found.get("metadata", {})}.get("name") or found["runs"][0]["metadata"]["name"]
                    sides[-1][name] = [statistics.fmean(values) for values in runs]
        wall_s = time.monotonic() - began
        return Run("pyperf", wall_s, {row: of_sides(sides[0][row], sides[1][row]) for row in ROWS})

    def asv(self) -> Run:
        """Run the plain suite once for each side; its rounds are processes."""
        first, second = (
            run_plain_suite(ROOT, self._fresh(f"asv-{side}"), self._python, (MODEL,), _BENCHMARKS) for side in "ab"
        )
        rows = {}
        for (metric, _, batch), values in first.samples.items():
            key = metric if batch is None else f"{metric} b{batch}"
            if key in ROWS:
                rows[key] = of_sides(values, second.samples[metric, _, batch])
        return Run("plain asv", first.cost.wall_s + second.cost.wall_s, rows)

    def _fresh(self, name: str) -> Path:
        folder = self._work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def _plain(self) -> dict[str, str]:
        return {"SAVEDMODEL_BENCH_ROOT": str(ROOT), "PLAIN_MODELS": MODEL}

    def _call(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str], allowed: Sequence[int] = (0,)
    ) -> None:
        log = folder / "log.txt"
        with log.open("ab") as file:
            done = subprocess.run(command, cwd=folder, env=dict(variables), stdout=file, stderr=file, check=False)
        if done.returncode not in allowed:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{log.read_text(errors='replace')[-2000:]}")


def cost_s(runs: Sequence[Run], row: str) -> float:
    """Return the seconds that a row costs by some runs of a tool: their mean wall time by their mean squared error."""
    variance = statistics.fmean(run.rows[row][1] ** 2 for run in runs)
    return statistics.fmean(run.wall_s for run in runs) * variance / _GOAL**2


def ratio(tool: Sequence[Run], ours: Sequence[Run], rounds: int = 2000) -> tuple[float, float, float]:
    """Return the geometric mean over rows of a tool's cost by ours, with its 95 % interval (bootstrap over runs)."""

    def once(first: Sequence[Run], second: Sequence[Run]) -> float:
        return math.exp(statistics.fmean(math.log(cost_s(first, row) / cost_s(second, row)) for row in ROWS))

    draw = random.Random(1)
    drawn = sorted(once(draw.choices(tool, k=len(tool)), draw.choices(ours, k=len(ours))) for _ in range(rounds))
    return once(tool, ours), drawn[int(0.025 * rounds)], drawn[int(0.975 * rounds) - 1]


def covered(runs: Sequence[Run]) -> tuple[int, int]:
    """Return how many 95 % intervals hold the truth, 0, of how many."""
    inside = [
        abs(mean) <= float(stats.t.isf(0.025, freedom)) * error
        for run in runs
        for mean, error, freedom in run.rows.values()
    ]
    return sum(inside), len(inside)


def lines_of(runs: Sequence[Run]) -> list[str]:
    """Return the tables of the document."""
    tools = {tool: [run for run in runs if run.tool == tool] for tool in dict.fromkeys(run.tool for run in runs)}
    ours = tools.get("this harness", list(runs))  # of a first trial with one tool: that tool
    cells = []
    for row, title in ROWS.items():
        mine = cost_s(ours, row)
        others = [f"{cost_s(found, row):.0f} ({cost_s(found, row) / mine:.1f} x)" for found in list(tools.values())[1:]]
        cells.append((title, f"{mine:.0f}", *others))
    sides = []
    for tool, found in tools.items():
        by, low, high = ratio(found, ours)
        inside, of = covered(found)
        much = "" if tool == "this harness" else f"{by:.1f} x ({low:.1f} to {high:.1f})"
        wall_s = statistics.fmean(run.wall_s for run in found)
        sides.append((tool, len(found), f"{wall_s:.0f}", much, f"{inside} of {of}"))
    heads = ("tool", "runs", "seconds a run", "cost by this harness's, geometric mean", "95 % intervals that hold 0")
    return [*table(("seconds that a row costs", *tools), cells), "", *table(heads, sides)]


def kept() -> list[Run]:
    """Return the runs that are there."""
    if not KEPT.exists():
        return []
    documents: list[dict[str, Any]] = [json.loads(line) for line in KEPT.read_text().splitlines()]
    return [Run(one["tool"], one["wall_s"], {row: tuple(v) for row, v in one["rows"].items()}) for one in documents]


def main() -> int:
    """Measure, keep each run, and print or write the tables of all that are kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.row_cost", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each tool, in turn; 0: only tell (default: 5)")
    parser.add_argument("--before", type=Path, help="an older checkout of this project, to compare with")
    parser.add_argument("--tools", help="only these, with commas between, as in 'this harness,pyperf'")
    parser.add_argument("--blocks", type=int, default=12, help="blocks of the harness's runs (default: 12)")
    parser.add_argument("--processes", type=int, default=20, help="processes of pyperf (default: 20, as pyperf's)")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/speed.md")
    options = parser.parse_args()
    try:
        python = prepare(read_manifest(ROOT / "releases.toml").newest_stable(1)[0], ROOT, wheel="cpu").python
    except UsageError as error:
        print(error, file=sys.stderr)
        return 3
    KEPT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="row-cost-") as temporary:
        tools = Tools(
            Path(temporary), python, options.before and options.before.resolve(), options.blocks, options.processes
        )
        chosen = {name: do for name, do in tools.all().items() if not options.tools or name in options.tools.split(",")}
        for number in range(options.runs):
            for name, do in chosen.items():
                print(f"Run {number + 1} of {options.runs}: {name}", file=sys.stderr)
                run = do()
                with KEPT.open("a") as file:
                    line = {"tool": name, "wall_s": run.wall_s, "rows": run.rows}
                    file.write(json.dumps(line) + "\n")
    machine = describe_machine()
    memory = machine.memory_bytes / 2**30
    where = (
        f"`{MODEL}`, the newest release with itself, on {machine.cpu}, {machine.usable_cpus} CPUs, {memory:.0f} GiB."
    )
    lines = [where, "", *lines_of(kept())]
    print("\n".join(lines))
    if options.write_docs:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
