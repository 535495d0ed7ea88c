"""What of the caller's shell reaches a worker: a few variables, by name."""

from __future__ import annotations

from pathlib import Path

from harness.measure.pinning import PINNED, worker_environment


def test_no_token_reaches_a_worker() -> None:
    names = ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "NVIDIA_API_KEY", "SBATCH_EXPORT", "TF_XLA_FLAGS", "MY")
    planted = dict.fromkeys(names, "planted")
    caller = {**planted, "PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "0"}
    given = worker_environment(caller, Path("/scratch"))
    assert "planted" not in given.values()
    assert {"PATH", "HOME", "LC_ALL", "CUDA_VISIBLE_DEVICES", "KERAS_HOME", *PINNED} == {*given}
