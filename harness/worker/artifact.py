"""What an artifact holds: bytes by part, files, graph nodes and functions."""

from __future__ import annotations

import os
from typing import Tuple

from harness.worker import page_cache
from harness.worker.recorder import Recorder


def report(recorder: Recorder, path: str, parameter_bytes: int) -> None:
    """Report the exact metrics of the SavedModel at `path`.

    fingerprint.pb stays out of the bytes: between identical saves it varies by a few bytes (varint checksums).
    """
    sizes = {os.path.relpath(name, path): os.path.getsize(name) for name in page_cache.files(path)}
    counted = {name: size for name, size in sizes.items() if name != "fingerprint.pb"}
    graph = counted.get("saved_model.pb", 0)
    variables = sum(size for name, size in counted.items() if name.startswith("variables" + os.sep))
    total = sum(counted.values())
    recorder.report("artifact_bytes", total)
    recorder.report("artifact_graph_bytes", graph)
    recorder.report("artifact_variables_bytes", variables)
    recorder.report("artifact_other_bytes", total - graph - variables)
    recorder.report("artifact_bytes_per_parameter_byte", total / parameter_bytes)
    recorder.report("artifact_files", len(sizes))
    nodes, functions = _graph_size(os.path.join(path, "saved_model.pb"))
    recorder.report("graph_nodes", nodes)
    recorder.report("graph_functions", functions)
    recorder.evidence["files"] = sizes


def _graph_size(path: str) -> Tuple[int, int]:
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    with open(path, "rb") as file:
        message.ParseFromString(file.read())
    graphs = [meta_graph.graph_def for meta_graph in message.meta_graphs]
    functions = [function for graph in graphs for function in graph.library.function]
    nodes = sum(len(graph.node) for graph in graphs) + sum(len(function.node_def) for function in functions)
    return nodes, len(functions)
