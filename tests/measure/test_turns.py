"""Two processes in turn: one runs at a time, in equal shares, and nothing stands still when they are left."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.measure.turns import JUDGED, Turns, done_in_turn, imported_in_turn

PROJECT = Path(__file__).parents[2]
SPIN = "import time\nwhile True: pass"

# A worker whose work is to count, and which says with what it was asked.
WORKER = """
import json, os, socket, sys, time
stream = socket.socket(fileno=int(sys.argv[1])).makefile("rw")
def work(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds: pass
    return {"metric": "load_warm_cpu_s", "value": time.process_time() - began}
for line in stream:
    request = json.loads(line)
    metrics = [work(request["work_s"]), {"metric": "load_warm_s", "value": 99.0}, {"metric": "need", "value": 1.0}]
    result = {"metrics": metrics, "absent": [{"metric": "x"}], "phases": [], "asked": request}
    stream.write(json.dumps({"done": result}) + "\\n")
    stream.flush()
"""


class Worker:
    """Stands for `WorkerProcess`: a process in a group of its own, that answers requests."""

    def __init__(self, code: str) -> None:
        self._mine, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True
            )
        self.pid = self.process.pid
        self._stream = self._mine.makefile("rw")

    def fileno(self) -> int:
        return self._mine.fileno()

    def begin(self, request: dict[str, Any]) -> None:
        self._stream.write(json.dumps(request) + "\n")
        self._stream.flush()

    def finish(self, _: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self._stream.readline())["done"]
        return result

    def wait_for_import(self, _: float) -> dict[str, Any]:
        metrics = [{"metric": "import_cpu_s", "value": 2.0}, {"metric": "import_s", "value": 4.0}]
        phases = [{"name": "import", "cpu_s": 2.0, "wall_s": 4.0}, {"name": "start", "cpu_s": None, "wall_s": 0.1}]
        return {"metrics": metrics, "phases": phases}


@pytest.fixture(name="workers")
def _workers() -> Iterator[list[Worker]]:
    made = [Worker(WORKER), Worker(WORKER)]
    yield made
    for one in made:
        one.process.kill()
        one.process.wait()


def cpu_ticks(pid: int) -> int:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.slow
def test_two_that_never_end_have_equal_shares_and_go_on_afterwards() -> None:
    spinning = [Worker(SPIN), Worker(SPIN)]
    try:
        with Turns(spinning, 0.005, random.Random(1)):  # type: ignore[arg-type]
            before = [cpu_ticks(one.pid) for one in spinning]
            seen = set()
            began = time.monotonic()
            while time.monotonic() - began < 1.5:
                states = [state(one.pid) for one in spinning]
                seen.add(states.count("T"))
            ticks = [cpu_ticks(one.pid) - was for one, was in zip(spinning, before, strict=True)]
        assert seen & {1, 2}
        assert min(ticks) > 0.6 * max(ticks)
        assert sum(ticks) < 1.2 * 1.5 * os.sysconf("SC_CLK_TCK")  # of two that run at once it would be twice as much
        assert {state(one.pid) for one in spinning} == {"R"}
    finally:
        for one in spinning:
            one.process.kill()
            one.process.wait()


@pytest.mark.slow
def test_what_each_did_is_its_cpu_seconds_under_the_name_of_the_walls(workers: list[Worker]) -> None:
    requests = [{"work_s": 0.1, "timeout_s": 60, "durable_saves": 3}, {"work_s": 0.3, "timeout_s": 60}]
    for asked in (requests, requests[::-1]):  # whichever is done first
        found = done_in_turn(workers, asked, random.Random(2))  # type: ignore[arg-type]
        for request, result in zip(asked, found, strict=True):
            (metric,) = result["metrics"]
            assert metric["metric"] == "load_warm_s"
            assert request["work_s"] <= metric["value"] < 2 * request["work_s"]
            assert result["absent"] == []
            assert (result["asked"]["timeout_s"], result["asked"]["durable_saves"]) == (120, 0)
    assert "load_warm" in JUDGED


def test_imports_are_their_cpu_seconds(workers: list[Worker]) -> None:
    for one in workers:
        one.begin({"work_s": 0.0})
    found = imported_in_turn(workers, 60.0, random.Random(3))  # type: ignore[arg-type]
    assert [one["metrics"] for one in found] == [[{"metric": "import_s", "value": 2.0}]] * 2
    assert [phase["wall_s"] for phase in found[0]["phases"]] == [2.0, 0.1]


def test_a_harness_that_is_killed_leaves_nobody_standing(tmp_path: Path) -> None:
    script = f"""
import random, sys, time
sys.path[:0] = [{str(PROJECT)!r}, {str(Path(__file__).parent)!r}]
from test_turns import SPIN, Worker
from harness.measure.turns import Turns
spinning = [Worker(SPIN), Worker(SPIN)]
with Turns(spinning, 0.005, random.Random(1)):
    print(*(one.pid for one in spinning), flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert parent.stdout is not None
    pids = [int(one) for one in parent.stdout.readline().split()]
    try:
        assert len(pids) == 2
        time.sleep(0.1)
        parent.kill()
        parent.wait()
        began = time.monotonic()
        while {state(pid) for pid in pids} != {"R"} or len(seen_running(pids, 0.1)) != 1:
            assert time.monotonic() - began < 10, [state(pid) for pid in pids]
    finally:
        parent.stdout.close()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def seen_running(pids: list[int], seconds: float) -> set[str]:
    """Return the states of processes over a stretch of time."""
    found: set[str] = set()
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        found |= {state(pid) for pid in pids}
    return found
