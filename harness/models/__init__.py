"""The models that are measured: families at sizes, identical in every TensorFlow release."""
