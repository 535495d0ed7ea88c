"""A machine's Pythons as a test wants them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.releases import environments, python_choice
from harness.releases.pythons import Python


def machine_with(monkeypatch: pytest.MonkeyPatch, *minors: str, fetchable: Iterable[str] = ()) -> None:
    """Play a machine that has these Pythons, the newest first, and a network from which uv can fetch others."""
    found = {minor: Python(minor, f"{minor}.1", Path(f"/pythons/{minor}/bin/python")) for minor in minors}
    for module in (python_choice, environments):
        monkeypatch.setattr(module, "found_pythons", lambda: found)
    monkeypatch.setattr(python_choice, "fetchable_pythons", lambda: frozenset(fetchable))
