"""Where a report's numbers come from, as the line on top of it and as JSON."""

from __future__ import annotations

from typing import Any

from harness.answers.provenance import Provenance
from harness.report.numbers import count
from harness.report.stored_sentences import retold

_MOST_NAMED = 3


def provenance_line(found: Provenance) -> str:
    """Return a line of one to five sentences.

    Example: "Source: 10 blocks of run 20261126T020132-9382 on amd-epyc-2cpu-24gib."
    """
    others = f" Not used: results of {', '.join(found.others)} (--machine NAME chooses one)." if found.others else ""
    if not found.runs:
        if found.asked is None:
            return f"This run has no such results.{others}"
        return f"Neither results/runs/{found.asked} nor the reference results have such results.{others}"
    names = [run for run, _ in found.runs]
    runs = f"run{'' if len(names) == 1 else 's'} {', '.join(names)}"
    if len(names) > _MOST_NAMED:
        runs = f"{len(names)} runs, {names[0]} to {names[-1]},"
    told = [f"{count(found.blocks, 'block')} of {runs} on {found.machine}"]
    if found.is_reference:
        why = "" if found.asked is None else f", because results/runs/{found.asked} has no such results"
        told.append(f"from the reference results in the repository{why}")
    if found.is_spawned:
        told.append("measured with --isolation spawn")
    if found.is_older:
        version = "an unknown version" if found.worker_version is None else f"version {found.worker_version}"
        told.append(f"with {version} of the measurement method, because runs with a newer one have no such results")
    left = ""
    if found.left_out:
        left = (
            f" Left out, because they are not comparable with these: {count(len(found.left_out), 'run')} with "
            "--isolation spawn (--run DIR uses one)."
        )
    if found.older:
        left += (
            f" Left out, because not all of their numbers are comparable: {count(len(found.older), 'run')} with a "
            f"measurement method before version {found.worker_version} (--run DIR uses one)."
        )
    return f"Source: {', '.join(told)}.{left}{others}"


def disturbed_lines(found: Provenance) -> list[str]:
    """Return what to say of each run that the machine disturbed.

    Example: "Run 20261126T023045-1a8e: in 1 block some rows have no usable measurement, because the hypervisor took
    the CPU away."
    """
    told = ((run, retold(note)) for run, note in found.disturbed)
    return [f"Run {run}: {text[:1].lower()}{text[1:]}." for run, text in told]


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
