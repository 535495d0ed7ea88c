"""NVIDIA GPUs as the driver sees them, through NVML. Nothing else of the project imports pynvml."""
