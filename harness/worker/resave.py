"""Saving again what was loaded, generation after generation: its time, its bytes, and whether they grow."""

from __future__ import annotations

import gc
import os
import shutil
from typing import Any, Callable, Dict, List

from harness.formats import registry
from harness.worker import apart, device, host_memory, outputs, page_cache
from harness.worker.recorder import Recorder, WrongOutput
from harness.worker.source import Source

GENERATIONS = 3
"""The first differs from what another writer made; from the second on, a file that grows grows with every turn."""


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Load and save three times over, each time what was saved before, in a process each; compare the last output.

    request: device, model, artifact, expected, scratch (where the generations are written).
    """
    folders = [f"{request['scratch']}.generation-{number}" for number in range(1, GENERATIONS + 1)]
    try:
        sizes: List[int] = []
        for path, written in zip([request["artifact"], *folders], folders):
            apart.run(_saving(tf, request, path, written, is_first=not sizes), recorder)
            sizes.append(_bytes(written))
        apart.run(_comparing(tf, request, folders[-1]), recorder)
        recorder.report("resave_bytes", sizes[0])
        recorder.report("resave_growth_bytes", sizes[-1] - sizes[-2])
        recorder.report("resave_failed", 0)
        recorder.evidence["generations_bytes"] = sizes
    except (apart.StepFailed, WrongOutput) as error:
        recorder.metrics = []
        recorder.report_absent("resave_s", f"failed: {error}")
        recorder.report("resave_failed", 1)
    finally:
        for path in folders:
            shutil.rmtree(path, ignore_errors=True)


def _saving(tf: Any, request: Dict[str, Any], path: str, written: str, *, is_first: bool) -> Callable[[Recorder], None]:
    def step(recorder: Recorder) -> None:
        device.initialise(tf, request["device"], recorder if is_first else Recorder())
        source = Source(request)
        with recorder.phase("load", "set-up"):
            loaded = registry.READERS["tf-load"].read(tf, path, source.endpoint)
            gc.collect()
        memory = host_memory.reset_peak()
        with recorder.phase("save what was loaded", "sample" if is_first else "check") as interval:
            tf.saved_model.save(loaded, written, signatures=dict(loaded.signatures))
            tf.test.experimental.sync_devices()
        if is_first:
            host_memory.report_peak(recorder, "resave_host_peak_bytes", memory)
            recorder.report_time("resave", interval)

    return step


def _comparing(tf: Any, request: Dict[str, Any], path: str) -> Callable[[Recorder], None]:
    def step(recorder: Recorder) -> None:
        device.initialise(tf, request["device"], Recorder())
        source, reader = Source(request), registry.READERS["tf-load"]
        # Whatever tags it had, what is written anew has "serve".
        endpoint = source.endpoint._replace(tags=None)
        with recorder.phase("compare output", "check"):
            loaded = reader.read(tf, path, endpoint)
            output = reader.callable_of(loaded, endpoint)(source.tensors(tf, source.base_batch))
            outputs.require_equal(output, request, recorder, "saved again", plausible=source.has_checked_output)

    return step


def _bytes(path: str) -> int:
    """Return an artifact's bytes, without the fingerprint, which varies by a few between identical saves."""
    return sum(os.path.getsize(name) for name in page_cache.files(path) if os.path.basename(name) != "fingerprint.pb")
