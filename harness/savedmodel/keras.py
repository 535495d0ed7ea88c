"""What of Keras is in a SavedModel, by the tree of objects and `keras_metadata.pb`.

Field numbers: `tensorflow/core/protobuf/saved_object_graph.proto`, `keras/protobuf/saved_metadata.proto` (Keras 2).
"""

from __future__ import annotations

import json
from typing import Any

from harness.savedmodel.description import Keras
from harness.savedmodel.wire import MalformedError, Message

_KERAS_2 = "_tf_keras_"
_EXPORT_ARCHIVE = {"_all_variables", "_misc_assets"}
"""What the root of a SavedModel has that Keras's `model.export` wrote, in every Keras that has it."""
_KERAS_3 = {"_losses", "_losses_override", "_build_shapes_dict"}
"""What every layer of Keras 3 keeps, and no other object."""
_LONGEST_CONFIGURATION = 1 << 26  # characters of JSON, which takes many times that in memory


def written_with(objects: Message | None) -> str:
    """Return the API that the root of a SavedObjectGraph shows: see `SavedModel.written_with`."""
    root = None if objects is None else next(objects.each(1), None)
    if root is None:
        return "TensorFlow 1"
    user = root.message(4)
    held = {child.text(2) for child in root.each(1)}
    if user is not None and user.text(1).startswith(_KERAS_2):
        return "Keras 2"
    if held >= _EXPORT_ARCHIVE:
        return "Keras export"
    return "Keras 3" if held >= _KERAS_3 else "tf.Module"


def read_keras(metadata: Message | None, objects: Message | None) -> Keras | None:
    """Return what is known of the Keras 2 model: from `keras_metadata.pb`, or from the root object before TF 2.5.

    Raises:
        MalformedError: the messages are none.
    """
    root = None if metadata is None else next(metadata.each(1), None)
    if root is not None:
        return _parsed(root.text(5))
    saved = None if objects is None else next(objects.each(1), None)
    user = None if saved is None else saved.message(4)
    if user is not None and user.text(1).startswith(_KERAS_2):
        return _parsed(user.text(3))
    return None


def _parsed(text: str) -> Keras:
    if len(text) > _LONGEST_CONFIGURATION:
        return Keras(None, None)
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text:
            raise MalformedError("it holds no JSON") from error
        found = None
    if not isinstance(found, dict):
        return Keras(None, None)
    return Keras(_text(found.get("class_name")), _text(found.get("keras_version")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
