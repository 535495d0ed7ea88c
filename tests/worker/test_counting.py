"""Counting Python calls: exact under every Python, by module, and only what is asked for."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.releases.pythons import found_pythons
from harness.worker.counting import GENERATED, CountingRecorder, module_of

PROJECT = Path(__file__).parents[2]

# Counts a workload with the counter, then again with a profile function, which sees each call by itself.
SCRIPT = """
import contextlib, json, sys, threading
sys.path.insert(0, {project!r})
sys.path.insert(0, {folder!r})
from harness.worker.counting import CountingRecorder
import work

work.everything()
recorder = CountingRecorder()
with recorder.phase("save, first"):
    work.everything()
seen = []
def profile(frame, event, argument):
    if event == "call":
        seen.append(frame.f_code.co_filename)
sys.setprofile(profile)
work.everything()
sys.setprofile(None)
counted = recorder.evidence["work"]["save_first"]
print(json.dumps([counted["calls"], len(seen), counted["by_module"]["work"], seen.count(work.__file__)]))
"""

WORK = """
import contextlib
def numbers():
    try:
        yield 1
        yield 2
    finally:
        helper()
def outer():
    yield from numbers()
def helper(): pass
async def inner(): return 1
async def waiting(): return await inner()
@contextlib.contextmanager
def kept():
    try:
        yield
    except ValueError:
        helper()
def everything():
    list(outer())
    started = numbers(); next(started); started.close()
    thrown = numbers(); next(thrown)
    with contextlib.suppress(KeyError):
        thrown.throw(KeyError())
    with contextlib.suppress(StopIteration):
        waiting().send(None)
    with kept():
        raise ValueError
    [helper() for _ in range(3)]
    sum(1 for _ in range(3))
    class Body: x = helper()
    exec("helper()", {"helper": helper})
    sorted([2, 1], key=lambda one: one)
"""


@pytest.mark.parametrize("minor", ["3.9", "3.10", "3.11", "3.12", "3.13"])
def test_starts_and_resumptions_are_counted_alike_under_every_python(tmp_path: Path, minor: str) -> None:
    python = found_pythons().get(minor)
    if python is None:
        pytest.skip(f"no Python {minor} here")
    (tmp_path / "work.py").write_text(WORK)
    script = SCRIPT.format(project=str(PROJECT), folder=str(tmp_path))
    done = subprocess.run([python.path, "-c", script], capture_output=True, text=True, check=True)
    calls, seen, calls_here, seen_here = json.loads(done.stdout)
    assert calls == seen
    assert calls_here == seen_here > 20


def count(work: Any) -> dict[str, Any]:
    recorder = CountingRecorder()
    with recorder.phase("load, warm"):
        work()
    found: dict[str, Any] = recorder.evidence["work"]["load"]
    return found


def test_an_extra_call_is_found_in_its_module() -> None:
    few, many = (count(lambda times=times: [json.loads("1") for _ in range(times)]) for times in (10, 11))
    assert many["by_module"]["json"] - few["by_module"]["json"] == 1
    assert many["by_module"]["json.decoder"] - few["by_module"]["json.decoder"] == 2


def test_only_phases_that_are_timed_elsewhere_are_counted() -> None:
    recorder = CountingRecorder()
    for name, kind in (("collect garbage", "set-up"), ("save, first", "check"), ("build", "sample")):
        with recorder.phase(name, kind) as interval:
            json.loads("1")
        assert interval.wall_s > 0
    recorder.report("save_first_s", 1.0)
    assert recorder.as_dict()["metrics"] == []
    assert recorder.evidence["work"] == {}


def test_the_harness_reads_for_itself_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    nothing, one = count(lambda: None), count((tmp_path / "file").read_bytes)
    assert nothing["io"] == {"bytes_read": 0, "bytes_written": 0, "reads": 0, "writes": 0}
    assert one["io"]["bytes_read"] == 1000
    assert nothing["calls"] <= 1  # the function of this test itself


def test_the_collector_is_off_while_work_is_counted() -> None:
    try:
        seen: list[bool] = []
        count(lambda: seen.append(gc.isenabled()))
        assert seen == [False]
    finally:
        gc.enable()


def test_code_is_told_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/lib/python3.11", "/env/site-packages"])
    assert module_of("/env/site-packages/tensorflow/python/framework/ops.py") == "tensorflow.python.framework.ops"
    assert module_of("/env/site-packages/keras/__init__.py") == "keras"
    assert module_of("<frozen importlib._bootstrap>") == "importlib._bootstrap"
    assert module_of("<string>") == GENERATED
    assert module_of("/tmp/__autograph_generated_filex1.py") == GENERATED
    assert module_of("/elsewhere/planted.py") == "planted"


@pytest.mark.parametrize(("runs", "functions"), [(False, None), (True, 0)])
def test_a_context_that_does_not_run_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, runs: bool, functions: int | None
) -> None:
    asked = []
    context = SimpleNamespace(_initialized=runs, list_function_names=lambda: asked.append(1) or {"f"})
    stand_in = SimpleNamespace(context_safe=lambda: context)
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", stand_in)  # type: ignore[arg-type]
    assert count(lambda: None)["functions"] == functions
    assert bool(asked) is runs
