"""What a release or a machine does not have, told from what fails: everything is attempted for real.

Keras raises errors of the same few classes for an API that is gone as for one that is broken, so the class alone says
nothing: what is absent is named here, with words of its message. Everything else that fails, fails.
"""

from __future__ import annotations

import contextlib
from typing import Iterator

from harness.worker.recorder import Unsupported, one_line

_CLASSES = (AttributeError, ImportError, NotImplementedError, TypeError, ValueError)

_WORDS = {
    "keras-save-tf": ("save_format",),  # Keras 3
    "keras-export": ("has no attribute 'export'",),  # 2.12
    "tfsm-layer": ("TFSMLayer",),  # 2.12 to 2.15, and tf_keras
    "keras-load": ("File format not supported",),  # Keras 3, of a directory
    "loaded-function": ("'_UserObject' object is not callable",),  # a Keras 3 model by `tf-save`: signatures alone
    "load-model": (
        "File format not supported",  # Keras 3
        # What Keras 2 and tf_keras say of what `model.save` did not write.
        "'_UserObject' object is not callable",
        "Keras model from SavedModel",
    ),
}
"""By writer, reader or way: words of the message where it does not exist."""

_MISSING_TOOLS = ("libdevice", "ptxas")
"""What XLA needs of the CUDA toolkit; where a machine has none, its messages name them."""


def is_absent(name: str, kind: object, text: str) -> bool:
    """Return whether an error says that the writer, reader or way `name` does not exist here.

    `kind` is the name of the exception's class, None where there was none; `text` its message.
    """
    named = kind in [one.__name__ for one in (*_CLASSES, ModuleNotFoundError)]
    return any(word in text for word in (*(_WORDS.get(name, ()) if named else ()), *_MISSING_TOOLS))


@contextlib.contextmanager
def unsupported(name: str) -> Iterator[None]:
    """Turn the error that means that the writer or reader `name` does not exist here into Unsupported."""
    try:
        yield
    except _CLASSES as error:
        if not is_absent(name, type(error).__name__, str(error)):
            raise
        raise Unsupported(f"unsupported: {one_line(error)}") from error
