"""The way of a GPU's cells from plan to reports. Driver and device are played: no number here means anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fake_nvml
import pytest
from faulty_releases import add_release, has_measured, make_project, records_of, tensorflow_python
from gpu_stand_in import PATCH

COMMAND = Path(sys.executable).with_name("savedmodel-bench")

PRESET = """
[flow]
time_margin = 0.10
blocks = 1
timeout_s = 120

[[flow.groups]]
devices = ["cpu", "gpu"]
models = ["mlp-xs"]
writer = "tf-module"
reader = "tf-load"
warm_repeats = 1
batches = [1]

[[flow.groups]]
devices = ["gpu"]
models = ["mlp-xs"]
writer = "tf-module"
reader = "tf-load"
later_saves = 1
cold_repeats = 1
infer_repeats = 1
first_result_repeats = 1
calls_repeats = 1
profile_repeats = 1
memory_repeats = 1
resume_repeats = 1
custom_code_repeats = 1
floor_repeats = 1
batches = [1, 32]
window_s = 0.05
"""

ON_A_GPU_ONLY = {
    "save_device_need_bytes",
    "load_device_need_bytes",
    "first_call_device_need_bytes",
    "infer_device_need_bytes",
    "device_retained_bytes",
    "device_growth_bytes",
    "device_leaks",
    "device_copy_floor_s",
    "infer_energy_j",
}


@pytest.mark.tensorflow
def test_every_pass_runs_on_a_gpu_and_reaches_the_reports(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "on-a-gpu", patch=PATCH)
    add_release(root, "without-cuda", python=tensorflow_python())
    (root / "flow.toml").write_text(PRESET)
    library = fake_nvml.build(tmp_path)
    playing = fake_nvml.playing(library, DRIVER="999.99", ENERGY="1000,901000")
    told = {}
    for name, *arguments in (
        ("run", "on-a-gpu", "without-cuda", "--preset", "flow.toml"),
        ("ratios", "--format", "json"),
        ("promises", "--format", "json"),
        ("summary", "--format", "json"),
    ):
        done = subprocess.run(
            [COMMAND, name, *arguments], cwd=root, env=playing, capture_output=True, text=True, timeout=400, check=False
        )
        assert has_measured(done), done.stderr
        told[name] = done.stdout
    records = [record for record in records_of(root) if record["type"] == "repeat" and record["cell"]]
    on_gpu = [record for record in records if record["cell"]["device"] == "gpu"]
    without = {(record["status"], record["reason"]) for record in on_gpu if record["subject"] == "without-cuda"}
    assert without == {("unsupported", "no-gpu: a CPU build")}
    on_gpu = [record for record in on_gpu if record["subject"] == "on-a-gpu"]
    assert {(record["operation"], record["status"]) for record in on_gpu} == {
        (operation, "ok")
        for operation in (
            *("save", "load", "infer", "first-result", "calls"),
            *("profile", "memory", "resume", "custom-code", "floor"),
        )
    }
    metrics = {device: {entry["metric"] for record in records if record["cell"]["device"] == device
                        for entry in record["metrics"]} for device in ("cpu", "gpu")}  # fmt: skip
    assert metrics["gpu"] >= ON_A_GPU_ONLY
    assert not metrics["cpu"] & ON_A_GPU_ONLY
    loads = [record for record in on_gpu if record["operation"] == "load"]
    assert all(record["evidence"]["input_device"].endswith("CPU:1") for record in loads)
    assert all(record["evidence"]["gpu_after"]["temperature_c"] == 41 for record in on_gpu)
    # What this driver does not tell is absent with its reason, and the profiler found no kernels of a GPU.
    reasons = {entry["metric"]: entry["reason"] for record in on_gpu for entry in record["absent"]}
    assert reasons["device_footprint_bytes"].startswith("none of the processes is among the 0 that the driver lists")
    assert reasons["profile_kernels"].startswith("no-kernels: ")
    (facts,) = (json.loads(path.read_text()) for path in (root / "results" / "runs").glob("*/*/run.json"))
    assert facts["gpu"] == {"uuid": "GPU-fake", "reason": None}
    assert facts["fingerprint_parts"]["GPU"] == "GPU-fake"
    assert '"save_device_need_bytes"' in told["summary"]
    assert '"kept"' in told["promises"]
    warm = [record for record in records if record["page_cache"] == "warm" and not record["taints"]]
    if {record["cell"]["device"] for record in warm if record["operation"] == "load"} == {"cpu", "gpu"}:
        assert '"what": "warm load on the GPU"' in told["ratios"]
