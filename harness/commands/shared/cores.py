"""Work on all cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from rich.console import Console
from rich.progress import track

_FEWEST = 500
"""Items below which starting processes takes longer than the work."""
_TOGETHER = 50


def each_on_all_cores(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
    """Map a function over many items, in their order, on all usable cores, with its progress on a terminal.

    Args:
        function: one that another process can import.
        items: what it is called with.
    """
    cores = len(os.sched_getaffinity(0))
    if len(items) < _FEWEST or cores < 2:
        return map(function, items)
    return _mapped(function, items, cores)


def _mapped(function: Callable[[Any], Any], items: Sequence[Any], cores: int) -> Iterable[Any]:
    screen = Console(stderr=True)
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as processes:
        results = processes.map(function, items, chunksize=_TOGETHER)
        yield from track(
            results, "Looking for changes", len(items), console=screen, transient=True, disable=not screen.is_terminal
        )
