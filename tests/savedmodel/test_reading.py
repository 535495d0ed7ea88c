"""What is read of a SavedModel: graphs, signatures and variables, as its files have them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from saved_model_files import (
    FLOAT,
    INT32,
    STRING,
    SUFFIX,
    UNKNOWN_RANK,
    Graph,
    Tensor,
    checkpoint,
    function,
    node,
    number,
    saved_model,
    saved_object,
    signature,
    tensor,
    text,
    trackable,
)

from harness.savedmodel.description import OpUse, TensorSpec
from harness.savedmodel.reading import read
from harness.savedmodel.snappy import decompress

ONE = struct.pack("<f", 1.5)
VARIABLE = node("v", "VarHandleOp")


def test_signatures_have_names_types_and_shapes(tmp_path: Path) -> None:
    called = signature(
        {"x": tensor("in_x:0", FLOAT, (-1, 14)), "n": tensor("in_n:0", INT32, ())},
        {"y": tensor("out:0", STRING, UNKNOWN_RANK)},
    )
    graph = Graph(signatures={"serving_default": called, "__saved_model_init_op": signature({}, {})})
    (read_graph,) = read(saved_model(tmp_path, graph)).meta_graphs
    found = read_graph.signatures["serving_default"]
    assert found.inputs == {
        "n": TensorSpec("int32", (), "in_n:0"),
        "x": TensorSpec("float32", (None, 14), "in_x:0"),
    }
    assert found.outputs == {"y": TensorSpec("string", None, "out:0")}
    assert found.method_name == "predict"
    assert [one.name for one in read_graph.signatures.values() if one.is_for_users] == ["serving_default"]


def test_a_shape_that_is_not_told_is_unknown_and_not_a_scalar(tmp_path: Path) -> None:
    untold = text(1, "x:0") + number(2, FLOAT)
    graph = Graph(signatures={"f": signature({"x": untold}, {})})
    assert read(saved_model(tmp_path, graph)).meta_graphs[0].signatures["f"].inputs["x"].shape is None


def test_inputs_of_several_tensors_say_what_they_are(tmp_path: Path) -> None:
    sparse = number(2, FLOAT) + text(4, text(1, "values:0")) + text(3, b"")
    ragged = text(5, text(1, text(3, "RaggedTensorSpec")))
    graph = Graph(signatures={"f": signature({"s": sparse, "r": ragged}, {})})
    inputs = read(saved_model(tmp_path, graph)).meta_graphs[0].signatures["f"].inputs
    assert {name: (spec.kind, spec.tensor) for name, spec in inputs.items()} == {
        "s": ("sparse", None),
        "r": ("RaggedTensorSpec", None),
    }


def test_nodes_and_ops_are_counted_inside_functions_too(tmp_path: Path) -> None:
    inner = function("inner_12", [node("a", "MatMul"), node("b", "Relu")])
    graph = Graph(nodes=[node("x", "Placeholder"), node("m", "MatMul")], functions=[inner])
    found = read(saved_model(tmp_path, graph)).meta_graphs[0]
    assert (found.graph_nodes, found.nodes) == (2, 4)
    assert [(one.op, one.nodes) for one in found.ops] == [("MatMul", 2), ("Placeholder", 1), ("Relu", 1)]
    assert found.ops[2] == OpUse("Relu", 1, len(node("b", "Relu")))
    assert [(one.name, one.nodes, one.bytes) for one in found.functions] == [("inner_12", 2, len(inner))]
    assert sum(found.parts.values()) == found.bytes


def test_every_meta_graph_is_there_with_its_tags(tmp_path: Path) -> None:
    model = read(saved_model(tmp_path, [Graph(tags=("serve",)), Graph(tags=("train", "gpu"), version="unknown")]))
    assert [one.tags for one in model.meta_graphs] == [("serve",), ("train", "gpu")]
    assert [one.tensorflow_version for one in model.meta_graphs] == ["2.7.0", None]


def test_a_large_constant_is_named(tmp_path: Path) -> None:
    graph = Graph(functions=[function("f", [node("weights", "Const", text(5, bytes(9000)))])])
    (large,) = read(saved_model(tmp_path, graph)).meta_graphs[0].large_nodes
    assert (large.name, large.op, large.function) == ("weights", "Const", "f")
    assert large.bytes > 9000


def test_variables_have_type_shape_bytes_and_their_place(tmp_path: Path) -> None:
    tensors = {"a": Tensor(ONE), "layer/kernel" + SUFFIX: Tensor(bytes(24), (2, 3))}
    objects = [
        trackable({"layer": 1}),
        trackable({"kernel": 2}),
        trackable(keys={"layer/kernel" + SUFFIX: "dense/kernel"}),
    ]
    first, second = read(saved_model(tmp_path, Graph(nodes=[VARIABLE]), tensors, objects)).variables
    assert (first.name, first.full_name, first.dtype, first.shape, first.bytes) == ("a", None, "float32", (), 4)
    assert (second.name, second.full_name, second.shape) == ("layer/kernel", "dense/kernel", (2, 3))
    assert (second.shard, second.offset, second.bytes) == (0, 4, 24)


def test_an_index_that_snappy_compressed_is_read(tmp_path: Path) -> None:
    folder = saved_model(tmp_path, Graph(nodes=[VARIABLE]), {"a": Tensor(ONE)})
    index, _ = checkpoint({"a": Tensor(ONE)}, compress=True)
    (folder / "variables" / "variables.index").write_bytes(index)
    assert [one.name for one in read(folder).variables] == ["a"]


def test_snappy_copies_may_repeat_what_they_write() -> None:
    assert decompress(bytes([12, 2 << 2, *b"abc", (9 - 4) << 2 | 1, 3])) == b"abc" * 4
    assert decompress(bytes([7, 2 << 2, *b"abc", (4 - 1) << 2 | 2, 1, 0])) == b"abccccc"


def test_a_variable_in_slices_has_the_bytes_of_all_of_them(tmp_path: Path) -> None:
    folder = saved_model(
        tmp_path, Graph(nodes=[VARIABLE]), {"\0part": Tensor(bytes(40), (10,)), "w": Tensor(b"", (10,))}
    )
    index = (folder / "variables" / "variables.index").read_bytes()
    assert [one.name for one in read(folder).variables] == ["w"]
    entry = number(1, FLOAT) + text(2, text(2, number(1, 10)))
    sliced = entry + number(4, 40) + number(5, 0)
    assert sliced in index
    slices = entry + text(7, b"\x12\0")
    (folder / "variables" / "variables.index").write_bytes(index.replace(sliced, slices.ljust(len(sliced), b"\x40"), 1))
    (found,) = read(folder).variables
    assert (found.bytes, found.shard) == (40, None)


def optimizer_state(folder: Path) -> dict[str, bool]:
    return {one.name: one.optimizer_state for one in read(folder).variables}


def test_slot_variables_and_what_an_optimizer_holds_are_its_state(tmp_path: Path) -> None:
    kernel, slot, rate = (f"{name}{SUFFIX}" for name in ("k", "k/.OPTIMIZER_SLOT/opt/m", "opt/learning_rate"))
    objects = [
        trackable({"k": 1, "opt": 2}),
        trackable(keys={kernel: "k"}),
        trackable({"learning_rate": 3}, slots=(4,)),
        trackable(keys={rate: "rate"}),
        trackable(keys={slot: "k_slot"}),
    ]
    folder = saved_model(tmp_path, Graph(nodes=[VARIABLE]), {key: Tensor(ONE) for key in (kernel, slot, rate)}, objects)
    assert optimizer_state(folder) == {"k": False, "k/.OPTIMIZER_SLOT/opt/m": True, "opt/learning_rate": True}


def test_model_variables_that_keras_3_keeps_under_its_optimizer_are_no_state(tmp_path: Path) -> None:
    trained, state = (f"optimizer/{name}{SUFFIX}" for name in ("_trainable_variables/0", "_variables/0"))
    objects = [
        trackable({"layer": 1, "optimizer": 2}),
        trackable({"deep": 6}),
        trackable({"_trainable_variables": 3, "_variables": 4}),
        trackable({"0": 7}),
        trackable({"0": 5}),
        trackable(keys={state: "whatever"}),
        trackable({"kernel": 7}),
        trackable(keys={trained: "kernel"}),
    ]
    folder = saved_model(tmp_path, Graph(nodes=[VARIABLE]), {key: Tensor(ONE) for key in (trained, state)}, objects)
    assert optimizer_state(folder) == {"optimizer/_trainable_variables/0": False, "optimizer/_variables/0": True}


@pytest.mark.parametrize(
    ("name", "is_state"),
    [
        ("dense/kernel/Adam_1", True),
        ("beta1_power", True),
        ("Adam/m/dense/kernel", True),
        ("w/Momentum", True),
        ("adam", False),
        ("dense/kernel", False),
        ("adamant/kernel", False),
    ],
)
def test_without_a_tree_names_tell_the_optimizer(tmp_path: Path, name: str, is_state: bool) -> None:
    folder = saved_model(tmp_path, Graph(nodes=[VARIABLE], version="1.15.0"), {name: Tensor(ONE)})
    assert optimizer_state(folder) == {name: is_state}


@pytest.mark.parametrize(
    ("objects", "writer"),
    [
        ((), "TensorFlow 1"),
        ((saved_object("_generic_user_object"),), "tf.Module"),
        ((saved_object("_tf_keras_sequential"),), "Keras 2"),
        ((saved_object("_generic_user_object", {"_all_variables": 0, "_misc_assets": 0}),), "Keras export"),
        (
            (saved_object("_generic_user_object", {"_losses": 0, "_losses_override": 0, "_build_shapes_dict": 0}),),
            "Keras 3",
        ),
    ],
)
def test_who_wrote_it_is_told_by_its_objects(tmp_path: Path, objects: tuple[bytes, ...], writer: str) -> None:
    assert read(saved_model(tmp_path, Graph(objects=objects), {})).written_with == writer


def test_keras_is_told_by_its_metadata_in_both_places(tmp_path: Path) -> None:
    said = json.dumps({"class_name": "Sequential", "keras_version": "2.7.0"})
    metadata = text(1, number(2, 0) + text(4, "_tf_keras_sequential") + text(5, said))
    new = read(saved_model(tmp_path / "new", others={"keras_metadata.pb": metadata}))
    old = read(saved_model(tmp_path / "old", Graph(objects=[saved_object("_tf_keras_sequential", metadata=said)]), {}))
    assert new.keras == old.keras
    assert new.keras is not None
    assert (new.keras.class_name, new.keras.version) == ("Sequential", "2.7.0")


def test_fingerprint_and_assets(tmp_path: Path) -> None:
    fingerprint = number(1, (1 << 64) - 1) + number(5, 7) + text(7, "1234")
    model = read(saved_model(tmp_path, Graph(assets=["words.txt"]), others={"fingerprint.pb": fingerprint}))
    assert model.fingerprint is not None
    assert (model.fingerprint.saved_model_checksum, model.fingerprint.checkpoint_hash) == ((1 << 64) - 1, 7)
    assert model.fingerprint.uuid == "1234"
    assert model.meta_graphs[0].asset_names == ("words.txt",)


def test_assets_of_tensorflow_1_stand_in_a_collection(tmp_path: Path) -> None:
    packed = text(1, text(1, "type.googleapis.com/tensorflow.AssetFileDef") + text(2, text(2, "old.txt")))
    collection = text(4, text(1, "saved_model_assets") + text(2, text(5, packed)))
    (tmp_path / "saved_model.pb").write_bytes(text(2, Graph().written() + collection))
    assert read(tmp_path).meta_graphs[0].asset_names == ("old.txt",)
