"""A process of its own that lets one of two process groups run at a time, in short slices.

Started as `python metronome.py GROUP GROUP SLICE_S SEED`, it stops both groups and writes a line; then they take turns,
the order random and balanced (ABBA or BAAB). `0` or `1` on its standard input lets that group run alone from then on.
When its standard input is closed, as it is when its parent dies, both go on and it ends: a group that nobody leads ends
by itself, and none is left standing. It needs the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Let the groups take turns until the standard input is closed; return the exit status."""
    groups = [int(one) for one in arguments[:2]]
    slice_s, chance = float(arguments[2]), random.Random(arguments[3])
    try:
        _send_to(groups, signal.SIGSTOP)
        sys.stdout.write("\n")
        sys.stdout.flush()
        alone = _take_turns(groups, slice_s, chance)
        if alone:
            _send_to([groups[int(alone)]], signal.SIGCONT)
            while os.read(0, 1):
                pass
    finally:
        _send_to(groups, signal.SIGCONT)
    return 0


def _take_turns(groups: Sequence[int], slice_s: float, chance: random.Random) -> bytes:
    """Let one run after the other until something is said; return it, nothing where the input was closed."""
    while True:
        first = chance.randrange(2)
        for side in (first, 1 - first, 1 - first, first):
            _send_to([groups[side]], signal.SIGCONT)
            said, _, _ = select.select([0], [], [], slice_s)
            if said:
                _send_to(groups, signal.SIGSTOP)
                return os.read(0, 1)
            _send_to([groups[side]], signal.SIGSTOP)


def _send_to(groups: Sequence[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
