"""What a SavedModel directory holds: a sentence, what to know of it, its files as a tree, then tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.answers.inspection import Difference, ForeignOp, Inspection
from harness.report.document import (
    Column,
    Document,
    Note,
    Paragraph,
    Part,
    Quantity,
    Report,
    Row,
    Section,
    Table,
    Tone,
    table,
)
from harness.report.inspection_data import difference_data, inspection_data
from harness.report.inspection_difference import difference_parts
from harness.report.names import shortened
from harness.report.numbers import count, quantity
from harness.report.saved_model_tree import tree_table
from harness.savedmodel.description import SPARSE, MetaGraph, Shape, TensorSpec, Variable

_MOST_ROWS = 40
_MOST_OPS = 15
_MOST_STATE = 10
"""Rows of optimizer state, which repeats the names of the model's variables."""
_LARGEST = 8
_LONGEST_NAME = 100
_LARGE = 1 << 16
"""Bytes of a node that is worth a row of its own: a weight in the graph, not a list of names."""
_WRITERS = {
    "Keras 2": "as a Keras 2 model",
    "Keras 3": "as a Keras 3 model",
    "Keras export": "by Keras's `model.export`",
    "tf.Module": "as a `tf.Module` or another object of TensorFlow 2",
    "TensorFlow 1": "with the API of TensorFlow 1",
}
_TWICE = "Keras 3's `model.export` writes every weight twice (github.com/keras-team/keras, issue 23553)."
_ASK = "Whether a release has all of its ops was not asked: `--release 2.21` asks that one."


def report_inspection(inspection: Inspection, difference: Difference | None = None) -> Report:
    """Return what a SavedModel holds; with a difference, the document is about that, and the data has both."""
    notes = tuple(_notes(inspection))
    data = inspection_data(inspection)
    if difference is not None:
        data["difference"] = difference_data(difference)
        other = tuple(note for note in _notes(difference.new) if note != _ASK)
        parts = difference_parts(difference, written_sentence(inspection), written_sentence(difference.new), other)
        title = f"{inspection.model.path} → {difference.new.model.path}"
        notes = tuple(note for note in notes if note != _ASK)
        return Report("inspect", Document(title, parts), data, notes=notes)
    parts = (
        Paragraph(written_sentence(inspection)),
        Paragraph(f"Digest of its content: {inspection.digest}", Tone.QUIET),
        *(Note(note) for note in notes if note != _ASK),
        Section("Files", (tree_table(inspection),)),
        *_graph_sections(inspection),
        *_variables(inspection),
        *((Paragraph(""), Paragraph(_ASK, Tone.QUIET)) if _ASK in notes else ()),
    )
    return Report("inspect", Document(f"SavedModel {inspection.model.path}", parts), data, notes=notes)


def written_sentence(inspection: Inspection) -> str:
    """Return who wrote a SavedModel, how, and how much it is: "Written by TensorFlow 2.7.0 as a Keras 2 model …"."""
    model = inspection.model
    version = model.meta_graphs[0].tensorflow_version
    who = f"Written by TensorFlow {version}" if version else "Written by an unknown release of TensorFlow"
    keras = model.keras
    named = [
        text for text in (keras and keras.class_name, keras and keras.version and f"Keras {keras.version}") if text
    ]
    how = _WRITERS[model.written_with] + (f" ({', '.join(named)})" if named else "")
    return f"{who} {how}: {quantity(model.bytes, 'bytes')} in {count(len(model.files), 'file')}."


def _notes(inspection: Inspection) -> Iterator[str]:
    """Yield what a user should know of it, the worst first."""
    model = inspection.model
    missing = inspection.missing_assets
    if missing:
        more = f" and {count(len(missing) - 1, 'more file')}" if len(missing) > 1 else ""
        yield f"{shown_name(missing[0])}{more}, for which its graph asks, is missing: copy the whole SavedModel again."
    foreign = {one.op: one for ops in inspection.foreign_ops for one in ops}
    if foreign:
        told = ", ".join(_foreign(one) for one in list(foreign.values())[:_LARGEST])
        told += f" and {len(foreign) - _LARGEST} more" if len(foreign) > _LARGEST else ""
        have = f"{inspection.release} does not have" if inspection.release else "TensorFlow alone may not have"
        yield f"It uses {count(len(foreign), 'op')} that {have}: {told}."
    if not any(signature.is_for_users for graph in model.meta_graphs for signature in graph.signatures.values()):
        yield "It has no signature, so only its Python objects can be called after `tf.saved_model.load`."
    state = inspection.optimizer_variables
    if state:
        size = f"{_size(state)} of {_size(model.variables)}"
        yield (
            f"{len(state)} of its {count(len(model.variables), 'variable')} ({size}) are optimizer state, which "
            "inference does not need."
        )
    twice = inspection.duplicates
    if twice:
        again = "holds the same as another" if len(twice) == 1 else "hold the same as others"
        why = f" {_TWICE}" if model.written_with == "Keras export" else ""
        yield f"{count(len(twice), 'variable')} ({_size(twice)}) {again}.{why}"
    if inspection.release is None:
        yield _ASK
    elif not foreign:
        yield f"{inspection.release} has every op that it uses."


def _foreign(one: ForeignOp) -> str:
    return shown_name(one.op) + ("" if one.package is None else f" (it comes with {one.package})")


def _size(variables: tuple[Variable, ...]) -> str:
    return quantity(sum(one.bytes for one in variables), "bytes")


def _graph_sections(inspection: Inspection) -> Iterator[Part]:
    graphs = inspection.model.meta_graphs
    for graph in graphs:
        which = "" if len(graphs) == 1 else f" of the graph tagged {', '.join(graph.tags) or '(none)'}"
        yield Section(f"Signatures{which}", (_signatures(graph),))
        yield Section(f"Ops{which}", tuple(_ops(graph)))
        yield from _largest(graph, which)


def _signatures(graph: MetaGraph) -> Part:
    rows = []
    for signature in graph.signatures.values():
        if not signature.is_for_users:
            continue
        first = shown_name(signature.name)
        for what, specs in (("input", signature.inputs), ("output", signature.outputs)):
            for name, spec in specs.items():
                optional = ", optional" if name in signature.defaults else ""
                rows.append((first, what + optional, shown_name(name), _type_text(spec), shape_text(spec.shape)))
                first = ""
        if first:
            rows.append((first, "neither input nor output", "", "", ""))
    if not rows:
        return Paragraph("None.")
    if len(rows) > _MOST_ROWS:
        rows[_MOST_ROWS:] = [(f"… {len(rows) - _MOST_ROWS} more rows", "", "", "", "")]
    return table(("signature", "", "name", "type", "shape"), (), rows)


def _type_text(spec: TensorSpec) -> str:
    """Return an element type, and of what the tensor is a part: "int64, row splits of ragged x"."""
    part = spec.part
    if part is None:
        return spec.dtype if spec.kind == "dense" else f"{spec.dtype} {spec.kind}"
    whole = f"of {part.kind} {shown_name(part.name)}"
    if part.kind == SPARSE:
        return f"{spec.dtype}, {('indices', 'values', 'dense shape')[part.place]} {whole} {shape_text(part.shape)}"
    if part.place == 0:
        return f"{spec.dtype}, values {whole} {shape_text(part.shape)}"
    return f"{spec.dtype}, row splits {f'{part.place} ' if len(part.tensors) > 2 else ''}{whole}"


def shown_name(name: str) -> str:
    """Return a name that a stranger chose, as it stands in a table."""
    return shortened(name, _LONGEST_NAME)


def shape_text(shape: Shape) -> str:
    """Return a shape as TensorFlow prints it: "(None, 14)", "()" of a single number, "unknown" without a rank."""
    if shape is None:
        return "unknown"
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _ops(graph: MetaGraph) -> Iterator[Part]:
    """Yield the ops by count."""
    rows: list[Row] = [_op_row(shown_name(use.op), use.nodes, use.bytes) for use in graph.ops[:_MOST_OPS]]
    rest = graph.ops[_MOST_OPS:]
    if rest:
        named = f"… {count(len(rest), 'more op')}"
        rows.append(_op_row(named, sum(use.nodes for use in rest), sum(use.bytes for use in rest)))
    inside = f"; {graph.nodes - graph.graph_nodes:,} of them in {count(len(graph.functions), 'function')}"
    yield Paragraph(f"{graph.nodes:,} nodes{inside if graph.functions else ''}.")
    yield table(("op",), ("nodes", "size"), rows)


def _op_row(op: str, nodes: int, size: int) -> Row:
    return Row((op, Quantity(nodes, "nodes"), Quantity(size, "bytes")))


def _largest(graph: MetaGraph, which: str) -> Iterator[Part]:
    """Yield the nodes that take most of the file, mostly weights that were frozen into the graph."""
    rows: list[Row] = [
        Row((*map(shown_name, (node.name, node.op, node.function or "")), Quantity(node.bytes, "bytes")))
        for node in graph.large_nodes[:_LARGEST]
        if node.bytes >= _LARGE
    ]
    if rows:
        yield Section(f"Largest nodes{which}", (table(("node", "op", "in the function"), ("size",), rows),))


def _variables(inspection: Inspection) -> Iterator[Part]:
    """Yield the variables of the model, then those of the optimizer, the largest first."""
    variables = sorted(inspection.model.variables, key=lambda one: (-one.bytes, one.name))
    names = {one.key: one.name for one in variables}
    same = {key: names[first] for key, first in inspection.duplicate_of.items()}
    for title, is_state, most in (("Variables", False, _MOST_ROWS), ("Optimizer state", True, _MOST_STATE)):
        chosen = [one for one in variables if one.optimizer_state is is_state]
        if chosen:
            more = count(len(chosen) - most, "more variable")
            rest = (Paragraph(f"… and {more}: --format json has all."),) if len(chosen) > most else ()
            yield Section(title, (_variable_table(chosen[:most], same), *rest))


def _variable_table(variables: Sequence[Variable], same: Mapping[str, str]) -> Table:
    texts = ["variable", "name in the graph", "type", "shape"]
    columns = [*map(Column, texts), Column("size", numeric=True)]
    has_same = any(one.key in same for one in variables)
    rows = []
    for one in variables:
        size = Quantity(one.bytes, "bytes")
        cells = (shown_name(one.name), shown_name(one.full_name or ""), one.dtype, shape_text(one.shape), size)
        rows.append(Row((*cells, shown_name(same.get(one.key, ""))) if has_same else cells))
    return Table((*columns, *([Column("holds the same as")] if has_same else [])), tuple(rows))
