"""The files of a SavedModel, read without TensorFlow: `reading.read`, `content.digest`. Nothing of a graph runs."""
