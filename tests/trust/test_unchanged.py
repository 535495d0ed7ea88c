"""A long run that is cut: each part is judged by its own blocks alone."""

from __future__ import annotations

from pathlib import Path

from harness.verdict.rows import Verdict
from tests.builders.stored_runs import NEW, OLD, block_end, blocks, repeat, store_run
from tests.trust.unchanged import document, parts_of, with_a_call


def test_a_part_is_judged_by_its_own_blocks_and_by_those_in_their_place(tmp_path: Path) -> None:
    noise = (1.0, 1.01, 0.99, 1.005, 0.995, 1.002)
    series = {OLD: (*noise, *noise, 1.0), NEW: (*noise[::-1], *(1.5 * value for value in noise[::-1]), 1.0)}
    # Block 12 was left over, and 13 took the place of block 3, which belongs to the first part.
    again = [repeat(1.0, subject=name, block=13) for name in (OLD, NEW)]
    records = [*blocks(series), *again, block_end(13, stands_for=3)]
    first, second = parts_of(store_run(tmp_path, records))
    ((calm,), (slower,)) = first.by_margin, second.by_margin
    assert (calm.verdict, calm.blocks) == (Verdict.SAME, 7)
    assert (slower.verdict, slower.blocks) == (Verdict.REGRESSION, 6)
    assert [part.by_zero[0].verdict for part in (first, second)] == [Verdict.INCONCLUSIVE, Verdict.REGRESSION]
    assert with_a_call([first, second]) == 1
    assert any("| 0 " in line and "1 of 2" in line for line in document([first, second], "here"))
