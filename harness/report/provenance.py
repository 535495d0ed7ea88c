"""Where a report's numbers come from, as the line on top of it and as JSON."""

from __future__ import annotations

from typing import Any

from harness.answers.provenance import Provenance
from harness.report.numbers import count

_MOST_NAMED = 3


def provenance_line(found: Provenance) -> str:
    """Return a line of one to five sentences.

    Example: "From 10 blocks of run 20261126T020132-9382 on amd-epyc-2cpu-24gib."
    """
    others = f" Not read: {', '.join(found.others)} (--machine NAME)." if found.others else ""
    if not found.runs:
        where = "this run" if found.asked is None else f"results/runs/{found.asked} or the reference runs"
        return f"Nothing of this kind is in {where}.{others}"
    names = [run for run, _ in found.runs]
    runs = f"run{'' if len(names) == 1 else 's'} {', '.join(names)}"
    if len(names) > _MOST_NAMED:
        runs = f"{len(names)} runs, {names[0]} to {names[-1]},"
    kind = ""
    if found.is_reference:
        kind = ", a committed reference run" if len(names) == 1 else ", committed reference runs"
        if found.asked is not None:
            kind += f" (results/runs/{found.asked} has nothing of this kind)"
    spawned = ", measured with --isolation spawn" if found.is_spawned else ""
    worker = ""
    if found.is_older:
        version = "an unknown version" if found.worker_version is None else f"version {found.worker_version}"
        worker = f", with {version} of the measurement method (runs with a newer one have nothing of this kind)"
    left = ""
    if found.left_out:
        left = (
            f" Left out, because they are not comparable with forked ones: {count(len(found.left_out), 'run')} with "
            "--isolation spawn (--run DIR reads one)."
        )
    if found.older:
        left += (
            f" Left out, because not all of their numbers are comparable: {count(len(found.older), 'run')} with a "
            f"measurement method before version {found.worker_version} (--run DIR reads one)."
        )
    return f"From {count(found.blocks, 'block')} of {runs} on {found.machine}{kind}{spawned}{worker}.{left}{others}"


def disturbed_lines(found: Provenance) -> list[str]:
    """Return a sentence for each run that the machine disturbed.

    Example: "Run 20261126T023045-1a8e: 1 block was disturbed so much that nothing is known of some rows
    there (steal)."
    """
    return [f"Run {run}: {note}." for run, note in found.disturbed]


def provenance_document(found: Provenance) -> dict[str, Any]:
    """Return the same as JSON-ready values."""
    return {
        "machine": found.machine,
        "reference": found.is_reference,
        "blocks": found.blocks,
        "runs": [{"run": run, "blocks": blocks} for run, blocks in found.runs],
        "other_machines": list(found.others),
        "disturbed": [{"run": run, "note": note} for run, note in found.disturbed],
        "isolation": "spawn" if found.is_spawned else "fork",
        "left_out": list(found.left_out),
        "worker_version": found.worker_version,
        "older_runs": list(found.older),
    }
