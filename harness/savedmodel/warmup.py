"""Requests that a SavedModel carries for TensorFlow Serving to warm up with: real inputs.

They lie in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog messages
(https://www.tensorflow.org/tfx/serving/saved_model_warmup; `tensorflow_serving/apis/prediction_log.proto`,
`predict.proto`, `model.proto`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.savedmodel.places import EXTRA_ASSETS, read_file
from harness.savedmodel.tensors import read_tensor
from harness.savedmodel.wire import MalformedError, Message

NAME = "tf_serving_warmup_requests"
_PREDICT_LOG = 6
_DEFAULT = "serving_default"


def requests_path(root: Path) -> Path | None:
    """Return where a SavedModel's requests lie; None where it has none."""
    path = root / EXTRA_ASSETS / NAME
    return path if path.is_file() else None


def read_request(path: Path, signature: str) -> dict[str, Any] | None:
    """Return the inputs of the first request for a signature as arrays by name; None where there is none.

    Raises:
        ModelError: the file cannot be read.
        MalformedError: it holds no such requests.
    """
    for record in _records(read_file(path)):
        log = record.message(_PREDICT_LOG)
        request = None if log is None else log.message(1)
        if request is None:
            continue  # a request for classification, regression or a session
        spec = request.message(1)
        if ((spec.text(3) if spec is not None else "") or _DEFAULT) == signature:
            entries = ((entry.text(1), entry.message(2)) for entry in request.each(2))
            return {name: read_tensor(tensor) for name, tensor in entries if tensor is not None}
    return None


def _records(data: bytes) -> Iterator[Message]:
    """Yield the records of a TFRecord file: a length, its checksum, the bytes, their checksum; nothing is checked."""
    at = 0
    while at < len(data):
        if at + 12 > len(data):
            raise MalformedError("a record is cut")
        (size,) = struct.unpack_from("<Q", data, at)
        if size > len(data) - at - 12:
            raise MalformedError("a record is cut")
        yield Message(data, at + 12, at + 12 + size)
        at += 12 + size + 4
