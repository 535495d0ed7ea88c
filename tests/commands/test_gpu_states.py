"""What commands do about a GPU that is there and does not answer, or that this process was not given.

The kernel is played, by a folder; a driver's library is not needed for that.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import fake_nvml
import pytest
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main
from harness.commands import bench
from harness.machine.findings import GPU, Finding, Severity
from harness.machine.gpu.fitness import gpu_findings
from harness.machine.gpu.kernel import ROOT_VARIABLE
from harness.machine.guards import Guards
from harness.measure.sitting import Outcome
from harness.measure.watch import Watch
from harness.planning import plans
from harness.releases.environments import choose_wheel
from harness.report.doctor import answer

pytestmark = pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has an NVIDIA driver")

NAME = "NVMLError_LibraryNotFound"


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return root


@pytest.fixture(name="broken")
def _broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that the kernel drives, given to this process, without the driver's library."""
    kernel = fake_nvml.kernel(tmp_path / "kernel", "nvidia", nodes=1, module="580.65.06", model="NVIDIA H100")
    monkeypatch.setenv(ROOT_VARIABLE, str(kernel))


@pytest.fixture(name="kept")
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as a container sees it that was started without the GPU."""
    kernel = fake_nvml.kernel(tmp_path / "kernel", "nvidia", module="580.65.06", model="NVIDIA H100")
    monkeypatch.setenv(ROOT_VARIABLE, str(kernel))


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--device", "cpu,gpu"), ("--wheel", "cpu")])
@pytest.mark.parametrize("command", [("run", "2.21"), ("compare", "2.20", "2.21"), ("calibrate",)])
def test_what_would_measure_a_gpu_that_does_not_answer_ends_before_it_measures(
    root: Path,
    command: tuple[str, ...],
    more: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plans, "installed", lambda *_, **__: pytest.fail("it goes on to install a release"))
    assert main([*command, *more]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        f"savedmodel-bench: The GPU cannot be measured: 1 NVIDIA GPU does not answer: {NAME}. Install the driver's "
        "library libnvidia-ml.so.1, or start the container with it (docker run --gpus all). `--device cpu` measures "
        "the CPU alone.\n"
    )
    assert not (root / "results").exists()


@pytest.mark.usefixtures("root", "broken")
@pytest.mark.parametrize("more", [("--device", "cpu"), ("--preset", "own.toml")])
def test_what_measures_the_cpu_alone_is_not_kept_from_it(
    more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own.toml").write_text(
        '[own]\ntime_margin = 0.1\nblocks = 1\ntimeout_s = 9\n[[own.groups]]\ndevices = ["cpu"]\nmodels = ["mlp-xs"]\n'
        'writer = "tf-module"\nreader = "tf-load"\nwarm_repeats = 1\n'
    )
    assert main(["run", "2.21", "--dry-run", *more]) == 0
    assert "GPU" not in capsys.readouterr().out


@pytest.mark.usefixtures("root", "broken")
def test_the_main_job_measures_the_cpu_and_says_first_and_last_that_the_gpu_was_not(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = f"The GPU is NOT measured, the CPU alone is: 1 NVIDIA GPU does not answer: {NAME}. Install "
    assert main(["bench", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert f"GPU tests are skipped: 1 NVIDIA GPU does not answer: {NAME}.\n" in shown.out
    assert " on gpu " not in shown.out
    assert all(shown.err.splitlines()[end].startswith(told) for end in (0, -1))
    run = store_run(root, blocks({OLD: [1.0, 1.1, 1.0], NEW: [1.0, 1.0, 1.1]}), kind="bench")
    monkeypatch.setattr(bench, "measure_request", lambda *_: Outcome(run, 3, 0, 3, False, None))
    assert main(["bench"]) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0].startswith(told)
    assert shown.out.splitlines()[-1].startswith(told)
    # Who asks for the GPU by name is not content with the CPU.
    assert main(["bench", "--dry-run", "--device", "cpu,gpu"]) == 3


@pytest.mark.usefixtures("root", "kept")
def test_a_gpu_that_was_not_given_is_a_note_and_the_cpu_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    told = "GPU tests are skipped: 1 NVIDIA GPU on this machine, not given to this process: there is no device node"
    for command in (["compare", "2.20", "2.21"], ["bench"]):
        assert main([*command, "--dry-run"]) == 0
        shown = capsys.readouterr()
        assert told in " ".join(shown.out.split())
        assert "NOT measured" not in shown.err
    assert main(["run", "2.21", "--dry-run", "--device", "gpu"]) == 3
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("broken")
def test_a_broken_night_goes_on_with_the_wheels_that_are_there(root: Path) -> None:
    assert choose_wheel(root=root) == "cpu"
    there = root / ".environments" / "tf-2.21.0-cuda-today-py311"
    there.mkdir(parents=True)
    assert choose_wheel(root=root) == "cpu"  # it was never filled
    (there / "savedmodel-bench.json").touch()
    assert choose_wheel(root=root) == "cuda"


@pytest.mark.usefixtures("kept")
def test_a_gpu_that_was_not_given_needs_no_cuda(root: Path) -> None:
    there = root / ".environments" / "tf-2.21.0-cuda-today-py311"
    there.mkdir(parents=True)
    (there / "savedmodel-bench.json").touch()
    assert choose_wheel(root=root) == "cpu"


def gpu_finding() -> Finding:
    (finding,) = gpu_findings({})
    assert finding.code == GPU
    return finding


@pytest.mark.usefixtures("broken")
def test_the_doctor_calls_a_gpu_that_does_not_answer_a_problem_with_its_remedy() -> None:
    finding = gpu_finding()
    assert (finding.severity, finding.text) == (Severity.PROBLEM, f"1 NVIDIA GPU does not answer: {NAME}")
    assert finding.advice is not None
    assert finding.advice.endswith("`--device cpu` measures the CPU alone.")
    assert answer([finding]).startswith("the GPU cannot be measured until this is solved: gpu; --device cpu")


@pytest.mark.usefixtures("kept")
def test_the_doctor_only_notes_a_gpu_that_was_not_given() -> None:
    finding = gpu_finding()
    assert finding.severity is Severity.OK
    assert finding.text.endswith("there is no device node /dev/nvidia0 (the CPU alone is measured)")


def require_gpu() -> None:
    spec = importlib.util.spec_from_file_location("suite", Path(__file__).parents[2] / "benchmarks" / "savedmodel.py")
    assert spec is not None
    assert spec.loader is not None
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    suite.require_gpu()


@pytest.mark.usefixtures("broken")
def test_asv_shows_a_failure_where_a_gpu_does_not_answer() -> None:
    with pytest.raises(RuntimeError, match=rf"1 NVIDIA GPU does not answer: {NAME}\. Install"):
        require_gpu()


@pytest.mark.usefixtures("kept")
def test_asv_shows_n_a_where_a_gpu_was_not_given() -> None:
    with pytest.raises(NotImplementedError, match="not given to this process"):
        require_gpu()


@pytest.mark.usefixtures("broken")
def test_a_gpu_that_broke_in_a_run_fails_what_finds_none(tmp_path: Path) -> None:
    """TensorFlow says the same as in a release that lacks a CUDA library, which is n/a."""
    empty: dict[str, Any] = {"taints": [], "evidence": {}, "phases": [], "metrics": [], "absent": []}
    found_none = {**empty, "status": "unsupported", "reason": "no-gpu: TensorFlow finds none, its log may say why"}
    with Guards(None, tmp_path) as guards:
        result = Watch(guards, "gpu").added_to(found_none)
        assert (result["status"], result["reason"]) == ("failed", f"gpu-broken: 1 NVIDIA GPU does not answer: {NAME}")
        other = Watch(guards, "gpu").added_to({**found_none, "reason": "no-gpu: a CPU build"})
        assert other["status"] == "unsupported"


@pytest.mark.usefixtures("kept")
def test_a_release_that_finds_no_gpu_is_told_as_before_where_none_broke(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"taints": [], "evidence": {}, "phases": [], "metrics": [], "absent": []}
    found_none = {**empty, "status": "unsupported", "reason": "no-gpu: TensorFlow finds none, its log may say why"}
    with Guards(None, tmp_path) as guards:
        assert Watch(guards, "gpu").added_to(found_none)["status"] == "unsupported"
