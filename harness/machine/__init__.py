"""The host side of a measurement: which machine this is, what its GPUs report, and whether it was calm."""
