"""Two subjects' processes that do at once what each does only once, stopped and continued in turn.

The speed of a shared machine changes within seconds. Of two imports one after the other each meets another one; of two
that take turns of a few milliseconds, both meet the same. What is compared is their CPU seconds: the wall's hold the
other's turns.
"""

from __future__ import annotations

import contextlib
import random
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from harness.measure.worker_process import Message, WorkerLost, WorkerProcess

IMPORT_SLICE_S, SLICE_S = 0.03, 0.01
"""How long a turn is: of an import, and of what takes a tenth as long."""
JUDGED = ("import", "build", "save_first", "save_later", "load_warm", "load_again", "first_call")
"""Metrics (without their ending) of which a process in turn has a value: its CPU seconds, in place of the wall's."""

_METRONOME = Path(__file__).with_name("metronome.py")
_START_S = 10.0


class Turns:
    """Lets two workers run in turn, from entering to leaving.

    Raises:
        WorkerLost: on entering, where the process that leads them cannot be started.
    """

    def __init__(self, workers: Sequence[WorkerProcess], slice_s: float, chance: random.Random) -> None:
        self._workers = workers
        self._arguments = [*(str(one.pid) for one in workers), str(slice_s), str(chance.random())]

    def __enter__(self) -> Turns:
        self._metronome = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_METRONOME), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        told = self._metronome.stdout
        ready = [] if told is None else select.select([told], [], [], _START_S)[0]
        if not ready:
            self.__exit__(None, None, None)
            raise WorkerLost("crashed: the process that lets two others take turns did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It ends by itself once its input is closed, having let both go on.
        for pipe in (self._metronome.stdin, self._metronome.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._metronome.wait(_START_S)
        except subprocess.TimeoutExpired:
            self._metronome.kill()
            self._metronome.wait()

    def results(self, wait_for: Callable[[int], Message], timeout_s: float) -> list[Message]:
        """Return the result of each side; the one that is left when the other is done runs alone.

        Args:
            wait_for: waits for one side's result.
            timeout_s: how long to look which one is done first.
        """
        done, _, _ = select.select(self._workers, [], [], timeout_s)
        first = self._workers.index(done[0]) if done else 0
        found = {first: wait_for(first)}
        if self._metronome.stdin is not None:
            with contextlib.suppress(OSError):  # it is gone, and had let both go on
                self._metronome.stdin.write(str(1 - first).encode())
        found[1 - first] = wait_for(1 - first)
        return [found[0], found[1]]


def imported_in_turn(workers: Sequence[WorkerProcess], timeout_s: float, chance: random.Random) -> list[Message]:
    """Return the imports of two workers that were just started.

    Raises:
        WorkerLost: one of them ended.
    """
    with Turns(workers, IMPORT_SLICE_S, chance) as turns:
        found = turns.results(lambda side: workers[side].wait_for_import(2 * timeout_s), 2 * timeout_s)
    return [_judged(one) for one in found]


def done_in_turn(workers: Sequence[WorkerProcess], requests: Sequence[Message], chance: random.Random) -> list[Message]:
    """Return the results of two requests that forks of these workers do at once.

    Raises:
        WorkerLost: one of the workers ended.
    """
    # The disk is not what takes turns, and a process that stands still is not late.
    asked = [{**one, "durable_saves": 0, "timeout_s": 2 * one["timeout_s"]} for one in requests]
    with Turns(workers, SLICE_S, chance) as turns:
        for worker, request in zip(workers, asked, strict=True):
            worker.begin(request)
        found = turns.results(lambda side: workers[side].finish(asked[side]), asked[0]["timeout_s"])
    return [_judged(one) for one in found]


def _judged(result: Message) -> Message:
    """Return a result with what is judged of it alone: CPU seconds, under the names of the wall's.

    Its phases last as long as their CPU seconds, too, or the other's turns would be in them.
    """
    cpu_s = {one["metric"]: one["value"] for one in result["metrics"]}
    metrics = [{"metric": f"{name}_s", "value": cpu_s[f"{name}_cpu_s"]} for name in JUDGED if f"{name}_cpu_s" in cpu_s]
    phases = [{**one, "wall_s": one["wall_s"] if one["cpu_s"] is None else one["cpu_s"]} for one in result["phases"]]
    return {**result, "metrics": metrics, "absent": [], "phases": phases}
