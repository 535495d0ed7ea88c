"""A course as a row of bars, which every terminal and every format can show."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_ABSENT = "·"
_LEVEL = 0.01


def bars(values: Sequence[float | None], least_span: float = 0.0) -> str:
    """Return a course as bars from its least to its greatest value; one that moves under 1 % is level.

    Args:
        values: a bar each; None is a dot.
        least_span: the fraction of the least value that the whole height stands for at least, so that noise stays low.
    """
    known = [value / 2 for value in values if value is not None]  # so that the span of the largest floats is one itself
    if not known:
        return _ABSENT * len(values)
    low, high = min(known), max(known)
    if high - low <= _LEVEL * abs(high):
        return "".join(_ABSENT if value is None else _BARS[3] for value in values)
    span = max(high - low, least_span * abs(low))
    return "".join(
        _ABSENT if value is None else _BARS[round((value / 2 - low) / span * (len(_BARS) - 1))] for value in values
    )
