"""Models as other people hand them out: written by real releases, tiny, one of each kind that a release can meet."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from faulty_releases import tensorflow_python

from harness.measure.pinning import worker_environment

OLD, NEW = "v2.15.1", "v2.21.0"
"""The last release with Keras 2, and one with Keras 3."""

_KERAS = """
import os, sys
import numpy as np
import tensorflow as tf

def here(name):
    return os.path.join(sys.argv[1], name)

inputs = tf.keras.Input((3,), name="numbers")
model = tf.keras.Model(inputs, tf.keras.layers.Dense(2, name="answer")(inputs))
model.compile("adam", "mse")
model.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), verbose=0)
model.save(here("model.keras"))
model.save(here("model.h5"))
"""

_MODULES = """
# The optimizers of Keras before 2.11 have slot variables, which 2.16 and later look for in vain.
model.compile(tf.keras.optimizers.legacy.Adam(), "mse")
model.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), verbose=0)
model.save(here("compiled"))

def save(name, function, *specs, **more):
    module = tf.Module()
    for key, value in more.items():
        setattr(module, key, value)
    module.serve = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, here(name), signatures={"serving_default": module.serve})

numbers = tf.TensorSpec([None, 3], tf.float32, "numbers")
weights = tf.Variable([[1.0], [2.0], [4.0]])
save("plain", lambda numbers: {"sum": numbers @ weights}, numbers, weights=weights)
save("fixed", lambda numbers: {"sum": numbers @ weights}, tf.TensorSpec([4, 3], tf.float32, "numbers"), weights=weights)
save("random", lambda numbers: {"chance": tf.random.uniform([2]) + 0.0 * numbers[0, :2]}, numbers)
words = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [7]), -1)
save(
    "several",
    lambda file, numbers, flag: {
        "length": tf.strings.length(file),
        "upper": tf.strings.upper(file),
        "sum": numbers @ weights,
        "not": tf.logical_not(flag),
        "word": words.lookup(file),
    },
    tf.TensorSpec([None], tf.string, "file"), numbers, tf.TensorSpec([None], tf.bool, "flag"),
    weights=weights, words=words,
)
row = tf.Variable([[1.0, 2.0]])
save("one-row", lambda tokens: {"row": tf.gather(row, tokens)}, tf.TensorSpec([None, 8], tf.int32, "tokens"), row=row)

def hangs(numbers):
    # Nothing is ever put into the queue: it waits without using the CPU.
    queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.float32], shared_name="empty")
    (waited,) = tf.raw_ops.QueueDequeueV2(handle=queue, component_types=[tf.float32])
    return {"sum": numbers + waited}

save("hangs", hangs, numbers)

def aborts(numbers):
    # More than a vector can hold: the allocation throws where nothing catches it.
    shuffled = tf.data.Dataset.range(3).shuffle(2**62).reduce(np.int64(0), lambda a, b: a + b)
    return {"sum": numbers + tf.cast(shuffled, tf.float32)}

save("aborts", aborts, numbers)
"""

PYTHON_FILE = '''
"""A model as its user writes it."""

def build(tf, size):
    inputs = tf.keras.Input((4,), name="inputs")
    return tf.keras.Model(inputs, tf.keras.layers.Dense(int(size or 2))(inputs))

def inputs(size, batch, generator):
    return generator.random((batch, 4), dtype="float32")
'''


def write_strangers(folder: Path) -> Path:
    """Write the models of both releases below `folder`, in `old` and `new`, and return it."""
    for name, release, code in (("old", OLD, _KERAS + _MODULES), ("new", NEW, _KERAS)):
        (folder / name).mkdir(parents=True)
        variables = worker_environment(os.environ, folder.with_name("home"))
        done = subprocess.run(
            [tensorflow_python(release, "3.11"), "-c", code, str(folder / name)],
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    (folder / "of_code.py").write_text(PYTHON_FILE)
    return folder


def state_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return everything that is to be seen of what lies below a folder: names, kinds, modes, times, contents."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns,
                                                facts.st_uid, facts.st_size, content)  # fmt: skip
    return found
