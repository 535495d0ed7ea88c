"""Quantities as people read them: ms and MiB, changes in percent, intervals.

No number has more digits than it has information: from 10^15 on, and below a millionth, it has an exponent.
"""

from __future__ import annotations

import math

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_WITH_EXPONENT = 1e15
"""The least number that has an exponent: a float tells no more digits apart."""
_SMALLEST_PLAIN = 1e-6
_LARGEST_PERCENT = 1e4


def quantity(value: float | None, unit: str) -> str:
    """Return a value in its unit: 0.0123 "seconds" is "12.3 ms", 2048 "bytes" is "2.00 KiB"; absent is "n/a"."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if unit.endswith("seconds"):
        return _seconds(value)
    if unit == "bytes":
        return _bytes(value)
    if value == int(value) and abs(value) < _WITH_EXPONENT:
        return f"{int(value):,}"
    return _digits(value)


def change(ratio: float | None) -> str:
    """Return new / old as a change: 1.123 is "+12.3 %", 2.5 is "x2.50", 0 is "-100 %", none is "n/a"."""
    if ratio is None or not math.isfinite(ratio):
        return "n/a"
    if ratio >= 2:
        return f"x{_digits(ratio)}" if ratio < 1e4 else f"x{ratio:.0e}"
    percent = 100 * (ratio - 1)
    if percent <= -_LARGEST_PERCENT:
        return f"x{ratio:.0e}"
    if percent == 0:
        return "0 %"
    if abs(percent) < 0.095:
        return f"{percent:+.2f} %" if abs(percent) >= 0.005 else "under 0.01 %"
    return f"{percent:+.1f} %" if abs(percent) < 99.95 else f"{percent:+.0f} %"


def brief_change(ratio: float | None) -> str:
    """Return new / old where there is little room: "+16 %", "-0.3 %", "0", "x2.5", "from 0", "" for none."""
    if ratio is None:
        return ""
    if not math.isfinite(ratio):
        return "from 0"
    if ratio >= 2:
        return f"x{factor(ratio)}"
    percent = 100 * (ratio - 1)
    return "0" if abs(percent) < 0.05 else f"{percent:+.0f} %" if abs(percent) >= 9.95 else f"{percent:+.1f} %"


def brief_interval(low: float | None, high: float | None) -> str:
    """Return the bounds of a ratio where there is little room: "+20 .. +33 %", "-1.2 .. +3.4 %"; "" for none."""
    if low is None or math.isnan(low):
        return ""
    if high is None or not math.isfinite(high):
        return f"{brief_change(low)} .. open"
    bounds = brief_change(low), brief_change(high)
    is_percent = bounds[1].endswith(" %")
    return " .. ".join((bounds[0].removesuffix(" %") if is_percent else bounds[0], bounds[1]))


def _tenths(percent: float) -> str:
    """Return percent with a sign and one decimal; what rounds to nothing has no sign."""
    text = f"{percent:+.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text


def interval(low: float | None, high: float | None) -> str:
    """Return the bounds of a ratio as changes: "-1.2 .. +3.4 %"; "" where there is no interval."""
    if low is None or math.isnan(low):
        return ""
    if high is None or not (-1 <= low < 2 and -1 <= high < 2):
        is_open = high is None or not math.isfinite(high)
        return f"{change(low)} .. {'open' if is_open else change(high)}"
    return f"{_tenths(100 * (low - 1))} .. {_tenths(100 * (high - 1))} %"


def percent(fraction: float) -> str:
    """Return a fraction without a sign: 0.1 is "10 %", 0.0251 is "2.5 %"."""
    value = 100 * fraction
    if not math.isfinite(value):
        return "n/a"
    if abs(value) >= _WITH_EXPONENT:
        return f"{value:.0e} %"
    return f"{value:.0f} %" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f} %"


def chance(value: float | None) -> str:
    """Return a p- or q-value: 0.0123 is "0.012", tiny ones "<0.001", none "-"."""
    if value is None or math.isnan(value):
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def plain(value: float) -> str:
    """Return a number whose unit stands elsewhere: four digits, whole from 1,000 on, "4 096 000"; "1.234e+16"."""
    if not math.isfinite(value):
        return "n/a"
    return f"{value:,.0f}".replace(",", " ") if 1000 <= abs(value) < _WITH_EXPONENT else f"{value:.4g}"


def factor(value: float) -> str:
    """Return how many times something is: two significant digits and no exponent, 0.93, 4.0, 45, 1,200."""
    rounded = float(f"{value:.1e}")
    if not math.isfinite(rounded) or abs(rounded) >= _WITH_EXPONENT or 0 < abs(rounded) < _SMALLEST_PLAIN:
        return f"{value:.1e}" if math.isfinite(value) else "n/a"
    places = max(0, 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:,.{places}f}"


def hundredths(value: float) -> str:
    """Return a number of everyday size with two decimals, as ratios and exponents have them; a huge one as "1e+30"."""
    if not math.isfinite(value):
        return "n/a"
    return f"{value:.2f}" if abs(value) < _WITH_EXPONENT else f"{value:.2e}"


def work(amount: float, unit: str) -> str:
    """Return an amount of "bytes" or of operations: "256 MiB", "2.15 Gflop"."""
    return quantity(amount, unit) if unit == "bytes" else f"{hundredths(amount / 1e9)} Gflop"


def rate(amount_per_s: float | None, unit: str) -> str:
    """Return a rate of "bytes" or of operations a second: "1.52 GB/s", "83 Gflop/s"; absent is "n/a"."""
    if amount_per_s is None or not math.isfinite(amount_per_s):
        return "n/a"
    return f"{hundredths(amount_per_s / 1e9)} GB/s" if unit == "bytes" else f"{_digits(amount_per_s / 1e9)} Gflop/s"


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
    """Return three significant digits, whole numbers from 1,000 on; an exponent only where it is huge or tiny."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= _WITH_EXPONENT or size < _SMALLEST_PLAIN:
        return f"{value:.2e}"
    if size >= 999.5:
        return f"{value:,.0f}"
    places = 2 - math.floor(math.log10(size))
    return f"{value:.{min(max(places - (size >= 10 ** (3 - places) * 0.9995), 0), 9)}f}"
