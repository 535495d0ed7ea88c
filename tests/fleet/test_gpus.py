"""One GPU of a node, the same one each time: a played driver with two GPUs, of which Slurm gives some."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fake_nvml
import fake_slurm
import pytest
from fleets import HERE, make_fleet, make_type

from harness.fleet.collecting import collect
from harness.fleet.gpus import gpus_path, read_gpus
from harness.fleet.status import State
from harness.store.runs import runs_of

FIRST, SECOND = "GPU-11111111-aaaa", "GPU-22222222-bbbb"

CHOOSE = """
import json, os, sys
from harness.fleet.gpus import choose_gpu
for visible, kept in json.loads({asked!r}):
    variables = dict(os.environ, CUDA_DEVICE_ORDER="PCI_BUS_ID")
    if visible is not None:
        variables["CUDA_VISIBLE_DEVICES"] = visible
    chosen = choose_gpu(variables, kept)
    print(json.dumps(chosen and [chosen.uuid, chosen.is_other]))
"""

WORK = f"""
import sys
from pathlib import Path
sys.path[:0] = {[str(HERE), str(HERE.parents[1])]!r}
import fleets
import harness.fleet.work as working
working.host_findings = list
sys.exit(working.work(Path(sys.argv[1]), fleets.stub))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


def test_the_kept_gpu_is_chosen_among_those_that_slurm_gave(library: Path) -> None:
    asked = [
        ("0,1", None), ("0,1", SECOND), ("0", SECOND), ("1", SECOND), (f"{SECOND}", SECOND), (None, SECOND),
        ("", SECOND), ("NoDevFiles", SECOND), ("0,7,1", SECOND), ("GPU-2", SECOND),
    ]  # fmt: skip
    told = fake_nvml.ask(CHOOSE.format(asked=json.dumps(asked)), library, GPUS=f"{FIRST},{SECOND}")
    assert [json.loads(line) for line in told.splitlines()] == [
        [FIRST, False], [SECOND, False], [FIRST, True], [SECOND, False], [SECOND, False], [SECOND, False],
        None, None, [FIRST, True], [SECOND, False],
    ]  # fmt: skip


@pytest.mark.slow
def test_a_node_measures_on_one_gpu_and_on_another_one_it_is_another_machine(
    fake: Path, tmp_path: Path, library: Path
) -> None:
    (fake / "manual").touch()
    root, machines = tmp_path / "project", []
    for visible in ("1", "0,1", "0"):
        fleet = make_fleet(root, {"h100": make_type("h100", scratch=str(tmp_path))}, models=["mlp-m"])
        job = fake_slurm.jobs(fake)[-1]
        variables = fake_nvml.playing(library, GPUS=f"{FIRST},{SECOND}", DRIVER="999.99")
        named = {"SLURM_JOB_ID": job["id"], "SLURMD_NODENAME": "n1", "CUDA_VISIBLE_DEVICES": visible}
        words = [sys.executable, "-c", WORK, job["arguments"][-1]]
        subprocess.run(words, env={**variables, **named}, check=True)
        fake_slurm.change(fake, job["id"], state="COMPLETED")
        (status,) = collect(fleet).jobs
        assert status.state is State.FINISHED
        (attempt,) = fleet.attempts("h100-1")
        assert attempt.state is not None
        machines.append((attempt.state.gpu, attempt.state.machine))
        assert read_gpus(root, "h100") == {"n1": SECOND}
    own = machines[0][1]
    assert machines == [(SECOND, own), (SECOND, own), (FIRST, f"{own}-gpu-11111111")]
    assert str(own).endswith("-n1")
    assert {run.facts["machine"]["name"] for run in runs_of(root)[0]} == {own, f"{own}-gpu-11111111"}
    gpus_path(root, "h100").write_text("[")
    assert read_gpus(root, "h100") == {}
