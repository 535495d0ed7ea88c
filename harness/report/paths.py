"""Paths as a user would type them."""

from __future__ import annotations

from pathlib import Path


def shown_path(path: Path) -> str:
    """Return a path as the user would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
