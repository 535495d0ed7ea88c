"""One long run of a release with itself, cut into short ones: how often is something called that did not change?

python -m tests.trust.unchanged --results DIR               # 240 blocks; begun anew, it goes on from there
python -m tests.trust.unchanged --results DIR --publish     # measures nothing, writes docs/trust.md

A part is six consecutive blocks, with those that were measured in the place of one of them. Each is judged as a run of
its own, by the margins of its test plan and once more with a margin of 0 for times: there every call is false.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.answers.comparison import Comparison
from harness.answers.judging import RunTables, compare_in_run
from harness.errors import UsageError
from harness.measure.preset_files import read_preset
from harness.measure.retries import stands_for
from harness.metrics import METRICS, Kind
from harness.store.frame import failures_frame, repeats_of_run, samples_frame, tainted_frame
from harness.store.records import Record
from harness.store.runs import RunDirectory, runs_of
from harness.verdict.margins import Asked
from harness.verdict.rows import Method, Reason, Row, Verdict
from tests.builders.faulty_releases import PROJECT
from tests.speed.report import table, write_docs

from .planted_runs import AGAIN, CLEAN, PlantedRuns
from .scores import CALLS

DOCUMENT = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.unchanged`, from here -->"
PRESET = Path(__file__).with_name("unchanged.toml")
PART = 6
SEED = 1  # those of `planted_runs` begin at 1000, so that this is a run of its own
MOST_WITH_A_CALL = 5 / 40
ZERO: Asked = ((None, 0.0),)


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its judged rows that vary, by the margins of the plan and by a margin of 0."""

    by_margin: tuple[Row, ...]
    by_zero: tuple[Row, ...]


def parts_of(run: RunDirectory, size: int = PART) -> Iterator[Part]:
    """Yield what a run's parts show, without what is left at its end."""
    old, new = (subject["name"] for subject in run.facts["subjects"])
    records, problems = run.records(without=("phases",))
    further = stands_for(records)

    def part(record: Record) -> int | None:
        block = record.get("block")
        return None if block is None else further.get(block, int(block)) // size

    planned = Counter(map(part, (one for one in records if _is_whole(one) and one["block"] not in further)))
    for number in sorted(number for number, blocks in planned.items() if number is not None and blocks == size):
        some = [one for one in records if part(one) in (None, number)]
        repeats = repeats_of_run(run, some)
        tables = RunTables(
            run, some, tuple(problems), repeats, samples_frame(repeats), tainted_frame(repeats), failures_frame(repeats)
        )
        yield Part(*(_varying(compare_in_run(tables, old, new, margins=margins)) for margins in (None, ZERO)))


def _is_whole(record: Record) -> bool:
    return record["type"] == "block" and bool(record["complete"])


def _varying(comparison: Comparison) -> tuple[Row, ...]:
    judged = (row for row in comparison.rows if row.judged)
    return tuple(row for row in judged if not (row.method is Method.EXACT and row.reason is Reason.EQUAL))


def is_time(row: Row) -> bool:
    """Whether a margin of 0 was asked for the row."""
    return row.kind is Kind.TIME


def document(parts: Sequence[Part], machine: str) -> Iterator[str]:
    """Yield the lines of the document."""
    times = [row for part in parts for row in part.by_zero if is_time(row)]
    held = [row.low <= 1 <= row.high for row in times if row.low is not None and row.high is not None]
    plan, of_part = read_preset(str(PRESET)), len(times) // len(parts)
    yield (
        f"{len(parts)} parts of {PART} blocks of `tests/trust/unchanged.toml`, on {machine}; {of_part} times a part. "
        f"Of {len(held)} 95 % intervals {sum(held)} ({100 * sum(held) / len(held):.1f} %) hold the truth."
    )
    yield ""
    asked = {f"{100 * plan.time_margin:.0f} %": [p.by_margin for p in parts], "0": [p.by_zero for p in parts]}
    yield from table(
        ("margin of times", "parts with a call", "rows called", "of rows", '"unchanged"', "called"),
        [
            (
                margin,
                f"{sum(any(map(_called, rows)) for rows in each)} of {len(each)}",
                sum(_called(row) for rows in each for row in rows),
                sum(map(len, each)),
                sum(row.verdict is Verdict.SAME for rows in each for row in rows),
                _counted(row for rows in each for row in rows if _called(row)),
            )
            for margin, each in asked.items()
        ],
    )


def with_a_call(parts: Sequence[Part]) -> int:
    """Return in how many parts something was called at a margin of 0."""
    return sum(any(map(_called, part.by_zero)) for part in parts)


def _called(row: Row) -> bool:
    return row.verdict in CALLS


def _counted(rows: Iterable[Row]) -> str:
    found = Counter(f"{METRICS[row.metric].title}, {row.model}" for row in rows)
    return "; ".join(f"{name} {count}" for name, count in found.most_common()) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is open, or publish."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.trust.unchanged", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="outside of the repository")
    parser.add_argument("--publish", action="store_true", help="measure nothing, write docs/trust.md")
    options = parser.parse_args(arguments)
    try:
        root = PlantedRuns(options.results).root
        if not options.publish:
            _measure(root)
        (run,) = (run for run in runs_of(root)[0] if run.facts["seed"] == SEED)
    except UsageError as error:
        print(f"tests.trust.unchanged: {error}", file=sys.stderr)
        return 3
    parts = list(parts_of(run))
    lines = list(document(parts, run.machine))
    print("\n".join(lines))
    if options.publish:
        write_docs(DOCUMENT, lines, BEGIN)
    return 0 if with_a_call(parts) <= MOST_WITH_A_CALL * len(parts) else 1


def _measure(root: Path) -> None:
    words = ["compare", CLEAN, AGAIN, "--preset", str(PRESET), "--seed", str(SEED)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-m", "harness.cli", *words], cwd=root, env=environment, check=False)
    if done.returncode not in (0, 1):
        raise UsageError(f"Comparing {CLEAN} with {AGAIN} ended with {done.returncode}.")


if __name__ == "__main__":
    sys.exit(main())
