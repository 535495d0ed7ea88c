"""Long work on many items: on all cores where that is sooner done, and with its progress on standard error."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:  # it imports scipy, which takes a second
    from harness.verdict.history import Each


_ALONE_S = 1.0
"""So long one process works alone; then the rest is shared, if it would take longer than _WORTH_S."""
_WORTH_S = 4.0
_CHUNK_S = 0.25
"""Of work that a process is handed at once: an interrupted command waits for two or three of these."""
_FIRST_LINE_S, _NEXT_LINE_S = 2.0, 10.0


def on_all_cores(task: str) -> Each:
    """Return what maps a function over many items, in their order, and shows how far it is.

    The function must be one that another process can import. Short work stays in this process and shows nothing.

    Args:
        task: what is done: "Looking for changes".
    """

    def each(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
        screen = Console(stderr=True)
        if screen.is_terminal:
            return track(_mapped(function, items), task, len(items), console=screen, transient=True)
        return _told(_mapped(function, items), task, len(items))

    return each


def _told(results: Iterator[Any], task: str, total: int) -> Iterator[Any]:
    """Yield the results; say how far they are after two seconds, and then every ten."""
    due = time.monotonic() + _FIRST_LINE_S
    for done, result in enumerate(results, 1):
        yield result
        if time.monotonic() >= due:
            print(f"{task}: {done / total:.0%} …", file=sys.stderr, flush=True)
            due = time.monotonic() + _NEXT_LINE_S


def _mapped(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    cores = len(os.sched_getaffinity(0))
    spent = 0.0
    for done, item in enumerate(items):
        if cores > 1 and spent > _ALONE_S and spent / done * (len(items) - done) > _WORTH_S:
            yield from _shared(function, items[done:], cores, math.ceil(_CHUNK_S * done / spent))
            return
        began = time.monotonic()
        result = function(item)
        spent += time.monotonic() - began
        yield result


def _shared(function: Callable[[Any], Any], items: Sequence[Any], cores: int, together: int) -> Iterator[Any]:
    resource_tracker.ensure_running()  # which unblocks signals
    # Ctrl-C goes to every process of a terminal. This one alone minds it, and lets the others end by themselves: what
    # is killed would leave semaphores behind.
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    processes = ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn"))
    try:
        results = processes.map(function, items, chunksize=together)
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        yield from results
    finally:
        processes.shutdown(cancel_futures=True)
