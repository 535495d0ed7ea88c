"""Inputs from a file: numpy's .npz, or JSON in the form of TensorFlow Serving's REST interface."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.measure.composite_values import flattened, ragged_fault, sparse_fault
from harness.measure.own_models import Input
from harness.savedmodel import warmup
from harness.savedmodel.wire import MalformedError


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path, inputs: Sequence[Input], signature: str) -> dict[str, Any]:
    """Return the values of every input as arrays of its type, text as arrays of bytes objects.

    JSON has `instances` (a list of examples, each a table by input, or its value where there is one input) or `inputs`
    (a table by input, or the value of the one input), as in https://www.tensorflow.org/tfx/serving/api_rest; bytes are
    {"b64": "…"}. A ragged input may stand there as lists of different lengths, in place of its values and row splits.

    Args:
        path: ends in .npz or .json.
        inputs: of the signature; their shapes do not matter.
        signature: the name of the signature, which the file may name, too.

    Raises:
        UsageError: it cannot be read, or it does not fit; the text lists the inputs that there are.
    """
    dtypes = {name: dtype for one in inputs for name, dtype in one.tensors.items()}
    if not path.is_file():
        raise UsageError(f"There is no file {path} with inputs.")
    if path.name == warmup.NAME:
        given: dict[Any, Any] = _of_requests(path, signature)
    else:
        is_json = path.suffix.lower() == ".json"
        given = _of_json(path, sorted(dtypes), signature) if is_json else read_npz(path)
        if is_json and len(given) == len(inputs) == 1 and None in given:
            given = {inputs[0].name: given[None]}
        for one in inputs:
            if is_json and one.ragged and one.name in given and given.keys().isdisjoint(one.ragged.splits):
                given |= _nested(given[one.name], one.name, one.ragged.splits, path)
    unknown, missing = sorted(map(str, given.keys() - dtypes.keys())), sorted(dtypes.keys() - given.keys())
    if None in given:
        raise UsageError(
            f"{path} gives values without names; signature {signature!r} has the inputs {_list(dtypes) or 'none'}."
        )
    if unknown or missing:
        wrong = f"has {', '.join(unknown)}" if unknown else f"lacks {', '.join(missing)}"
        raise UsageError(f"{path} {wrong}; signature {signature!r} has the inputs {_list(dtypes)}.")
    typed = {str(name): _typed(values, dtypes[str(name)], str(name), path) for name, values in given.items()}
    for one in inputs:
        if one.ragged and (fault := ragged_fault(typed[one.name], [(name, typed[name]) for name in one.ragged.splits])):
            raise UsageError(f"{path} has wrong row splits of the ragged input {one.name}: {fault}.")
        if one.sparse and (fault := sparse_fault(one.sparse, typed)):
            raise UsageError(f"{path} has a wrong sparse input {one.name}: {fault}.")
    return typed


def _nested(rows: Any, name: str, splits: Sequence[str], path: Path) -> dict[str, Any]:
    """Return the tensors of a ragged input that is given as lists in lists."""
    try:
        values, ends = flattened(rows, len(splits))
    except ValueError:
        depth = "rows" if len(splits) == 1 else f"rows in rows, {len(splits)} deep"
        raise UsageError(f"{path}: {name} is ragged: give a list of {depth}, each a list.") from None
    return {name: values, **dict(zip(splits, ends, strict=True))}


def _of_requests(path: Path, signature: str) -> dict[Any, Any]:
    try:
        given = warmup.read_request(path, signature)
    except MalformedError as error:
        raise UsageError(f"{path} holds no requests that can be read ({error}): give other inputs.") from None
    if given is None:
        raise UsageError(f"{path} has no request for signature {signature!r}: give inputs with --inputs FILE.")
    return dict(given)


def read_npz(path: Path) -> dict[Any, Any]:
    """Return the arrays of an .npz file by name.

    Raises:
        UsageError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(
            f"{path} is no .npz file that can be read{f' ({error})' if isinstance(error, OSError) else ''}: write one "
            "with numpy.savez(path, NAME=values), text as bytes."
        ) from None


def _of_json(path: Path, names: list[str], signature: str) -> dict[Any, Any]:
    """Return values by name; by None where the file gives the one input's without a name."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON file that can be read: {error}.") from None
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise UsageError(
            f'{path} must hold {{"instances": […]}} or {{"inputs": {{…}}}}, as TensorFlow Serving\'s REST interface '
            "takes them."
        )
    named = document.get("signature_name", signature)
    if named != signature:
        raise UsageError(f"{path} is for signature {named!r}, and {signature!r} is measured: add --signature {named}.")
    if "inputs" in document:
        inputs = document["inputs"]
        return inputs if isinstance(inputs, dict) and set(inputs) != {"b64"} else {None: inputs}
    instances = document["instances"]
    if not isinstance(instances, list) or not instances:
        raise UsageError(f"{path}: `instances` must be a list with at least one example.")
    if any(not isinstance(one, dict) or set(one) == {"b64"} for one in instances):
        return {None: instances}
    if any(one.keys() != instances[0].keys() for one in instances):
        raise UsageError(f"{path}: the examples of `instances` have different inputs; each must have {_list(names)}.")
    return {name: [one[name] for one in instances] for name in instances[0]}


def _typed(values: Any, dtype: str, name: str, path: Path) -> Any:
    """Return values as an array of a type, refusing what that would change."""
    if dtype == "string":
        return _text(values, name, path)
    try:
        array = np.asarray(values)
    except ValueError:
        raise _uneven(name, path) from None
    if array.dtype.kind not in "biufc" or (array.dtype.kind == "c" and "complex" not in dtype):
        kind = array.dtype if array.dtype.kind == "c" else "text" if array.dtype.kind in "SU" else "no numbers"
        raise UsageError(f"{path}: the values of {name} are {kind}, and it takes {dtype}.")
    try:
        with np.errstate(all="ignore"):
            typed = array.astype(dtype)
    except TypeError:  # bfloat16, a quantized type
        raise UsageError(f"{path}: values of the type {dtype}, which {name} takes, cannot be given.") from None
    is_kept = np.array_equal(typed, array) if typed.dtype.kind in "iub" else _are_finite_alike(typed, array)
    if not is_kept:
        raise UsageError(f"{path}: some values of {name}, which are {array.dtype}, do not fit {dtype}, which it takes.")
    return typed


def _are_finite_alike(typed: Any, array: Any) -> bool:
    return np.array_equal(np.isfinite(typed), np.isfinite(array))


def _text(values: Any, name: str, path: Path) -> Any:
    try:
        within = _bytes_within(values, path)
    except ValueError:
        raise _uneven(name, path) from None
    # A single value needs the type, too: numpy's own text loses zero bytes at its end.
    array = within if isinstance(within, np.ndarray) else np.array(within, dtype=object)
    wrong = [one for one in array.ravel() if not isinstance(one, bytes | str)]
    if wrong:
        raise UsageError(f"{path}: the values of {name} are {type(wrong[0]).__name__}, and it takes text.")
    text = np.empty(array.size, dtype=object)
    text[:] = [one if isinstance(one, bytes) else one.encode() for one in array.ravel()]
    return text.reshape(array.shape)


def _uneven(name: str, path: Path) -> UsageError:
    return UsageError(f"{path}: the lists of {name} differ in length or depth; an input is one array.")


def _bytes_within(values: Any, path: Path) -> Any:
    """Return nested lists with bytes in place of {"b64": "…"}, as an object array.

    Raises:
        ValueError: lists differ in length or depth.
        UsageError: bytes are not base64.
    """
    if isinstance(values, dict) and set(values) == {"b64"}:
        try:
            return base64.b64decode(str(values["b64"]), validate=True)
        except binascii.Error as error:
            raise UsageError(f'{path}: a {{"b64": "…"}} is not base64: {error}.') from None
    if not isinstance(values, list):
        return values
    within = [_bytes_within(one, path) for one in values]
    if any(isinstance(one, np.ndarray) for one in within):
        return np.stack(within)
    array = np.empty(len(within), dtype=object)
    array[:] = within
    return array


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
