"""Named arrays in one file, readable by every numpy there is: numbers as they are, strings as marked bytes.

numpy stores strings as pickles, which differ between its versions, or cuts their last zero bytes; so each gets a
mark at its end.
"""

from __future__ import annotations

import os
from typing import Any, Dict

import numpy as np

_NUMBERS, _TEXT = "n:", "t:"
_MARK = b"\x01"


def save(path: str, arrays: Dict[str, Any]) -> None:
    """Write arrays by name to `path` as numpy's .npz, whole or not at all; strings are arrays of bytes or str."""
    kept = {}
    for name, values in arrays.items():
        values = np.asarray(values)
        if values.dtype.kind in "OSU":
            marked = [(one if isinstance(one, bytes) else str(one).encode()) + _MARK for one in values.ravel()]
            longest = max(map(len, marked), default=1)
            kept[_TEXT + name] = np.array(marked, dtype=f"S{longest}").reshape(values.shape)
        else:
            kept[_NUMBERS + name] = values
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as file:
        np.savez(file, **kept)  # type: ignore[arg-type]  # numpy takes a name for an option of its own
    os.replace(temporary, path)


def load(path: str) -> Dict[str, Any]:
    """Return the arrays of a file that `save` wrote, strings as arrays of bytes objects."""
    found = {}
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            values = file[name]
            if name.startswith(_TEXT):
                plain = np.empty(values.size, dtype=object)
                plain[:] = [one[: -len(_MARK)] for one in values.ravel()]
                values = plain.reshape(values.shape)
            found[name[len(_TEXT) :]] = values
    return found
