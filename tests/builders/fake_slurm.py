"""A simulated Slurm: programs on PATH that keep jobs in a folder and run them as processes of this machine.

`install(folder)` writes `sbatch`, `squeue`, `scancel`, `sinfo` and `sacct` there. A file `manual` in the folder keeps
jobs waiting until a test runs them, a file `silent` makes every program fail as without a controller, and a file
`forget` makes squeue know no job that has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo", "sacct")
NODES = {"n1": "h100", "n2": "a100"}


def install(folder: Path) -> None:
    """Write the programs into a folder, which goes to the front of PATH."""
    folder.mkdir()
    for name in PROGRAMS:
        program = folder / name
        here = str(Path(__file__).parent)
        program.write_text(
            f"#!{sys.executable} -I\nimport sys\nsys.path.insert(0, {here!r})\n"
            "import fake_slurm\nsys.exit(fake_slurm.main())\n"
        )
        program.chmod(0o755)


def jobs(folder: Path) -> list[dict[str, Any]]:
    """Return the jobs that were submitted, oldest first."""
    found = [json.loads(path.read_text()) for path in folder.glob("job-*.json")]
    return sorted(found, key=lambda job: int(job["id"]))


def change(folder: Path, slurm_id: str, **facts: Any) -> None:
    """Change what is known of a job."""
    path = folder / f"job-{slurm_id}.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
        temporary.replace(path)


def _sbatch(folder: Path, words: list[str]) -> int:
    options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
    script, *arguments = [word for word in words if not word.startswith("--")]
    feature = options.get("constraint")
    excluded = options.get("exclude", "").split(",")
    nodes = [name for name, own in NODES.items() if feature in (None, own) and name not in excluded]
    wanted = options.get("nodelist") or (nodes[0] if nodes else None)
    if feature is not None and feature not in NODES.values():
        print("sbatch: error: Batch job submission failed: Invalid feature specification", file=sys.stderr)
        return 1
    if "test-only" in options:
        return 0
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = str(1 + len(list(folder.glob("job-*.json"))))
        job = {
            "id": number, "state": "PENDING", "comment": options.get("comment", ""), "node": wanted, "pid": None,
            "script": script, "arguments": arguments, "output": options["output"].replace("%%", "%"), "words": words,
        }  # fmt: skip
        (folder / f"job-{number}.json").write_text(json.dumps(job))
    if not (folder / "manual").exists():
        with Path(os.devnull).open("w") as null:
            subprocess.Popen(
                [sys.executable, "-I", __file__, "run", str(folder), number], stdout=null, stderr=null,
                start_new_session=True,
            )  # fmt: skip
    print(number)
    return 0


def _run(folder: Path, number: str) -> int:
    """Run one job as slurmstepd does: a clean environment, output to its file, its end noted."""
    job = json.loads((folder / f"job-{number}.json").read_text())
    before = next((word for word in job["words"] if word.startswith("--dependency=afterany:")), "").split(":")[1:]
    while any(one["state"] in ("PENDING", "RUNNING") for one in jobs(folder) if one["id"] in before):
        time.sleep(0.1)
    environment = {
        "PATH": os.defpath,
        "SLURM_JOB_ID": number,
        "SLURMD_NODENAME": job["node"],
        "SECRET_TOKEN": "planted",
    }
    with Path(job["output"]).open("w") as output:
        process = subprocess.Popen(
            ["/bin/bash", job["script"], *job["arguments"]], env=environment, stdout=output, stderr=output,
            start_new_session=True, cwd="/",
        )  # fmt: skip
        change(folder, number, state="RUNNING", pid=process.pid)
        code = process.wait()
    known = json.loads((folder / f"job-{number}.json").read_text())["state"]
    change(folder, number, state=known if known != "RUNNING" else "FAILED" if code else "COMPLETED")
    return 0


def _scancel(folder: Path, numbers: list[str]) -> int:
    for job in jobs(folder):
        if job["id"] in numbers and job["state"] in ("PENDING", "RUNNING"):
            change(folder, job["id"], state="CANCELLED")
            if job["pid"]:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(job["pid"], signal.SIGTERM)
    return 0


def _squeue(folder: Path) -> int:
    for job in jobs(folder):
        if not (folder / "forget").exists() or job["state"] in ("PENDING", "RUNNING"):
            reason = "Resources" if job["state"] == "PENDING" else "None"
            print("|".join((job["id"], job["state"], job["node"] or "", reason, job["comment"])))
    return 0


def main() -> int:
    name = Path(sys.argv[0]).name
    if name not in PROGRAMS:
        return _run(Path(sys.argv[2]), sys.argv[3])
    return _answer(Path(sys.argv[0]).parent, name, sys.argv[1:])


def run_here(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Answer as a program on PATH does, without a process of its own: where a test asks hundreds of times."""
    sys.audit("fake_slurm.run", words[0])
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = _answer(folder, words[0], words[1:])
    return subprocess.CompletedProcess(words, code, out.getvalue(), error.getvalue())


def _answer(folder: Path, name: str, words: list[str]) -> int:
    if (folder / "silent").exists():
        time.sleep(0.05)
        print(f"{name}: error: Unable to contact slurm controller (connect failure)", file=sys.stderr)
        return 1
    match name:
        case "sbatch":
            return _sbatch(folder, words)
        case "squeue":
            return _squeue(folder)
        case "scancel":
            return _scancel(folder, words)
        case "sinfo":
            for node, feature in NODES.items():
                print(f"{node}|{feature}")
            return 0
        case _:
            print("Slurm accounting storage is disabled", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
