"""A model's signature written anew: its function and variables, without optimizer, layers and other signatures."""

from __future__ import annotations

from typing import Any, Dict

from harness.formats import tf_load
from harness.worker import device
from harness.worker.recorder import Recorder
from harness.worker.source import Source


def run(tf: Any, request: Dict[str, Any], recorder: Recorder) -> None:
    """Load an artifact and save what its signature needs.

    request: device, artifact, written (where the new one goes).
    """
    source = Source(request)
    device.initialise(tf, request["device"], recorder)
    with recorder.phase("load and save the signature", "check"):
        loaded = tf_load.read(tf, request["artifact"], source.endpoint)
        signature = loaded.signatures[source.endpoint.signature]
        module = tf.Module()
        module.variables_of_model = list(signature.graph.variables)
        # Tables and files that the function reads are tracked where the loaded object has them.
        module.assets = list(getattr(loaded, "asset_paths", None) or ())
        module.tables = list((getattr(loaded, "initializer", None) and [loaded.initializer]) or ())
        tf.saved_model.save(module, request["written"], signatures={source.endpoint.signature: signature})
