"""What `run` prints of a stored run: its numbers, and everything that has to be said of them.

SAVEDMODEL_BENCH_REGENERATE=1 writes the golden files anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from stored_runs import CELL, NEW, OLD, block_end, blocks, project_root, repeat, store_run

from harness.cli import main
from harness.commands import run as run_command
from harness.machine.floors import Floor
from harness.measure.sitting import Outcome
from harness.planning.plans import NO_GPU
from harness.store.records import Record

GOLDEN = Path(__file__).parent / "golden"
FLOORS = [
    Floor("write", 0.5, 100e6, "bytes", "").as_record(),
    Floor("read, warm", 0.01, 100e6, "bytes", "").as_record(),
]
DISTURBED = "1 block was disturbed so much that some rows have no undisturbed measurement there (steal)"
STEAL = ["steal: 12 % of CPU time"]

Report = Callable[..., tuple[str, str]]


@pytest.fixture(name="report_of")
def _report_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """Return a function that stores a run and gives what `run` prints once it is measured: (stdout, stderr)."""
    root = project_root(tmp_path)
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "100")

    def report(
        records: Sequence[Record], *options: str, stopped_by: str | None = None, code: int = 0, **facts: Any
    ) -> tuple[str, str]:
        run = store_run(root, records, kind="run", **facts)
        outcome = Outcome(run, 2, 0, 2, interrupted=False, stopped_by=stopped_by)
        monkeypatch.setattr(run_command, "measure_request", lambda *_: outcome)
        assert main(["run", OLD, NEW, *options]) == code
        told = capsys.readouterr()
        return told.out, told.err

    return report


def eventful(block: int) -> list[Record]:
    """Return a block in which everything happens that a report must tell."""
    infer = {"settled": True, "barrier_s": 1e-6, "calls_per_reading": 1, "window_medians_s": [2e-4]}
    made: list[Record] = []
    for subject, slower in ((OLD, 1.0), (NEW, 1.5)):
        named: dict[str, Any] = {"subject": subject, "block": block}
        made += [
            repeat(
                4.2, metric="import_s", cell=None, operation="import", taints=["cold-import: 300 MiB read"], **named
            ),
            repeat(20e6, metric="artifact_bytes", operation="save", **named),
            repeat(0.4 * slower, metric="save_later_s", operation="save", **named),
            repeat(0.2 * slower, **named),
            repeat(9.0, number=1, taints=STEAL, **named),
            repeat(2e-4, metric="infer_p50_s", batch=1, operation="infer", evidence={"infer_b1": infer}, **named),
        ]
        calls = repeat(0.3, metric="profile_busy_share", batch=1, operation="profile", **named)
        calls["metrics"] += [
            {"metric": "profile_kernels", "value": 4.5 if subject == OLD else 5, "batch": 1},
            {"metric": "profile_kernel_s", "value": 6e-5, "batch": 1},
        ]
        large = {**CELL, "model": "mlp-xl"}
        reason = "too-large: needs about 16 GiB of memory, 2 GiB are allowed here"
        made += [calls, repeat(None, cell=large, operation="save", status="unsupported", reason=reason, **named)]
    late = {"infer_b1": {**infer, "settled": False}}
    first_call = repeat(0.3, metric="first_call_s", taints=STEAL, subject=NEW, block=block)
    first_call["metrics"].append({"metric": "first_call_cpu_s", "value": 0.2})
    made += [
        first_call,
        repeat(2e-4, metric="infer_p50_s", batch=1, operation="infer", evidence=late, subject=NEW, block=block),
        repeat(0.3, metric="load_cold_s", taints=STEAL, subject=NEW, block=block),
        repeat(0.1, metric="load_cold_s", taints=STEAL if block else [], subject=OLD, block=block),
    ]
    if block:
        made.append(repeat(None, status="failed", reason="killed by signal 11 (SIGSEGV)", subject=NEW, block=block))
    return [*made, block_end(block)]


def eventful_run() -> list[Record]:
    return [*eventful(0), *eventful(1), repeat(1.0, block=2, taints=["throttle: 5 events"])]


IN_PLAIN_WORDS = "In 1 block some rows have no usable measurement, because the hypervisor took the CPU away"
FACTS: dict[str, Any] = {"floors": FLOORS, "absent": [NO_GPU], "disturbed": DISTURBED}


@pytest.mark.parametrize(
    ("options", "name"),
    [(("--verbose",), "run.txt"), (("--format", "markdown"), "run.md"), ((), "run_screen.txt")],
)
def test_a_report_tells_what_disturbed_what_failed_and_what_has_no_value(
    options: tuple[str, ...], name: str, report_of: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80" if name == "run_screen.txt" else "100")
    text = re.sub(r"\d{8}T\d{6}-[0-9a-f]{4}", "RUN", report_of(eventful_run(), *options, **FACTS)[0])
    if os.environ.get("SAVEDMODEL_BENCH_REGENERATE"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_json_has_it_in_fields_of_its_own_and_the_notes_go_to_whoever_looks_on(report_of: Report) -> None:
    text, told = report_of(eventful_run(), "--format", "json", **FACTS)
    document = json.loads(text)
    assert (document["schema"], document["subjects"], document["spawned_runs"]) == (1, [OLD, NEW], [])
    loads = next(row for row in document["rows"] if row["metric"] == "load_warm_s")
    assert loads["values"] == pytest.approx({OLD: 0.2, NEW: 0.3})
    assert document["notes"][:2] == [f"{NO_GPU}.", f"{IN_PLAIN_WORDS}."]
    assert "at the end of 2 of 6 measurements" in document["notes"][2]
    assert document["tainted"] == [
        {"subject": OLD, "repeats": 5, "kinds": {"steal": 3, "cold-import": 2}},
        {"subject": NEW, "repeats": 8, "kinds": {"steal": 6, "cold-import": 2}},
    ]
    lacking = {(row["subject"], row["metric"]): (row["repeats"], row["kinds"]) for row in document["without_value"]}
    assert lacking == {
        (OLD, "import_s"): (2, ["cold-import"]),
        (NEW, "import_s"): (2, ["cold-import"]),
        (NEW, "load_cold_s"): (2, ["steal"]),
        (NEW, "first_call_s"): (2, ["steal"]),
        (NEW, "first_call_cpu_s"): (2, ["steal"]),
    }
    assert [(one["subject"], one["status"], one["count"]) for one in document["failures"]] == [
        (NEW, "failed", 1), (NEW, "unsupported", 2), (OLD, "unsupported", 2),
    ]  # fmt: skip
    assert document["floors"] == FLOORS
    times = {(one["metric"], one["subject"]): one["times"] for one in document["multiples"]}
    assert times == pytest.approx(
        {("save_later_s", OLD): 4, ("save_later_s", NEW): 6, ("load_warm_s", OLD): 100, ("load_warm_s", NEW): 150}
    )
    assert document["run"].startswith("results/runs/calm-machine/")
    assert (
        f"Note: {NEW}: 8 measurements were discarded: the hypervisor took the CPU away (6), the import was read from "
        "disk (2)."
    ) in told.splitlines()


def test_a_run_without_any_value_says_why(report_of: Report) -> None:
    records = [repeat(1.0, subject=name, taints=STEAL) for name in (OLD, NEW)] + [block_end()]
    text, _ = report_of(records, "--verbose", code=3)
    assert f"{OLD}, {NEW} in mlp-s: load, warm page cache (the hypervisor took the CPU away)" in text
    assert f"Note: {OLD}: 1 measurement was discarded: the hypervisor took the CPU away (1)." in " ".join(text.split())


def test_of_a_run_without_events_there_is_nothing_to_say(report_of: Report) -> None:
    records = blocks({OLD: [1.0, 1.0], NEW: [2.0, 2.0]})
    text, told = report_of(records, "--verbose", floors={"absent": "OSError: no space"})
    assert len(text.splitlines()) == 2
    assert "Note" not in told
    assert len(report_of(records, "--format", "markdown")[0].splitlines()) == 3


def test_a_run_that_ended_early_says_so(report_of: Report) -> None:
    _, told = report_of(blocks({OLD: [1.0], NEW: [2.0]}), stopped_by="the budget is spent")
    assert "Ended after 2 blocks: the budget is spent." in told
