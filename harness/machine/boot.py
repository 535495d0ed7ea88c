"""Which boot of which node this process runs under."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

NODE_VARIABLE = "SLURMD_NODENAME"
"""Set by Slurm in every job: the node's name, which is the administrator's and not the host's."""


def boot_id() -> str:
    """Return the kernel's id of this boot; empty where it gives none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def node_name(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the name of this node of a cluster, as parts of file names may have it; None outside a job."""
    name = (os.environ if environment is None else environment).get(NODE_VARIABLE, "")
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.") or None
