"""savedmodel-bench: benchmarks of TensorFlow SavedModel save, load and inference over releases."""

__version__ = "0.1.0"
