"""Writer `tf-module`: a plain tf.Module around the model's variables, saved by tf.saved_model.save.

The variables are tracked, not the Keras model, so the graph and the bytes are the same under Keras 2 and 3.
"""

from __future__ import annotations

from typing import Any


def prepare(tf: Any, model: Any) -> Any:
    """Return the module and its signature; tracing happens in the first save."""
    module = tf.Module()
    module.variables_of_model = list(model.variables)
    # A subclassed model has no inputs of its own; what it is built around has.
    (source,) = getattr(model, "inputs", None) or model.inner.inputs
    spec = tf.TensorSpec([None, *list(source.shape)[1:]], source.dtype, name="inputs")

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def serve(inputs: Any) -> Any:
        return {"output": model(inputs, training=False)}

    module.serve = serve
    return module


def write(tf: Any, module: Any, path: str) -> None:
    """Write the prepared module as a SavedModel directory at `path`."""
    tf.saved_model.save(module, path, signatures={"serving_default": module.serve})


def output(tf: Any, module: Any, values: Any) -> Any:
    """Return what the written graph itself computes, so that a load can be held against it bit for bit."""
    return module.serve(values)["output"]
