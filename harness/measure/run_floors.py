"""The floors of a run: measured before its first block and after the last one of every sitting, kept in run.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.machine.floors import measure_floors
from harness.machine.load import sample_host, taints_between
from harness.store.runs import RunDirectory

KINDS = ("compare", "run", "bench", "night")
"""Kinds of run that a person reads. One of asv's is a single cell, and its few seconds would double."""

SIZE_BYTES = 64 << 20
"""Written and read: about 2 s in all on a disk of 200 MB/s, and beyond what small caches in its path hide."""


def with_floors(run: RunDirectory, kind: str) -> RunDirectory:
    """Return the run with `floors` among its facts: the fastest of now and of earlier looks; of other kinds, as it is.

    A disk that cannot be written is no reason to give up here: the facts then hold the reason, and the first save
    will say so too.
    """
    if kind not in KINDS:
        return run
    known = run.facts.get("floors")
    earlier = known if isinstance(known, list) else []
    before = sample_host()
    try:
        now = [floor.as_record() for floor in measure_floors(run.path, SIZE_BYTES)]
    except OSError as error:
        return run if earlier else run.updated(floors={"absent": f"{type(error).__name__}: {error.strerror}"})
    taints = list(taints_between(before, sample_host()))
    return run.updated(floors=_fastest(earlier, [{**floor, "taints": taints} for floor in now]))


def _fastest(earlier: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each floor's faster look with the tries of both; its taints only where neither look was calm."""
    known = {floor["name"]: floor for floor in earlier}
    return [_faster(known.get(floor["name"], floor), floor) for floor in now]


def _faster(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    if earlier is now:
        return dict(now)
    looks = [look for look in (earlier, now) if look["wall_s"] is not None] or [now]
    best = min(looks, key=lambda look: look["wall_s"] or 0.0)
    calm = any(not look.get("taints") for look in looks)
    tries_s = [seconds for look in looks for seconds in look.get("tries_s", ())]
    return {**best, "tries_s": tries_s, "taints": [] if calm else best["taints"]}
