"""What becomes of characters that an output cannot show: a sign that can be shown, never a traceback.

Reports have arrows, bars and Greek letters; names of benchmarks and paths have anything. Standard output may be ASCII
or Latin-1 (PYTHONIOENCODING, an old locale), and halves of characters, as in a path that is not UTF-8, cannot be
encoded at all.
"""

from __future__ import annotations

import codecs
import io
import sys

ERRORS = "savedmodel-bench"
"""The name of the way to handle what cannot be encoded, for `errors=`, once this module is imported."""

_SIGNS = {
    "→": "->", "≥": ">=", "≤": "<=", "±": "+-", "…": "...", "µ": "u", "μ": "u", "²": "^2", "•": "*", "━": "=", "╌": "-",
    "\N{MULTIPLICATION SIGN}": "x", "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-",
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    **dict(zip("▁▂▃▄▅▆▇█", "_.-:=+*#", strict=True)),
}  # fmt: skip


def use_safe_output() -> None:
    """Make standard output and standard error replace what they cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SIGNS.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _replaced)
