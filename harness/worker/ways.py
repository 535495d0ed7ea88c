"""The ways to go on training from what a writer left on disk.

Each is what a user would write: it takes TensorFlow, the path and the model's source, and returns a `Resumed`.
`tf.keras` model code is at hand for the ways that say `rebuilt`; the others use nothing but the artifact.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from harness.formats import tf_load
from harness.formats.endpoint import Values
from harness.worker.source import Source

LEARNING_RATE = 1e-3


class NoTrainingState(Exception):
    """The artifact holds nothing that training could go on from."""


class Resumed:
    """A model that trains: its output, one step, its optimizer's iterations and slots."""

    __slots__ = ("iterations", "output", "slots", "step")

    def __init__(
        self,
        output: Callable[[Any], Any],
        step: Callable[[Any, Any], Any],
        iterations: Callable[[], int],
        slots: Callable[[], List[Any]],
    ) -> None:
        self.output, self.step, self.iterations, self.slots = output, step, iterations, slots


def optimizer_variables(optimizer: Any) -> List[Any]:
    """Return all variables of a Keras 2 or Keras 3 optimizer: a method in the one, a property in the other."""
    variables = optimizer.variables
    return list(variables() if callable(variables) else variables)


def _is_slot(variable: Any) -> bool:
    """Whether an optimizer's variable belongs to a parameter: it then has the parameter's shape."""
    return len(variable.shape) > 0


def new_optimizer(tf: Any, model: Any) -> Any:
    """Return an Adam optimizer that has made its slots for the model's variables."""
    optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(model.trainable_variables)
    return optimizer


def training(tf: Any, model: Any, optimizer: Any) -> Resumed:
    """Return a Keras model and its optimizer as something that trains, by one and the same step function."""

    @tf.function  # type: ignore[untyped-decorator]
    def step(inputs: Any, targets: Any) -> Any:
        return train_step(tf, model, optimizer, inputs, targets)

    return Resumed(
        lambda inputs: model(inputs, training=False),
        step,
        lambda: int(optimizer.iterations.numpy()),
        lambda: [variable.numpy() for variable in optimizer_variables(optimizer) if _is_slot(variable)],
    )


def train_step(tf: Any, model: Any, optimizer: Any, inputs: Any, targets: Any) -> Any:
    """Make one step of mean squared error and return the loss before it."""
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(targets - model(inputs, training=True)))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


def trainable_module(tf: Any, model: Any, optimizer: Any) -> Tuple[Any, Dict[str, Any]]:
    """Return a tf.Module that serves and trains, and its signatures: what keeps the promise in every release."""
    module = tf.Module()
    module.variables_of_model = list(model.variables)
    module.variables_of_optimizer = optimizer_variables(optimizer)
    rate = getattr(optimizer, "_learning_rate", None)
    if isinstance(rate, tf.Variable):
        # Keras 2 keeps it apart; untracked, save refuses.
        module.learning_rate = rate
    (source,) = model.inputs
    inputs = tf.TensorSpec([None, *list(source.shape)[1:]], source.dtype, name="inputs")
    targets = tf.TensorSpec([None, *list(model.outputs[0].shape)[1:]], tf.float32, name="targets")

    @tf.function(input_signature=[inputs])  # type: ignore[untyped-decorator]
    def serve(inputs: Any) -> Any:
        return {"output": model(inputs, training=False)}

    @tf.function(input_signature=[inputs, targets])  # type: ignore[untyped-decorator]
    def train(inputs: Any, targets: Any) -> Any:
        return {"loss": train_step(tf, model, optimizer, inputs, targets)}

    module.serve, module.train = serve, train
    return module, {"serving_default": serve, "train": train}


def train_signature(tf: Any, path: str, source: Source) -> Resumed:
    """Load the module and call the train signature that it carries."""
    loaded = tf.saved_model.load(path)
    train = loaded.signatures["train"]

    def step(inputs: Any, targets: Any) -> Any:
        return train(inputs=inputs, targets=targets)["loss"]

    def counters() -> List[Any]:
        return [v for v in loaded.variables_of_optimizer if not _is_slot(v) and v.dtype.is_integer]

    return Resumed(
        _output_alone(tf_load.callable_of(loaded)),
        step,
        lambda: int(counters()[0].numpy()),
        lambda: [variable.numpy() for variable in loaded.variables_of_optimizer if _is_slot(variable)],
    )


def load_model(tf: Any, path: str, source: Source) -> Resumed:
    """Load by `keras.models.load_model` and train with the optimizer that it gives."""
    model = tf.keras.models.load_model(path)
    return training(tf, model, model.optimizer)


def load_model_and_checkpoint(tf: Any, path: str, source: Source) -> Resumed:
    """The same, after building the optimizer and reading the artifact's own checkpoint into both."""
    model = tf.keras.models.load_model(path)
    model.optimizer.build(model.trainable_variables)
    model.load_weights(_checkpoint(path))
    return training(tf, model, model.optimizer)


def rebuilt_and_checkpoint(tf: Any, path: str, source: Source) -> Resumed:
    """Build model and optimizer from code and read the artifact's checkpoint into them."""
    model = source.build(tf)
    optimizer = new_optimizer(tf, model)
    model.compile(optimizer=optimizer, loss=tf.keras.losses.MeanSquaredError())
    tf.train.Checkpoint(model).read(_checkpoint(path)).expect_partial()
    return training(tf, model, optimizer)


def signature_alone(tf: Any, path: str, source: Source) -> Resumed:
    """Load for inference; raise NoTrainingState at the first step where the checkpoint holds no optimizer."""
    loaded = tf.saved_model.load(path)
    keys = [key for key, _ in tf.train.list_variables(_checkpoint(path))]
    if any("optimizer" in key for key in keys):
        raise RuntimeError("the artifact holds optimizer variables: this way no longer tells the truth about it")

    def step(inputs: Any, targets: Any) -> Any:
        raise NoTrainingState("no-training-state: the artifact's checkpoint holds no optimizer variable")

    def slots() -> List[Any]:
        return []

    return Resumed(_output_alone(tf_load.callable_of(loaded)), step, lambda: 0, slots)


def _output_alone(call: Callable[[Values], Values]) -> Callable[[Any], Any]:
    """Return a function from the one input to the one output."""
    return lambda tensor: alone(call({"inputs": tensor}))


def alone(values: Values) -> Any:
    """Return the one value that there is.

    Raises:
        ValueError: there are several; training goes on from models of one input and one output.
    """
    (value,) = values.values()
    return value


def _checkpoint(path: str) -> str:
    return os.path.join(path, "variables", "variables")


WAYS: Dict[str, Dict[str, Callable[[Any, str, Source], Resumed]]] = {
    "tf-module": {"train-signature": train_signature},
    "keras-save-tf": {"load-model": load_model, "load-model-and-checkpoint": load_model_and_checkpoint},
    "tf-save": {"rebuilt-and-checkpoint": rebuilt_and_checkpoint},
    "keras-export": {"signature": signature_alone},
}
"""By writer, then by name."""


def data(source: Source, outputs: int, step: int, batch: int) -> Tuple[Any, Any]:
    """Return inputs of the model and targets of shape (batch, outputs) for one step, the same in every release."""
    generator = np.random.Generator(np.random.PCG64([step, outputs]))
    return alone(source.inputs(batch)), generator.random((batch, outputs), dtype=np.float32)
