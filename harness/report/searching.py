"""How far the search of a large history has come, on standard error."""

from __future__ import annotations

import sys
import time

_FIRST_S, _NEXT_S = 2.0, 10.0


class SearchProgress:
    """Prints a line when a search has taken two seconds, and one every ten seconds from then on.

    On a terminal the line is written over and over.
    """

    def __init__(self) -> None:
        self._next = time.monotonic() + _FIRST_S
        self._is_told = False

    def __call__(self, done: int, of: int) -> None:
        """Take notice of how many courses are searched."""
        if time.monotonic() < self._next and not (self._is_told and done == of):
            return
        over = sys.stderr.isatty()
        self._next = time.monotonic() + (0.2 if over else _NEXT_S)
        self._is_told = True
        line = f"Searched {done:,} of {of:,} courses for changes."
        print(f"\r{line}" if over else line, end="" if over and done < of else "\n", file=sys.stderr, flush=True)
