"""Long work is shared by processes, in the items' order, says how far it is, and ends when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from harness.commands.shared import cores

_WORK = """
    import os, sys, time
    from harness.commands.shared import cores

    def work(number):
        open(f"{__file__}.{os.getpid()}", "a").close()
        time.sleep(0.02)
        return number, os.getpid()

    if __name__ == "__main__":
        cores._ALONE_S, cores._WORTH_S, cores._FIRST_LINE_S, cores._NEXT_LINE_S = 0.1, 0.1, 0.2, 0.5
        cores.os.sched_getaffinity = lambda process: {0, 1}
        print("begun", flush=True)
        done = list(cores.on_all_cores("Counting")(work, range(int(sys.argv[1]))))
        print([number for number, _ in done] == list(range(int(sys.argv[1]))), len({process for _, process in done}))
"""


@pytest.fixture(name="script")
def _script(tmp_path: Path) -> Path:
    path = tmp_path / "counting.py"
    path.write_text(textwrap.dedent(_WORK))
    return path


def start(script: Path, items: int) -> subprocess.Popen[str]:
    """Start the script as the leader of a group of processes, as a terminal does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(items)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        env=environment,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
        # A shell's background jobs have it ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )


def test_short_work_stays_in_this_process() -> None:
    assert list(cores.on_all_cores("Counting")(lambda number: number * 2, range(5))) == [0, 2, 4, 6, 8]


@pytest.mark.slow
def test_long_work_is_shared_and_says_how_far_it_is(script: Path) -> None:
    out, error = start(script, 200).communicate(timeout=60)
    assert out.split()[:2] == ["begun", "True"]
    assert int(out.split()[2]) in (2, 3)  # this process and one or both of the others
    assert "Counting: " in error
    assert "% …" in error


@pytest.mark.slow
def test_an_interrupt_ends_all_processes_and_leaves_nothing_behind(script: Path) -> None:
    process = start(script, 10_000)
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(600):  # until this process and another one work: what starts late is another case
        if len(list(script.parent.glob(f"{script.name}.*"))) > 1:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "leaked" not in error
    assert error.count("KeyboardInterrupt") == 1
    assert is_empty(process.pid)


def is_empty(group: int) -> bool:
    """Return whether all processes of a group have ended, within some seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
