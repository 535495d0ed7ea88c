"""Names of places in a page: readable, of letters and digits only, each once."""

from __future__ import annotations

import re

_OTHERS = re.compile(r"[^a-z0-9]+")
_LONGEST = 60


def slug(text: str) -> str:
    """Return a text as a place's name: "Import TensorFlow (all)" is "import-tensorflow-all"; "part" where none is."""
    return _OTHERS.sub("-", text.lower()[: 4 * _LONGEST]).strip("-")[:_LONGEST].strip("-") or "part"


class Anchors:
    """Gives each place of one page a name of its own."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """Return the name of the next place that wants this one: "load", "load-2", …"""
        name = slug(wanted)
        while True:
            number = self._taken[name] = self._taken.get(name, 0) + 1
            found = name if number == 1 else f"{name}-{number}"
            if number == 1 or found not in self._taken:
                self._taken.setdefault(found, 1)
                return found
