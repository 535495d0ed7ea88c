"""Two subjects' processes that make steady calls in turn, slice by slice."""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.measure.worker_process import Message, WorkerLost, WorkerProcess

SLICE_S = 0.02
SLICE_PAIRS = 16
FEWEST_PAIRS = 6
SIDE_S = 0.7
"""Of one batch size, in one pair of processes: so many pairs, or as many as fit into this time a side, and no fewer
than six. Between pairs of processes a spread of 2 % remains, so more of them are needed, and longer ones are not
(measured on two shared cores)."""
MOST_IDLE_SHARE = 0.01
"""A slice does not count whose process used more CPU than this share of the other's slice while that one ran."""


def in_turn(
    workers: Sequence[WorkerProcess], requests: Sequence[Message], batches: Sequence[int], chance: random.Random
) -> list[Message]:
    """Return the two results of two requests whose operation is `slices`, each with its slices' calls as metrics.

    Both processes are alive from the first slice to the last, and one of them works at a time. Which begins is random
    and balanced: in half of the pairs the one, in half the other.

    Raises:
        WorkerLost: one of the workers ended; the other one's request is ended, too.
    """
    results: list[Message | None] = [None, None]
    for side in (0, 1):
        workers[side].begin(requests[side])
        message = workers[side].proceed(requests[side])
        if "done" in message:
            results[side] = workers[side].done(message)
    slices: list[list[Message]] = [[], []]
    dropped = 0
    if results == [None, None]:
        for batch in batches:
            longest_s: list[float] = []  # of each pair
            for first in _firsts(SLICE_PAIRS, chance):
                if len(longest_s) >= FEWEST_PAIRS and sum(longest_s) > SIDE_S:
                    break
                pair: dict[int, Message] = {}
                for side in (first, 1 - first):
                    pair[side] = _one(workers[side], requests[side], batch)
                longest_s.append(max(one["wall_s"] for one in pair.values()))
                if any(one["idle_cpu_s"] > MOST_IDLE_SHARE * longest_s[-1] for one in pair.values()):
                    dropped += 1
                    continue
                for side in (0, 1):
                    slices[side].append({"batch": batch, **pair[side]})
    for side in (0, 1):
        if results[side] is None:
            workers[side].release()
            message = workers[side].proceed(requests[side])
            results[side] = workers[side].done(message)
    return [_with_slices(result or {}, mine, dropped) for result, mine in zip(results, slices, strict=True)]


def _firsts(pairs: int, chance: random.Random) -> list[int]:
    """Return which side begins in each pair: of two pairs in a row either once."""
    found: list[int] = []
    for _ in range(pairs // 2):
        first = chance.randrange(2)
        found += [first, 1 - first]
    return found


def _one(worker: WorkerProcess, request: Message, batch: int) -> Message:
    """Have a slice made, and return what it took and what the process used before it, while it was idle."""
    worker.release(batch=batch, slice_s=SLICE_S)
    message = worker.proceed(request)
    if "done" in message:
        raise WorkerLost(f"crashed: a process ended between two slices ({message['done']['reason']})")
    return message


def _with_slices(result: Message, slices: Sequence[Message], dropped: int) -> Message:
    if result.get("status") != "ok":
        return result
    metrics = [{"metric": "infer_p50_s", "value": one["median_s"], "batch": one["batch"]} for one in slices]
    evidence = {
        "slice_pairs_dropped": dropped,
        "slice_calls": [one["calls"] for one in slices],
        "slice_s": SLICE_S,
    }
    return {**result, "metrics": [*result["metrics"], *metrics], "evidence": {**result["evidence"], **evidence}}
