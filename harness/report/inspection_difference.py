"""What differs between two SavedModels: sizes first, then which variables, nodes and functions make the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.inspection import Change as Amounts
from harness.answers.inspection import Difference, SignatureChange
from harness.report.document import Change, Note, Paragraph, Part, Quantity, Row, Section, Table, Tone, table
from harness.report.names import shortened
from harness.report.numbers import count, quantity
from harness.savedmodel.description import Signature

_MOST_ROWS = 20
_LONGEST_NAME = 100
_LONGEST = 300
"""Characters of what a signature takes and gives."""


def difference_parts(difference: Difference, old: str, new: str, notes: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of the document: who wrote both, and what changed.

    Args:
        difference: what differs.
        old: the sentence about the older one.
        new: the sentence about the newer one.
        notes: what is to be known of the newer one.
    """
    parts: list[Part] = [Paragraph(f"Old: {old}"), Paragraph(f"New: {new}")]
    if difference.old.digest == difference.new.digest:
        return (*parts, Paragraph("Both hold the same content, to the last byte.", Tone.STRONG))
    parts += [Note(f"The new one: {note[0].lower()}{note[1:]}") for note in notes]
    parts.append(Section("Sizes", (_sizes(difference.parts),)))
    if difference.signatures:
        rows = [_signature_row(one) for one in difference.signatures]
        parts.append(Section("Signatures that changed", (table(("signature", "old", "new"), (), rows),)))
    sections = (
        ("Files", difference.files, "file"),
        ("Variables", difference.variables, "variable"),
        ("Ops", difference.ops, "op"),
        ("Functions", difference.functions, "function"),
    )
    for title, changes, noun in sections:
        if changes:
            parts.append(Section(f"{title} that changed", tuple(_changes(changes, noun))))
    return tuple(parts)


def _sizes(parts: Sequence[Amounts]) -> Table:
    rows = [
        (one.name, *_bytes(one), Change(_ratio(one), _text(one)), _nodes(one.old_nodes), _nodes(one.new_nodes))
        for one in parts
        if one.old_bytes or one.new_bytes
    ]
    return table(("part",), ("old", "new", "change", "nodes, old", "nodes, new"), rows)


def _changes(changes: Sequence[Amounts], noun: str) -> Iterator[Part]:
    """Yield the table of what grew most, and of what shrank most where there is room for both."""
    shown = list(changes)
    if len(shown) > _MOST_ROWS:
        shown = sorted(changes, key=lambda one: (-abs(one.grown_bytes), one.name))[:_MOST_ROWS]
        shown.sort(key=lambda one: (-one.grown_bytes, one.name))
    has_nodes = any(one.old_nodes is not None or one.new_nodes is not None for one in shown)
    rows = []
    for one in shown:
        nodes = (_nodes(one.old_nodes), _nodes(one.new_nodes)) if has_nodes else ()
        rows.append(Row((shortened(one.name, _LONGEST_NAME), *_bytes(one), _signed(one.grown_bytes), *nodes)))
    columns = ("old", "new", "difference", *(("nodes, old", "nodes, new") if has_nodes else ()))
    yield table((noun,), columns, rows)
    if len(changes) > len(shown):
        more = count(len(changes) - len(shown), f"more {noun}")
        yield Paragraph(f"… and {more} with smaller differences: --format json has all.")


def _bytes(one: Amounts) -> tuple[Quantity | str, Quantity | str]:
    return _amount(one.old_bytes), _amount(one.new_bytes)


def _amount(size: int | None) -> Quantity | str:
    return "-" if size is None else Quantity(size, "bytes")


def _nodes(number: int | None) -> Quantity | str:
    return "" if number is None else Quantity(number, "nodes")


def _signed(size: int) -> str:
    sign = "+" if size > 0 else "-" if size < 0 else ""
    return sign + quantity(abs(size), "bytes")


def _ratio(one: Amounts) -> float | None:
    return one.new_bytes / one.old_bytes if one.old_bytes and one.new_bytes is not None else None


def _text(one: Amounts) -> str | None:
    return "from 0" if not one.old_bytes and one.new_bytes else None


def _signature_row(one: SignatureChange) -> tuple[str, ...]:
    return tuple(shortened(text, _LONGEST) for text in (one.name, _interface(one.old), _interface(one.new)))


def _interface(signature: Signature | None) -> str:
    """Return what a signature takes and gives, in a line."""
    if signature is None:
        return "-"
    sides = (
        ", ".join(f"{name}: {spec.dtype} {_shape(spec.shape)}" for name, spec in specs.items()) or "nothing"
        for specs in (signature.inputs, signature.outputs)
    )
    return " → ".join(sides)


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return "of unknown rank" if shape is None else f"({', '.join(map(str, shape))})"
