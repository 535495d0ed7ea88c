"""Test plans of the smallest model, as small as a question allows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_GROUP = {"devices": ["cpu"], "models": ["mlp-xs"], "writer": "tf-module", "reader": "tf-load"}


def tiny_plan(*groups: Mapping[str, Any], name: str = "tiny", blocks: int = 1) -> str:
    """Return the text of a test plan.

    Args:
        groups: the fields of each group that are other than those of `_GROUP`.
        name: what it is called.
        blocks: how many it has.
    """
    lines = [f"[{name}]", "time_margin = 0.10", f"blocks = {blocks}", "timeout_s = 60"]
    for group in groups:
        # What these fields hold is written in TOML as in JSON.
        fields = {**_GROUP, **group}
        lines += ["", f"[[{name}.groups]]", *(f"{field} = {json.dumps(value)}" for field, value in fields.items())]
    return "\n".join(lines) + "\n"
