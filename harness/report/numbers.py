"""Quantities as people read them: ms and MiB, changes in percent, intervals."""

from __future__ import annotations

import math

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def quantity(value: float | None, unit: str) -> str:
    """Return a value in its unit: 0.0123 "seconds" is "12.3 ms", 2048 "bytes" is "2.00 KiB"; absent is "n/a"."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if unit.endswith("seconds"):
        return _seconds(value)
    if unit == "bytes":
        return _bytes(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return _digits(value)


def change(ratio: float | None) -> str:
    """Return new / old as a change: 1.123 is "+12.3 %", 2.5 is "x2.50", 0 is "-100 %", none is "n/a"."""
    if ratio is None:
        return "n/a"
    if ratio >= 2:
        return f"x{_digits(ratio)}" if ratio < 1e4 else f"x{ratio:.0e}"
    percent = 100 * (ratio - 1)
    if percent == 0:
        return "0 %"
    if abs(percent) < 0.095:
        return f"{percent:+.2f} %" if abs(percent) >= 0.005 else "under 0.01 %"
    return f"{percent:+.1f} %" if abs(percent) < 99.95 else f"{percent:+.0f} %"


def _tenths(percent: float) -> str:
    """Return percent with a sign and one decimal; what rounds to nothing has no sign."""
    text = f"{percent:+.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text


def interval(low: float | None, high: float | None) -> str:
    """Return the bounds of a ratio as changes: "-1.2 .. +3.4 %"; "" where there is no interval."""
    if low is None:
        return ""
    if high is None or high >= 2:
        return f"{change(low)} .. {'open' if high is None else change(high)}"
    return f"{_tenths(100 * (low - 1))} .. {_tenths(100 * (high - 1))} %"


def percent(fraction: float) -> str:
    """Return a fraction without a sign: 0.1 is "10 %", 0.0251 is "2.5 %"."""
    value = 100 * fraction
    return f"{value:.0f} %" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f} %"


def chance(value: float | None) -> str:
    """Return a p- or q-value: 0.0123 is "0.012", tiny ones "<0.001", none "-"."""
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 row", "2 rows", "3 (many)"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _seconds(value: float) -> str:
    size = abs(value)
    for scale, name in _TIMES:
        if size >= scale * 0.9995:
            return f"{_digits(value / scale)} {name}"
    return "0 s" if value == 0 else f"{_digits(value / 1e-9)} ns"


def _bytes(value: float) -> str:
    size, name = value, _BINARY[0]
    for name in _BINARY:
        if abs(size) < 1023.5 or name == _BINARY[-1]:
            break
        size /= 1024
    return f"{int(size)} B" if name == "B" and size == int(size) else f"{_digits(size)} {name}"


def _digits(value: float) -> str:
    """Return three significant digits without an exponent, whole numbers from 1,000 on."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 999.5:
        return f"{value:,.0f}"
    places = 2 - math.floor(math.log10(size))
    return f"{value:.{min(max(places - (size >= 10 ** (3 - places) * 0.9995), 0), 9)}f}"
