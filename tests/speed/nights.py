"""Records of a thousand nights, and how long it takes to read them: `python -m tests.speed.nights --write-docs`.

Each night is a run made of the committed reference run's records (two releases, some of its blocks, whole records with
their phases and evidence), every value multiplied by noise of 3 %. No time ever fails it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.machine.identity import describe_machine
from harness.store.pruning import pack
from harness.store.runs import RunDirectory, results_path, runs_of

from .report import table, write_docs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "speed.md"
BEGIN = "<!-- numbers: written by `python -m tests.speed.nights --write-docs`, from here -->"
START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)

_FRAME = (
    "import resource, sys, time; from pathlib import Path; root = Path(sys.argv[1]); began = time.perf_counter()\n"
    "{job}\n"
    "print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, note, sep='|')"
)
_JOBS = {
    "samples": "from harness.store.export import record_samples; note = f'{len(record_samples(root)):,} samples'",
    "history": (
        "import contextlib, io, os; from harness.cli import main; os.chdir(root); out = io.StringIO()\n"
        "with contextlib.redirect_stdout(out): code = main(['history'])\n"
        "note = f'{len(out.getvalue().splitlines())} lines, ended with {code}'"
    ),
}


def make_nights(root: Path, nights: int, blocks: int, seed: int = 1) -> list[RunDirectory]:
    """Make a project with so many runs of so many blocks, a night apart, and return them."""
    template = max(runs_of(ROOT, reference=True)[0], key=lambda run: run.facts["blocks"])
    subjects = template.facts["subjects"][-2:]
    names = {subject["name"] for subject in subjects}
    records = [
        record
        for record in template.records()[0]
        if record["block"] < blocks and (record["type"] == "block" or record["subject"] in names)
    ]
    root.mkdir(parents=True, exist_ok=True)
    for name in ("asv.conf.json", "releases.toml"):
        shutil.copy(ROOT / name, root / name)
    noise = random.Random(seed)
    runs = []
    for night in range(nights):
        began = START + datetime.timedelta(days=night)
        run = f"{began:%Y%m%dT%H%M%S}-{night:04x}"
        path = results_path(root) / "runs" / template.machine / run
        path.mkdir(parents=True)
        facts = {**template.facts, "run": run, "created_at": began.isoformat(), "subjects": subjects}
        (path / "run.json").write_text(json.dumps(facts))
        with (path / "records.jsonl").open("w") as file:
            for record in records:
                metrics = [
                    {**entry, "value": entry["value"] * noise.lognormvariate(0, 0.03)}
                    for entry in record.get("metrics", ())
                ]
                file.write(json.dumps({**record, **({"metrics": metrics} if metrics else {})}) + "\n")
        runs.append(RunDirectory(path, facts))
    return runs


def measure(root: Path, nights: int, blocks: int) -> list[tuple[str, ...]]:
    """Make the nights below `root`, read them plain and packed, and return the rows of the table."""
    runs = make_nights(root, nights, blocks)
    rows = _read(root, "plain", sum(run.records_path.stat().st_size for run in runs))
    began = time.perf_counter()
    packed = sum(pack(run)[1] for run in runs)
    rows.append(("packing all", f"{time.perf_counter() - began:.1f}", "", ""))
    return [*rows, *_read(root, "packed", packed)]


def _read(root: Path, state: str, size: int) -> list[tuple[str, ...]]:
    rows = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for job, code in _JOBS.items():
        done = subprocess.run(
            [sys.executable, "-c", _FRAME.format(job=code), str(root)],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds, peak, note = done.stdout.strip().splitlines()[-1].split("|")
        where = f"{job}, {state} ({size / 2**20:.0f} MiB)"
        rows.append((where, f"{float(seconds):.1f}", f"{float(peak) / 2**20:.0f}", note))
    return rows


def main() -> None:
    """Measure, print, and write the document where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.nights", description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=1000, help="runs (default: 1000)")
    parser.add_argument("--blocks", type=int, default=3, help="blocks of each (default: 3)")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/speed.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(Path(temporary) / "project", options.nights, options.blocks)
    machine = describe_machine()
    lines = [
        f"{options.nights:,} nights of {options.blocks} blocks of two releases, on {machine.cpu}, "
        f"{machine.usable_cpus} CPUs, {machine.memory_bytes / 2**30:.0f} GiB.",
        "",
        *table(("job", "wall s", "peak MiB", ""), rows),
    ]
    print("\n".join(lines))
    if options.write_docs:
        write_docs(DOCUMENT, lines, BEGIN)


if __name__ == "__main__":
    main()
