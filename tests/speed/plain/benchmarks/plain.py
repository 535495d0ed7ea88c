"""Save, load and call SavedModels: a plain asv suite, the way to do it without this project.

TensorFlow is imported in `setup`, never at the top; what is read comes from `setup_cache`. Most numbers are about the
first time something happens in a process (first save, cold load, first call), so `number = 1` and `repeat = 1`: one
process gives one sample, and asv's own warm-up is off because it would be that first time. Only the models and the
way they are wrapped are taken from the project, so that both sides measure the same.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.append(os.environ.get("SAVEDMODEL_BENCH_ROOT", str(Path(__file__).resolve().parents[4])))

from harness.formats import tf_load, tf_module
from harness.models import families

MODELS = os.environ.get("PLAIN_MODELS", "mlp-s,transformer-s").split(",")
BATCHES = [1, 32]


def start():
    """Import TensorFlow and initialise its device, so that no timed function pays for either."""
    import tensorflow as tf

    (tf.constant(1.0) + 1.0).numpy()
    return tf


def filled(tf, name):
    model = families.build(tf, name)
    families.fill(model)
    return model


def write(tf, model, path):
    module = tf_module.prepare(tf, model)
    tf_module.write(tf, module, path)
    return module


def values(tf, name, batch):
    """Return the input by the name that `write` gave it."""
    return {"inputs": tf.constant(families.inputs(name, batch))}


def files_of(path):
    return [file for file in Path(path).rglob("*") if file.is_file()]


class Once:
    """One process, one sample."""

    rounds = 2
    number = 1
    repeat = 1
    warmup_time = 0


class Start(Once):
    def time_import(self):
        import tensorflow  # noqa: F401


class Device(Once):
    def setup(self):
        import tensorflow as tf

        self.tf = tf

    def time_device_init(self):
        (self.tf.constant(1.0) + 1.0).numpy()


class Build(Once):
    params = (MODELS,)
    param_names = ("model",)

    def setup(self, name):
        self.tf = start()

    def time_build(self, name):
        families.build(self.tf, name)


class Save(Once):
    params = (MODELS,)
    param_names = ("model",)

    def setup(self, name):
        self.tf = start()
        self.model = filled(self.tf, name)
        self.folder = tempfile.mkdtemp()

    def time_save_first(self, name):
        write(self.tf, self.model, self.folder + "/first")

    def peakmem_save(self, name):
        write(self.tf, self.model, self.folder + "/first")

    def teardown(self, name):
        shutil.rmtree(self.folder)


class SaveLater(Once):
    params = (MODELS,)
    param_names = ("model",)

    def setup(self, name):
        self.tf = start()
        self.folder = tempfile.mkdtemp()
        self.module = write(self.tf, filled(self.tf, name), self.folder + "/first")

    def time_save_later(self, name):
        tf_module.write(self.tf, self.module, self.folder + "/later")

    def teardown(self, name):
        shutil.rmtree(self.folder)


class WithArtifact(Once):
    params = (MODELS,)
    param_names = ("model",)
    timeout = 600

    def setup_cache(self):
        tf = start()
        artifacts = {}
        for name in MODELS:
            model = filled(tf, name)
            path = str(Path.cwd() / name)
            write(tf, model, path)
            parameter_bytes = sum(v.numpy().nbytes for v in model.variables)
            artifacts[name] = {"path": path, "parameter_bytes": parameter_bytes}
        return artifacts


class LoadCold(WithArtifact):
    def setup(self, artifacts, name):
        self.tf = start()
        for file in files_of(artifacts[name]["path"]):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def time_load_cold(self, artifacts, name):
        self.loaded = tf_load.read(self.tf, artifacts[name]["path"])


class LoadWarm(WithArtifact):
    def setup(self, artifacts, name):
        self.tf = start()
        for file in files_of(artifacts[name]["path"]):
            file.read_bytes()

    def time_load_warm(self, artifacts, name):
        self.loaded = tf_load.read(self.tf, artifacts[name]["path"])

    def peakmem_load(self, artifacts, name):
        self.loaded = tf_load.read(self.tf, artifacts[name]["path"])


class LoadAgain(WithArtifact):
    def setup(self, artifacts, name):
        self.tf = start()
        tf_load.read(self.tf, artifacts[name]["path"])

    def time_load_again(self, artifacts, name):
        self.loaded = tf_load.read(self.tf, artifacts[name]["path"])


class FirstCall(WithArtifact):
    def setup(self, artifacts, name):
        tf = start()
        self.loaded = tf_load.read(tf, artifacts[name]["path"])
        self.values = values(tf, name, 1)

    def time_first_call(self, artifacts, name):
        tf_load.callable_of(self.loaded)(self.values)


class EarlyCalls(WithArtifact):
    number = 9

    def setup(self, artifacts, name):
        tf = start()
        self.loaded = tf_load.read(tf, artifacts[name]["path"])
        self.values = values(tf, name, 1)
        self.call = tf_load.callable_of(self.loaded)
        self.call(self.values)

    def time_early_calls(self, artifacts, name):
        self.call(self.values)


class Infer(WithArtifact):
    params = (MODELS, BATCHES)
    param_names = ("model", "batch")
    # The mean of 30 calls is one sample. asv repeats the setup before each call, so it must not load again.
    number = 30
    ready = False

    def setup(self, artifacts, name, batch):
        if not self.ready:
            tf = start()
            self.loaded = tf_load.read(tf, artifacts[name]["path"])
            self.call = tf_load.callable_of(self.loaded)
            self.values = values(tf, name, batch)
            self.call(self.values)
            self.ready = True

    def time_infer(self, artifacts, name, batch):
        self.call(self.values)


class Files(WithArtifact):
    """What needs no TensorFlow does not import it."""

    def setup(self, artifacts, name):
        path = Path(artifacts[name]["path"])
        # fingerprint.pb varies by a few bytes between identical saves.
        self.count = len(files_of(path))
        sizes = {str(f.relative_to(path)): f.stat().st_size for f in files_of(path) if f.name != "fingerprint.pb"}
        self.total = sum(sizes.values())
        self.graph = sizes["saved_model.pb"]
        self.variables = sum(size for file, size in sizes.items() if file.startswith("variables/"))

    def track_artifact_bytes(self, artifacts, name):
        return self.total

    def track_artifact_graph_bytes(self, artifacts, name):
        return self.graph

    def track_artifact_variables_bytes(self, artifacts, name):
        return self.variables

    def track_artifact_other_bytes(self, artifacts, name):
        return self.total - self.graph - self.variables

    def track_artifact_bytes_per_parameter_byte(self, artifacts, name):
        return self.total / artifacts[name]["parameter_bytes"]

    def track_artifact_files(self, artifacts, name):
        return self.count


class Graph(WithArtifact):
    def setup(self, artifacts, name):
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        message = SavedModel.FromString(Path(artifacts[name]["path"], "saved_model.pb").read_bytes())
        self.graphs = [meta.graph_def for meta in message.meta_graphs]

    def track_graph_nodes(self, artifacts, name):
        functions = [function for graph in self.graphs for function in graph.library.function]
        return sum(len(graph.node) for graph in self.graphs) + sum(len(f.node_def) for f in functions)

    def track_graph_functions(self, artifacts, name):
        return sum(len(graph.library.function) for graph in self.graphs)
