"""A run's records copied from a node's scratch to the fleet's folder, block by block, and made durable."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.store.records import complete_blocks, read_block_records
from harness.store.runs import load_run, sync_folder, write_json_atomically

_CHUNK = 1 << 20


def deliver(run: Path, target: Path, *, with_logs: bool = False) -> None:
    """Copy what a run has more than its delivery; records first, so that run.json never says more than there is.

    Args:
        run: the run's folder on the node.
        target: `<attempt>/<machine>/<run>`.
        with_logs: also what the workers printed: at the end.

    Raises:
        OSError: the target cannot be written; what was delivered before is whole.
    """
    target.mkdir(parents=True, exist_ok=True)
    _append(run / "records.jsonl", target / "records.jsonl")
    facts = load_run(run)
    if hasattr(facts, "facts"):
        write_json_atomically(target / "run.json", facts.facts)
    if with_logs and (run / "logs").is_dir():
        shutil.copytree(run / "logs", target / "logs", dirs_exist_ok=True)
    sync_folder(target.parent)


def take_up(delivered: Path, target: Path) -> None:
    """Copy a delivered run back to a node, so that a successor goes on from its blocks."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("records.jsonl", "run.json"):
        if (delivered / name).exists():
            shutil.copyfile(delivered / name, target / name)
    (target / "logs").mkdir(exist_ok=True)


def blocks_of(delivered: Path) -> int:
    """Return how many complete blocks a delivered run has."""
    return len(complete_blocks(read_block_records(delivered / "records.jsonl")))


def _append(source: Path, target: Path) -> None:
    """Append what the source has beyond the target's length: records are only ever appended."""
    with source.open("rb") as whole, target.open("ab") as copy:
        whole.seek(copy.tell())
        while data := whole.read(_CHUNK):
            copy.write(data)
        copy.flush()
        os.fsync(copy.fileno())
