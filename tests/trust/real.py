"""`python -m tests.trust.real --results DIR`: compare releases with planted regressions, and one with itself, for real.

Releases are made in DIR around the installed TensorFlow; every comparison that ended is kept there, and the same
command goes on where it stopped. Prints the tables of docs/trust.md from what there is; `--publish` writes them there,
with the data behind them, measuring nothing. Ends with 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.machine.gpu.devices import gpu_present
from harness.measure.preset_files import read_preset
from tests.speed.report import table, write_docs

from .planted_runs import PLANT, PRESET, Finished, Planned, PlantedRuns, plan
from .plants import PLANTS, Plant
from .real_tables import document, missed_promises
from .scores import COLUMNS, DATA, RunScore

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "trust.md"
BEGIN = "<!-- numbers: written by `python -m tests.trust.real --publish`, from here -->"
FIRST_GUESS_S = 15.0
"""Of a block, before any was measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is open, print, and publish where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.real", description=__doc__)
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="outside of the repository")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="comparisons with a plant (default: 20)")
    parser.add_argument("--same", type=int, default=20, metavar="N", help="of a release with itself (default: 20)")
    parser.add_argument("--plant", nargs="+", choices=sorted(PLANT), metavar="NAME", help="only these plants")
    parser.add_argument("--minutes", type=float, metavar="M", help="start nothing that would end later")
    parser.add_argument("--publish", action="store_true", help="measure nothing, write docs/trust.md and its data")
    options = parser.parse_args(arguments)
    try:
        runs = PlantedRuns(options.results)
        if not options.publish:
            planned = plan(_plants(options.plant), options.runs, options.same)
            _measure(runs, planned, options.minutes)
        return _report(list(runs.scores()), options.publish)
    except UsageError as error:
        print(f"tests.trust.real: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("Interrupted: what ended is kept; the same command goes on from there.", file=sys.stderr)
        return 130


def _plants(names: Sequence[str] | None) -> list[Plant]:
    """Return the plants that this machine has the device for."""
    device = "gpu" if gpu_present() else "cpu"
    chosen = [plant for plant in PLANTS if names is None or plant.name in names]
    able = [plant for plant in chosen if device in plant.devices]
    for plant in chosen:
        if plant not in able:
            print(f"{plant.name}: n/a: no-gpu", file=sys.stderr)
    if not able:
        raise UsageError("None of these plants can be measured on this machine.")
    return able


def _measure(runs: PlantedRuns, planned: Sequence[Planned], minutes: float | None) -> None:
    """Make the comparisons that are open, in order, while the time allows."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    waiting = runs.open(planned)
    for place, one in enumerate(waiting):
        block_s = _block_s(runs.finished())
        left_s = [other.blocks * block_s for other in waiting[place:]]
        if deadline is not None and time.monotonic() + left_s[0] > deadline:
            print(f"Time is up: {len(left_s)} to be made, about {sum(left_s) / 60:.0f} minutes.", file=sys.stderr)
            return
        what = one.planted or "nothing planted"
        about = f"{len(left_s)} to be made, about {sum(left_s) / 60:.0f} minutes"
        print(f"{what}, run {one.number} ({about})", file=sys.stderr, flush=True)
        ended = runs.measure(one)
        print(f"  ended with {ended.exit_code} after {ended.wall_s:.0f} s", file=sys.stderr, flush=True)


def _block_s(finished: Sequence[Finished]) -> float:
    blocks = sum(Planned(one.number, one.planted).blocks for one in finished)
    return sum(one.wall_s for one in finished) / blocks if blocks else FIRST_GUESS_S


def _report(scores: list[RunScore], publish: bool) -> int:
    if not scores:
        raise UsageError("No comparison has ended yet: give it more --minutes.")
    if publish:
        scores = _published(scores)
    lines = list(document(scores, read_preset(str(PRESET)).time_margin, table))
    print("\n".join(lines))
    if publish:
        write_docs(DOCUMENT, lines, BEGIN)
    broken = missed_promises(scores)
    for text in broken:
        print(f"BROKEN: {text}", file=sys.stderr)
    return 1 if broken else 0


def _published(scores: list[RunScore]) -> list[RunScore]:
    """Write the data and return what it says: the document is made from it, not from what was not published."""
    records = [{"columns": COLUMNS}, *(score.as_record() for score in scores)]
    DATA.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records), encoding="utf-8")
    return [RunScore.of_record(json.loads(line)) for line in DATA.read_text(encoding="utf-8").splitlines()[1:]]


if __name__ == "__main__":
    sys.exit(main())
