"""Sentences that runs keep about themselves, as reports say them today."""

from __future__ import annotations

import pytest

from harness.measure.retries import Spoilt, disturbance_text
from harness.report.stored_sentences import retold


def test_what_a_run_stores_today_is_told_in_plain_words() -> None:
    stored = disturbance_text({1: Spoilt(2, "steal: 9 % of CPU time"), 3: Spoilt(1, "throttle: heat")}, {6: 1})
    assert stored is not None
    assert retold(stored) == (
        "In 2 blocks some rows have no usable measurement, because the hypervisor took the CPU away and the GPU was "
        "throttled. 1 replacement block was measured. 1 block could not be replaced by an undisturbed one"
    )


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (
            "1 block was disturbed so much that some rows have no calm repeat there (foreign-load); 1 measured once "
            "more",
            "In 1 block some rows have no usable measurement, because other programs used the CPU. 1 replacement block "
            "was measured",
        ),
        (
            "GPU cells: n/a: no-gpu (no NVIDIA driver answers on this machine)",
            "GPU tests were skipped: no NVIDIA driver answers on this machine",
        ),
        ("The disk was nearly full", "The disk was nearly full"),
    ],
)
def test_earlier_sentences_are_known_and_others_stay(stored: str, told: str) -> None:
    assert retold(stored) == told
