"""What is told of a SavedModel, and of the difference between two, in every format."""

from __future__ import annotations

import struct
from pathlib import Path

from saved_model_files import FLOAT, SUFFIX, Graph, Tensor, function, node, saved_model, signature, tensor, trackable
from shown import as_json, as_markdown, as_table

from harness.answers.inspection import Difference, difference, inspect
from harness.report.inspection import report_inspection

SERVING = {"serving_default": signature({"x": tensor("x:0", FLOAT, (-1, 2))}, {"y": tensor("y:0", FLOAT, (-1, 1))})}
VARIABLE = node("v", "VarHandleOp")
KNOWN = frozenset({"Placeholder", "VarHandleOp", "MatMul"})


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def twice(folder: Path) -> Path:
    """Return a model that holds a weight twice, and the state of an optimizer."""
    keys = [f"{name}{SUFFIX}" for name in ("a", "b", "optimizer/m")]
    values = [floats(1, 2, 3), floats(1, 2, 3), floats(0, 0, 7)]
    tensors = {key: Tensor(value, (3,)) for key, value in zip(keys, values, strict=True)}
    objects = [trackable({"a": 1, "b": 2, "optimizer": 3}), *(trackable(keys={key: key}) for key in keys[:2])]
    objects += [trackable({"m": 4}), trackable(keys={keys[2]: "m"})]
    return saved_model(folder, Graph(nodes=[VARIABLE], signatures=SERVING), tensors, objects)


def test_the_document_has_files_signatures_ops_and_variables(tmp_path: Path) -> None:
    report = report_inspection(inspect(twice(tmp_path / "model")))
    shown = as_table(report)
    assert "Written by TensorFlow 2.7.0 with the API of TensorFlow 1" in shown
    assert "│ └ variables.index" in shown
    assert "1 of its 3 variables (12 B of 36 B) are optimizer state" in shown
    assert "1 variable (12 B) holds the same as another." in shown
    assert "serving_default  input   x     float32  (None, 2)" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["b", "b/.ATTRIBUTES/VARIABLE_VALUE", "float32", "(3,)", "12", "B", "a"] in lines
    assert "| VarHandleOp | 1 | " in as_markdown(report)


def test_json_has_the_fields_that_programs_read(tmp_path: Path) -> None:
    data = as_json(report_inspection(inspect(twice(tmp_path))))
    assert data["path"] == str(tmp_path)
    assert len(data["digest"]) == 64
    assert (data["written_by"], data["difference"], data["exit_code"]) == ("2.7.0", None, 0)
    (graph,) = data["meta_graphs"]
    assert (graph["tags"], graph["nodes"], graph["functions"]) == (["serve"], 1, 0)
    assert graph["ops"] == {"VarHandleOp": 1}
    assert graph["unknown_ops"] is None
    assert "--release" in data["notes"][-1]
    (x,) = graph["signatures"]["serving_default"]["inputs"].values()
    assert (x["dtype"], x["shape"]) == ("float32", [None, 2])
    told = [(one["name"], one["bytes"], one["optimizer_state"], one["duplicate_of"]) for one in data["variables"]]
    assert told == [("a", 12, False, None), ("b", 12, False, "a"), ("optimizer/m", 12, True, None)]
    assert {one["path"] for one in data["files"]} == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    }
    assert data["bytes"] == sum(one["bytes"] for one in data["files"])


def test_ops_that_a_release_does_not_have_are_named_with_what_brings_them(tmp_path: Path) -> None:
    inner = function("f", [node("t", "TRTEngineOp"), node("s", "SentencepieceTokenizeOp"), node("u", "MyOp")])
    folder = saved_model(tmp_path, Graph(nodes=[node("c", "f")], functions=[inner]))
    report = report_inspection(inspect(folder, "v2.21.0", KNOWN))
    assert as_json(report)["meta_graphs"][0]["unknown_ops"] == ["MyOp", "SentencepieceTokenizeOp", "TRTEngineOp"]
    assert (
        "3 ops that v2.21.0 does not have: MyOp, SentencepieceTokenizeOp (it comes with tensorflow-text)"
        in (report.notes[0])
    )


def test_without_a_release_only_ops_of_known_packages_are_named(tmp_path: Path) -> None:
    folder = saved_model(tmp_path, Graph(nodes=[node("a", "Addons>Gelu"), node("b", "MyOp")]))
    report = report_inspection(inspect(folder))
    assert as_json(report)["meta_graphs"][0]["op_packages"] == {"Addons>Gelu": "tensorflow-addons"}
    assert "Addons>Gelu (it comes with tensorflow-addons)" in report.notes[0]


def test_a_release_that_has_all_ops_is_said_to(tmp_path: Path) -> None:
    data = as_json(report_inspection(inspect(saved_model(tmp_path), "v2.21.0", KNOWN)))
    assert data["meta_graphs"][0]["unknown_ops"] == []
    assert data["notes"][-1] == "v2.21.0 has every op that it uses."


def test_an_asset_that_is_not_there_is_said(tmp_path: Path) -> None:
    there = saved_model(tmp_path, Graph(assets=["a.txt", "b.txt"]), others={"assets/a.txt": b"a"})
    assert inspect(there).missing_assets == ("assets/b.txt",)
    assert "assets/b.txt" in report_inspection(inspect(there)).notes[0]


def test_names_of_strangers_neither_break_a_table_nor_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b[31mred\nline|" + "x" * 1000
    graph = Graph(nodes=[node(evil, evil)], signatures={evil: signature({evil: tensor("x", 1, ())}, {})})
    folder = saved_model(tmp_path, graph, {evil: Tensor(b"1234")}, others={"assets/\x1b[2J": b""})
    for shown in (as_table(report_inspection(inspect(folder))), as_markdown(report_inspection(inspect(folder)))):
        assert "\x1b" not in shown
        assert max(map(len, shown.splitlines())) < 500


def test_many_and_deep_files_are_counted_not_listed(tmp_path: Path) -> None:
    many = {f"assets/{number:04d}": b"x" for number in range(500)}
    deep = {"/".join(["assets"] + ["d"] * 300 + ["f"]): b"xy"}
    shown = as_table(report_inspection(inspect(saved_model(tmp_path, others={**many, **deep}))))
    assert "… 488 more files" in shown
    assert len(shown.splitlines()) < 60


def two(tmp_path: Path) -> Difference:
    old_graph = Graph(nodes=[VARIABLE], functions=[function("call_7", [node("a", "MatMul")])], signatures=SERVING)
    body = [node("a", "MatMul"), node("b", "MatMul")]
    new_graph = Graph(nodes=[VARIABLE], functions=[function("call_91", body)], version="2.21.0")
    old = saved_model(tmp_path / "old", old_graph, {"w": Tensor(bytes(8), (2,)), "gone": Tensor(b"1234")})
    new = saved_model(tmp_path / "new", new_graph, {"w": Tensor(bytes(16), (4,)), "more": Tensor(bytes(40), (10,))})
    return difference(inspect(old), inspect(new))


def test_the_difference_says_what_grew_by_which_variables_ops_and_functions(tmp_path: Path) -> None:
    found = two(tmp_path)
    assert [(one.name, one.grown_bytes) for one in found.variables] == [("more", 40), ("w", 8), ("gone", -4)]
    assert [(one.name, one.old_nodes, one.new_nodes) for one in found.ops] == [("MatMul", 1, 2)]
    (grown,) = found.functions
    assert (grown.name, grown.old_nodes, grown.new_nodes) == ("call", 1, 2)
    assert [(one.name, one.new) for one in found.signatures] == [("serving_default", None)]
    whole = found.parts[0]
    assert whole.grown_bytes == found.new.model.bytes - found.old.model.bytes
    assert sum(one.grown_bytes for one in found.files) == whole.grown_bytes


def test_a_variable_that_lies_elsewhere_is_found_by_its_name_in_the_graph(tmp_path: Path) -> None:
    folders = []
    for number, names in enumerate((("w",), ("copies/0", "copies/1"))):
        keys = [f"{name}{SUFFIX}" for name in names]
        objects = [trackable({str(place): place + 1 for place in range(len(keys))})]
        objects += [trackable(keys={key: "dense/kernel"}) for key in keys]
        tensors = {key: Tensor(floats(1, 2), (2,)) for key in keys}
        folders.append(saved_model(tmp_path / str(number), Graph(nodes=[VARIABLE]), tensors, objects))
    (grown,) = difference(*map(inspect, folders)).variables
    assert (grown.name, grown.old_bytes, grown.new_bytes) == ("dense/kernel", 8, 16)


def test_the_difference_is_shown_and_in_json(tmp_path: Path) -> None:
    found = two(tmp_path)
    report = report_inspection(found.old, found)
    shown = as_table(report)
    assert "New: Written by TensorFlow 2.21.0" in shown
    assert ["more", "-", "40", "B", "+40", "B"] in [line.split() for line in shown.splitlines()]
    assert "serving_default  x: float32 (None, 2) → y: float32 (None, 1)  -" in shown
    data = as_json(report)
    assert data["written_by"] == "2.7.0"
    assert data["difference"]["written_by"] == "2.21.0"
    assert {"name": "gone", "old_bytes": 4, "new_bytes": None, "old_nodes": None, "new_nodes": None} in (
        data["difference"]["variables"]
    )


def test_the_same_content_twice_is_said(tmp_path: Path) -> None:
    one, other = inspect(twice(tmp_path / "one")), inspect(twice(tmp_path / "other"))
    report = report_inspection(one, difference(one, other))
    assert "Both hold the same content" in as_table(report)
    assert as_json(report)["difference"]["files"] == []
