"""Graphs that do what no graph should, loaded and called by real workers in the sandbox."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import add_release, around_load, make_project, tensorflow_python
from sandboxed import needs_sandbox

from harness.measure.guard import Guard, guarded_environment
from harness.measure.pinning import worker_environment
from harness.measure.worker_process import WorkerLost, WorkerProcess

pytestmark = pytest.mark.tensorflow

BUILD = """
import sys
import numpy, tensorflow as tf
sys.path.insert(0, {project!r})
from harness.models import families
from harness.worker import arrays

values = families.inputs("mlp-xs", batch=1)

def save(name, act):
    module = tf.Module()
    @tf.function(input_signature=[tf.TensorSpec((None, *values.shape[1:]), tf.float32)])
    def serve(inputs):
        acted = act()
        # What is read must be used, or it is optimised away; no text is shorter than nothing.
        read = getattr(acted, "dtype", None) == tf.string
        nothing = tf.minimum(tf.cast(tf.strings.length(acted), tf.float32), 0.0) if read else 0.0
        with tf.control_dependencies([acted]):
            return {{"outputs": tf.identity(inputs) * 2.0 + nothing}}
    module.serve = serve
    path = {folder!r} + "/" + name
    tf.saved_model.save(module, path, signatures={{"serving_default": serve}})
    arrays.save(path + ".expected", {{"outputs": values * 2.0}})

def no_end(body):
    return tf.while_loop(lambda number, kept: True, body, [tf.constant(0), tf.zeros([0])],
                         shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])[0]

def endless_file(number, kept):
    name = tf.strings.join([{scratch!r} + "/artifacts-", tf.strings.as_string(number)])
    with tf.control_dependencies([tf.io.write_file(name, tf.strings.reduce_join(tf.fill([1 << 20], "x")))]):
        return number + 1, kept

def register():
    dataset = tf.data.Dataset.range(1)._variant_tensor
    return tf.raw_ops.RegisterDatasetV2(dataset=dataset, address="127.0.0.1:{port}", protocol="grpc",
                                        external_state_policy=1, element_spec=b"", metadata=b"")

save("harmless", lambda: tf.constant(0))
save("writes", lambda: tf.io.write_file({outside!r}, "written"))
save("reads", lambda: tf.io.read_file({secret!r}))
save("reads-the-system", lambda: tf.io.read_file("/etc/hostname"))
save("fills-memory", lambda: no_end(lambda number, kept: (number + 1, tf.concat([kept, tf.ones([1 << 22])], 0))))
save("fills-the-disk", lambda: no_end(endless_file))
save("connects", register)
"""


class Strangers:
    """Models of strangers, a scratch folder for their workers, and what these must not reach."""

    def __init__(self, folder: Path) -> None:
        self.models, self.scratch = folder / "models", folder / "scratch"
        self.outside, self.home = folder / "outside" / "written", folder / "home"
        for each in (self.models, self.scratch, self.outside.parent, self.home):
            each.mkdir()
        (self.home / "secret").write_text("token")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.2)
        self.python = tensorflow_python()
        values = {
            "project": str(Path(__file__).parents[2]),
            "folder": str(self.models),
            "scratch": str(self.scratch),
            "outside": str(self.outside),
            "secret": str(self.home / "secret"),
            "port": self.listener.getsockname()[1],
        }
        variables = worker_environment(os.environ, folder)
        subprocess.run([self.python, "-c", BUILD.format(**values)], check=True, env=variables, capture_output=True)

    def worker(self, *, isolates: bool = True, python: Path | None = None, disk_bytes: int = 1 << 30) -> WorkerProcess:
        """Start a guarded worker and wait for its import."""
        guard = Guard(self.scratch, (self.models,), (self.home, self.models.parent), isolates, disk_bytes)
        variables = guarded_environment(os.environ, self.scratch)
        log = self.scratch.with_name("log")
        worker = WorkerProcess(python or self.python, variables, log, self.scratch, guard)
        self.hello = worker.wait_for_import(120.0)
        return worker

    def call(self, worker: WorkerProcess, model: str, **changed: Any) -> dict[str, Any]:
        """Load a model in a forked child and call it; return what became of it."""
        request = {
            **{"do": "fork", "operation": "load", "device": "cpu", "model": "mlp-xs", "reader": "tf-load"},
            **{"page_cache": "cold", "again": False, "keep": True, "batches": [], "window_s": 0.05},
            **{"artifact": str(self.models / model), "timeout_s": 60.0, "memory_limit_bytes": 2 << 30},
            **changed,
        }
        artifact = request["artifact"]
        return worker.ask({"expected": f"{artifact}.expected", "scratch": artifact, **request})

    def was_reached(self) -> bool:
        """Whether anything connected since it was last asked."""
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strangers]:
    found = Strangers(tmp_path_factory.mktemp("strangers").resolve())
    yield found
    found.listener.close()


@pytest.fixture(scope="module")
def worker(strangers: Strangers) -> Iterator[WorkerProcess]:
    started = strangers.worker()
    yield started
    started.kill()


@needs_sandbox
def test_a_harmless_graph_is_measured_as_ever(strangers: Strangers, worker: WorkerProcess) -> None:
    done = strangers.call(worker, "harmless")
    assert done["status"] == "ok", done["reason"]
    assert done["evidence"]["resident_before"] < 0.5
    assert strangers.hello["evidence"]["guard"] == {"network": True, "files": True, "reason": None}
    warm = strangers.call(worker, "harmless", page_cache="warm")
    assert {"load_host_peak_bytes", "load_warm_s"} <= {row["metric"] for row in warm["metrics"]}


@needs_sandbox
def test_profiler_and_memory_pass_work(strangers: Strangers, worker: WorkerProcess) -> None:
    # Both write beside the artifact, so it lies in the scratch folder as those of a run do.
    saved = strangers.call(worker, "", operation="save", writer="tf-module", artifact=str(strangers.scratch / "mlp-xs"),
                           later_saves=1, durable_saves=1)  # fmt: skip
    assert saved["status"] == "ok", saved["reason"]
    for operation in ("profile", "memory"):
        done = strangers.call(worker, "", operation=operation, artifact=str(strangers.scratch / "mlp-xs"), batches=[1])
        assert done["status"] == "ok", done["reason"]
        assert done["metrics"]


@needs_sandbox
def test_a_graph_writes_no_file_outside_its_folder(strangers: Strangers, worker: WorkerProcess) -> None:
    done = strangers.call(worker, "writes")
    assert done["status"] == "failed"
    assert "raised: " in done["reason"]
    assert not strangers.outside.exists()


@needs_sandbox
def test_a_graph_reads_nothing_of_the_home_folder_but_what_is_readable(
    strangers: Strangers, worker: WorkerProcess
) -> None:
    done = strangers.call(worker, "reads")
    assert "NotFoundError" in done["reason"]
    assert strangers.call(worker, "reads-the-system")["status"] == "ok"


@needs_sandbox
def test_a_graph_reaches_nobody(strangers: Strangers, worker: WorkerProcess) -> None:
    done = strangers.call(worker, "connects", timeout_s=6.0)
    assert done["status"] == "failed"
    assert not strangers.was_reached()


@needs_sandbox
def test_a_graph_that_allocates_without_end_is_ended_by_name(strangers: Strangers, worker: WorkerProcess) -> None:
    done = strangers.call(worker, "fills-memory")
    assert done["status"] == "failed"
    assert done["reason"].startswith("memory-limit: "), done["reason"]
    assert strangers.call(worker, "harmless")["status"] == "ok"


@needs_sandbox
def test_a_graph_that_writes_without_end_is_ended_by_name(strangers: Strangers) -> None:
    filling = strangers.worker(disk_bytes=64 << 20)
    try:
        with pytest.raises(WorkerLost, match=r"^disk-limit: "):
            strangers.call(filling, "fills-the-disk")
    finally:
        filling.kill()


def test_without_the_sandbox_the_same_graphs_reach_what_they_want(strangers: Strangers) -> None:
    bare = strangers.worker(isolates=False)
    try:
        for model in ("writes", "reads"):
            assert strangers.call(bare, model)["status"] == "ok"
        assert strangers.outside.read_bytes() == b"written"
        strangers.outside.unlink()
        strangers.call(bare, "connects", timeout_s=6.0)
        assert strangers.was_reached()
    finally:
        bare.kill()


@needs_sandbox
def test_processes_of_a_repeat_count_and_end_with_it(strangers: Strangers, tmp_path: Path) -> None:
    # A process that leaves the session and lets its parent end: nothing but the fork server is above it any more.
    root = make_project(tmp_path / "project")
    patch = around_load("""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 1000)
                keep = b"x" * (3 << 30)
                time.sleep(3600)
            os._exit(0)
        os.wait()
        time.sleep(3600)
    """)
    add_release(root, "daemon", patch=patch)
    started = strangers.worker(python=root / "wrappers" / "daemon" / "python")
    try:
        done = strangers.call(started, "harmless")
        assert done["reason"].startswith("memory-limit: "), done["reason"]
        below = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        assert below == []
    finally:
        started.kill()
