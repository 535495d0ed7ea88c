"""What a spawned repeat's record keeps of its own import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import add_release, has_measured, make_project, records_of
from tiny_plans import tiny_plan

from harness.measure.repeat_record import after_import

COMMAND = Path(sys.executable).with_name("savedmodel-bench")

COLD = """
import os
with open(os.environ["HOME"] + "/library", "w+b", buffering=0) as file:
    file.write(bytes(1 << 20) * 32)
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    file.seek(0)
    while file.read(1 << 20):
        pass
"""
"""Runs inside the import: 32 MiB of it come from the disk, whatever the page cache holds."""

PLAN = tiny_plan({"warm_repeats": 1, "first_result_repeats": 1})

IMPORTED: dict[str, Any] = {
    "phases": [{"name": "import", "kind": "sample", "wall_s": 3.0, "cpu_s": 2.0}],
    "taints": ["cold-import: 32 MiB read from storage"],
    "evidence": {"import_bytes_read": 32 << 20},
}


def test_only_a_clock_that_holds_the_import_is_tainted_by_it() -> None:
    result = {"phases": [], "taints": ["steal: 12 % of CPU time"], "evidence": {"resident": 1.0}, "status": "ok"}
    timed, other = after_import(result, IMPORTED, True), after_import(result, IMPORTED, False)
    assert timed["taints"] == ["cold-import: 32 MiB read from storage", "steal: 12 % of CPU time"]
    assert other["taints"] == ["steal: 12 % of CPU time"]
    for each in (timed, other):
        assert each["evidence"] == {"import_bytes_read": 32 << 20, "resident": 1.0}
        assert [(phase["name"], phase["kind"]) for phase in each["phases"]] == [("import", "import")]
        assert each["status"] == "ok"


@pytest.mark.tensorflow
@pytest.mark.python
def test_a_first_result_after_a_cold_import_is_tainted_and_a_load_is_not(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "cold", patch=COLD, limit=f"export HOME={tmp_path}")
    (root / "spawned.toml").write_text(PLAN)
    command = [COMMAND, "run", "cold", "--preset", "spawned.toml", "--isolation", "spawn"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert has_measured(done), done.stderr
    records = {record["operation"]: record for record in records_of(root) if record["type"] == "repeat"}
    if not records["import"]["evidence"].get("import_bytes_read"):
        pytest.skip("this kernel or file system does not tell what is read from storage")
    cold = {name for name, record in records.items() if any("cold-import" in taint for taint in record["taints"])}
    assert cold == {"import", "first-result"}
    for name in ("import", "save", "load", "first-result"):
        assert records[name]["evidence"]["import_bytes_read"] >= 32 << 20
