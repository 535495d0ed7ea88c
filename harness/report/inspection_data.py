"""What `inspect` found, as plain JSON data; lists are whole here, however long they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.answers.inspection import Change, Difference, ForeignOp, Inspection
from harness.savedmodel.description import MetaGraph, Signature, TensorSpec, Variable


def inspection_data(inspection: Inspection) -> dict[str, Any]:
    """Return a SavedModel; `difference` is null where no other one was given."""
    model = inspection.model
    first = model.meta_graphs[0]
    names = {variable.key: variable.name for variable in model.variables}
    return {
        "path": str(model.path),
        "digest": inspection.digest,
        "written_by": first.tensorflow_version,
        "written_by_git": first.tensorflow_git_version,
        "written_with": model.written_with,
        "keras": None if model.keras is None else asdict(model.keras),
        "bytes": model.bytes,
        "schema_version": model.schema_version,
        "release": inspection.release,
        "meta_graphs": [
            _meta_graph(graph, foreign, inspection.release)
            for graph, foreign in zip(model.meta_graphs, inspection.foreign_ops, strict=True)
        ],
        "variables": [_variable(one, names, inspection.duplicate_of) for one in model.variables],
        "files": [asdict(file) for file in model.files],
        "missing_assets": list(inspection.missing_assets),
        "fingerprint": None if model.fingerprint is None else asdict(model.fingerprint),
        "difference": None,
    }


def _meta_graph(graph: MetaGraph, foreign: tuple[ForeignOp, ...], release: str | None) -> dict[str, Any]:
    return {
        "tags": list(graph.tags),
        "signatures": {name: _signature(signature) for name, signature in graph.signatures.items()},
        "nodes": graph.nodes,
        "graph_nodes": graph.graph_nodes,
        "functions": len(graph.functions),
        "ops": {use.op: use.nodes for use in graph.ops},
        "op_bytes": {use.op: use.bytes for use in graph.ops},
        "unknown_ops": None if release is None else [one.op for one in foreign if one.is_unknown],
        "op_packages": {one.op: one.package for one in foreign},
        "stripped_default_attrs": graph.stripped_default_attrs,
        "bytes": graph.bytes,
        "parts": dict(graph.parts),
        "largest_nodes": [asdict(node) for node in graph.large_nodes],
        "function_sizes": [asdict(function) for function in graph.functions],
    }


def _signature(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": _tensors(signature.inputs),
        "outputs": _tensors(signature.outputs),
        "method_name": signature.method_name,
        "defaults": list(signature.defaults),
        "for_users": signature.is_for_users,
    }


def _tensors(specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    return {name: asdict(spec) for name, spec in specs.items()}


def _variable(variable: Variable, names: Mapping[str, str], duplicate_of: Mapping[str, str]) -> dict[str, Any]:
    first = duplicate_of.get(variable.key)
    return {**asdict(variable), "duplicate_of": None if first is None else names[first]}


def difference_data(difference: Difference) -> dict[str, Any]:
    """Return the JSON of what differs between the SavedModel and the other one."""
    other = difference.new
    return {
        "path": str(other.model.path),
        "digest": other.digest,
        "written_by": other.model.meta_graphs[0].tensorflow_version,
        "written_with": other.model.written_with,
        "parts": [_change(one) for one in difference.parts],
        "files": [_change(one) for one in difference.files],
        "variables": [_change(one) for one in difference.variables],
        "ops": [_change(one) for one in difference.ops],
        "functions": [_change(one) for one in difference.functions],
        "signatures": [
            {
                "name": one.name,
                "old": None if one.old is None else _signature(one.old),
                "new": None if one.new is None else _signature(one.new),
            }
            for one in difference.signatures
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    return asdict(change)
