"""What a report says on the clocks of calls: from windows whose times count, and from no other."""

from __future__ import annotations

from typing import Any

import pytest
from stored_runs import NEW, OLD, block_end, repeat

from harness.answers.call_notes import call_notes
from harness.report.notes import note_text
from harness.store.records import Record

CALM = {"settled": True, "barrier_s": 1e-6, "calls_per_reading": 1, "window_medians_s": [1.0, 2e-4]}


def windows(
    operation: str = "infer", *, late: bool = False, more: dict[str, Any] | None = None, **named: Any
) -> Record:
    """Return a repeat with two windows of calls, the one of batch 32 `late` to become steady."""
    name = {"infer": "infer", "calls": "call_xla"}[operation]
    evidence = {f"{name}_b1": {**CALM, **(more or {})}, f"{name}_b32": {**CALM, "settled": not late}, "loadavg": 0.5}
    return repeat(2e-4, metric="infer_p50_s", batch=1, operation=operation, evidence=evidence, **named)


def test_windows_that_never_became_steady_are_counted() -> None:
    assert call_notes([windows(), block_end()], [NEW]) == []
    (note,) = call_notes(
        [windows(), windows(late=True), windows("calls", late=True, subject=OLD), block_end()], [NEW, OLD]
    )
    assert note_text(note) == (
        "Latency was still changing at the end of 2 of 6 measurements (most often mlp-s batch 32 on the CPU: 2 "
        "times). These measurements are included."
    )
    (note,) = call_notes([windows(late=True), windows(late=True, subject=OLD), block_end()], [OLD])
    assert "at the end of 1 of 2 measurements" in note_text(note)


@pytest.mark.parametrize(("barrier_s", "calls"), [(1e-6, 1), (1e-5, 10)])
def test_a_cheap_barrier_is_not_told(barrier_s: float, calls: int) -> None:
    more = {"barrier_s": barrier_s, "calls_per_reading": calls}
    assert call_notes([windows(more=more), block_end()], [NEW]) == []


def test_a_barrier_that_is_a_part_of_a_call_worth_telling_is_told() -> None:
    (note,) = call_notes([windows(more={"barrier_s": 1e-5}), block_end()], [NEW])
    assert note_text(note) == (
        "Every latency includes the cost of one device synchronization: at most 5 % of it (10.0 µs for mlp-s batch 1 "
        "on the CPU)."
    )


@pytest.mark.parametrize("operation", ["infer", "calls"])
@pytest.mark.parametrize(
    "without",
    [
        {"block": 1},  # which never ended
        {"attempt": 0},  # which was broken off, and measured again
        {"taints": ["steal: 12 % of CPU time"]},
        {"taints": ["retried: timeout"]},
        {"status": "failed", "reason": "wrong-output: 0.3"},
    ],
)
def test_windows_whose_times_do_not_count_are_not_told(operation: str, without: dict[str, Any]) -> None:
    slow = {"barrier_s": 1e-4}
    spoilt = windows(operation, late=True, more=slow, **{"attempt": 1, **without})
    assert call_notes([spoilt, block_end(attempt=1)], [NEW]) == []
    notes = call_notes([spoilt, windows(operation, late=True, more=slow, attempt=1), block_end(attempt=1)], [NEW])
    assert "at the end of 1 of 2 measurements" in note_text(notes[0])
    assert len(notes) == 2


def test_a_page_cache_that_was_not_as_wanted_leaves_calls_as_they_are() -> None:
    (note,) = call_notes([windows(late=True, taints=["not-cold: 40% resident"]), block_end()], [NEW])
    assert "at the end of 1 of 2 measurements" in note_text(note)
