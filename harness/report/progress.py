"""Live progress: block, cell, time left. A bar on a terminal, one line a cell elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.measure.presets import Cell
from harness.measure.progress import Progress, Step


def progress_for(console: Console) -> Progress:
    """Return the display that suits the console."""
    return _TerminalProgress(console) if console.is_terminal else _LineProgress(console)


_FEWEST_STEPS = 10


class _Clock:
    """Estimates the time left from the steps done since the first one that is not an import."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._first = 0.0

    def left_s(self, step: Step) -> float | None:
        """Return the seconds left after `step` begins; None while nothing is known."""
        done = step.block * step.steps + step.step
        if self._began is None:
            if step.cell is not None:
                self._began, self._first = time.monotonic(), done
            return None
        since = done - self._first
        if since < _FEWEST_STEPS:
            return None
        return (time.monotonic() - self._began) / since * (step.blocks * step.steps - done)


def _where(step: Step) -> str:
    if step.cell is None:
        return "import TensorFlow"
    return f"{step.operation}, {_case(step.cell)}"


def _case(cell: Cell) -> str:
    return f"model {cell.model} on the {cell.device.upper()}, saved with {cell.writer}"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left: unknown"
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min {rest:02d} s left" if minutes else f"about {rest} s left"


def _finished(block: int, blocks: int, duration_s: float) -> str:
    return f"Block {block + 1} of {blocks} finished in {duration_s:.0f} s. Results saved."


class _LineProgress:
    """One line for each new block and cell: readable in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = _Clock()
        self._last: tuple[object, ...] = ()

    def say(self, line: str) -> None:
        self._print(line)

    def step(self, step: Step) -> None:
        left = self._clock.left_s(step)
        key = (step.block, step.cell)
        if key != self._last:
            self._last = key
            what = "import TensorFlow" if step.cell is None else _case(step.cell)
            self._print(f"Block {step.block + 1} of {step.blocks}: {what} ({_left(left)})")

    def block_done(self, block: int, blocks: int, duration_s: float) -> None:
        self._print(_finished(block, blocks, duration_s))

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _TerminalProgress:
    """One line that is redrawn, and finished blocks above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = _Clock()
        self._live: Live | None = None

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)

    def step(self, step: Step) -> None:
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        done = (step.step + 1) / step.steps
        bar = "━" * round(20 * done) + "╌" * (20 - round(20 * done))
        block, left = f"Block {step.block + 1} of {step.blocks}", _left(self._clock.left_s(step))
        text = f"{block} {bar} {_where(step)}, {step.subject}; {left}"
        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def block_done(self, block: int, blocks: int, duration_s: float) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        self.say(_finished(block, blocks, duration_s))
