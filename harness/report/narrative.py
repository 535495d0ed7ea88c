"""What `make bench` says at its end: the answer, and for each open question the command that settles it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.comparison import Comparison
from harness.report.table import body, indented, settle, to_text, top

_GLOSSARY = (
    "A row is one quantity in one place. Less is better everywhere. A time is called slower or faster only if the "
    "change exceeds the margin and chance is ruled out over all rows together (q: at most 5 % of such calls are "
    "false); it is called the same only if that was shown. Everything else is undecided, with the change that this "
    "run would have called."
)


def render_narrative(
    comparison: Comparison,
    *,
    settle_command: str | None = None,
    next_commands: Sequence[tuple[str, str]] = (),
    width: int = 100,
    colour: bool = False,
) -> str:
    """Return the end text.

    Args:
        comparison: what was measured and judged.
        settle_command: the command that adds blocks, without its number; "--blocks N" is appended. By default
            `savedmodel-bench compare` with the same sides and preset.
        next_commands: (command, what it does) pairs of what to run next.
        width: columns of the terminal.
        colour: whether to write ANSI colours.
    """
    default = f"savedmodel-bench compare {comparison.old.name} {comparison.new.name} --preset {comparison.preset}"
    parts = [
        *top(comparison),
        *body(comparison),
        *settle(comparison, settle_command or default),
        *_where(comparison),
        *_next(next_commands),
        Text(),
        Text(f"How to read this: {_GLOSSARY}", style="dim"),
    ]
    return to_text(parts, width=width, colour=colour)


def _where(comparison: Comparison) -> Iterator[RenderableType]:
    if comparison.run_path is None:
        return
    yield Text()
    yield Text("Where the results lie", style="bold")
    yield indented(comparison.run_path)


def _next(commands: Sequence[tuple[str, str]]) -> Iterator[RenderableType]:
    if not commands:
        return
    yield Text()
    yield Text("What to run next", style="bold")
    longest = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        if longest > 60:
            yield indented(command)
            yield Padding(Text(purpose), (0, 0, 0, 6))
        else:
            yield indented(f"{command:<{longest}}   {purpose}")
