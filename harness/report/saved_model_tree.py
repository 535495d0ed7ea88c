"""The files of a SavedModel as a tree, with what each of them is: one line a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.answers.inspection import Inspection
from harness.report.document import Column, Quantity, Row, Table
from harness.report.names import LONGEST, shortened
from harness.report.numbers import count
from harness.savedmodel.description import SavedModel

_MOST_FILES = 12
"""Files of one folder that are shown, at most."""
_MOST_FOLDERS = 12
_DEEPEST = 4
_WARM_UP = "assets.extra/tf_serving_warmup_requests"


@dataclass(slots=True)
class _Folder:
    """Folders, and bytes of files, by name; `bytes` are those of all files below."""

    bytes: int = 0
    folders: dict[str, _Folder] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


def tree_table(inspection: Inspection) -> Table:
    """Return the table; of a folder with many files the first are shown, and what lies deep has its path for a name."""
    root = _Folder()
    for file in inspection.model.files:
        *above, name = file.path.split("/", _DEEPEST)
        folder = root
        folder.bytes += file.bytes
        for one in above:
            folder = folder.folders.setdefault(one, _Folder())
            folder.bytes += file.bytes
        folder.files[name] = file.bytes
    columns = (Column("file"), Column("size", numeric=True), Column("what it is"))
    return Table(columns, tuple(_rows(root, "", 0, inspection)), is_listing=True)


def _rows(folder: _Folder, path: str, depth: int, inspection: Inspection) -> Iterator[Row]:
    folders, shown = list(folder.folders.items())[:_MOST_FOLDERS], list(folder.files)[:_MOST_FILES]
    left_folders = list(folder.folders.values())[_MOST_FOLDERS:]
    left = len(folder.files) - len(shown)
    places = len(folders) + len(shown) + (left > 0) + bool(left_folders)
    place = 0
    for name, inside in folders:
        place += 1
        yield _row(f"{name}/", inside.bytes, depth, place == places, _folder_comment(f"{path}{name}/", inspection))
        yield from _rows(inside, f"{path}{name}/", depth + 1, inspection)
    if left_folders:
        place += 1
        size = sum(one.bytes for one in left_folders)
        yield _row(f"… {count(len(left_folders), 'more folder')}", size, depth, place == places, "")
    for name in shown:
        place += 1
        yield _row(name, folder.files[name], depth, place == places, _file_comment(f"{path}{name}", inspection))
    if left:
        size = sum(list(folder.files.values())[_MOST_FILES:])
        yield _row(f"… {count(left, 'more file')}", size, depth, True, "")


def _row(name: str, size: int, depth: int, is_last: bool, comment: str) -> Row:
    shown = shortened(name, LONGEST)
    return Row(("│ " * depth + ("└ " if is_last else "├ ") + shown, Quantity(size, "bytes"), comment))


def _folder_comment(path: str, inspection: Inspection) -> str:
    model = inspection.model
    if path == "variables/":
        state = len(inspection.optimizer_variables)
        of_state = f", {state} of them optimizer state" if state else ""
        return count(len(model.variables), "variable") + of_state
    comments = {
        "assets/": "files that the graph reads when it is loaded",
        "assets.extra/": "files that its author added, which no loader reads",
        "debug/": "where in the source code the nodes come from",
    }
    return comments.get(path, "not part of the format" if path.count("/") == 1 else "")


def _file_comment(path: str, inspection: Inspection) -> str:
    model = inspection.model
    comments: Mapping[str, str] = {
        "saved_model.pb": _graph_comment(model),
        "saved_model.pbtxt": "a graph as text; loaders take saved_model.pb",
        "variables/variables.index": "name, type, shape and place of each variable",
        "fingerprint.pb": "hashes of the other files, not needed to load it",
        "keras_metadata.pb": _keras_comment(model),
        "tfhub_module.pb": "marks a module of TensorFlow Hub for TensorFlow 1",
        _WARM_UP: "requests with which TensorFlow Serving warms up",
    }
    if path in comments:
        return comments[path]
    if path.startswith("variables/variables.data-"):
        shard = path.removeprefix("variables/variables.data-").partition("-")[0]
        here = sum(1 for one in model.variables if one.shard is not None and f"{one.shard:05d}" == shard)
        if here:
            return f"values of {count(here, 'variable')}"
        is_sliced = any(one.shard is None for one in model.variables)
        return "parts of variables" if is_sliced else "no variables, but the tree of Python objects"
    if path.startswith("assets/"):
        named = any(path.removeprefix("assets/") in graph.asset_names for graph in model.meta_graphs)
        return "" if named else "no graph asks for it"
    return "" if "/" in path else "not part of the format"


def _graph_comment(model: SavedModel) -> str:
    graphs = model.meta_graphs
    nodes, functions = sum(graph.nodes for graph in graphs), sum(len(graph.functions) for graph in graphs)
    inside = f"{nodes:,} nodes" + (f" in it and its {count(functions, 'function')}" if functions else "")
    if len(graphs) > 1:
        return f"{len(graphs)} graphs: {inside}"
    tags = ", ".join(graphs[0].tags)
    return f"the graph{f', tagged {tags}' if tags else ', without a tag'}: {inside}"


def _keras_comment(model: SavedModel) -> str:
    keras = model.keras
    told = [text for text in (keras and keras.class_name, keras and keras.version and f"Keras {keras.version}") if text]
    return "the Keras 2 model" + (f": {', '.join(told)}" if told else "")
