"""What metrics are called where there is little room."""

from __future__ import annotations

from harness.metrics import CELL_FAILED
from harness.report.wording import title

_BRIEF = {
    "import_s": "import TensorFlow",
    "device_init_s": "device init.",
    "save_first_s": "first save",
    "save_durable_s": "save with fsync",
    "save_host_peak_bytes": "host peak of save",
    "load_host_peak_bytes": "host peak of load",
    "resave_host_peak_bytes": "host peak of resave",
    "save_device_need_bytes": "GPU peak of save",
    "load_device_need_bytes": "GPU peak of load",
    "first_call_device_need_bytes": "GPU peak, first inf.",
    "infer_device_need_bytes": "GPU peak, inference",
    "artifact_bytes": "SavedModel size",
    "artifact_other_bytes": "other files",
    "artifact_files": "files",
    "graph_nodes": "graph nodes",
    "graph_functions": "library functions",
    "load_cold_s": "load, cold cache",
    "load_warm_s": "load, warm cache",
    "load_again_s": "second load",
    "load_tenth_s": "tenth load",
    "first_call_s": "first inference",
    "early_calls_s": "inference 2 to 10",
    "first_result_s": "start to 1st result",
    "outputs_not_bit_equal": "outputs not equal",
    "infer_p50_s": "inference, median",
    "call_p50_s": "call, median",
    "call_first_s": "first call",
    "call_new_shape_s": "call, new shape",
    "resave_s": "resave",
    "resave_bytes": "resaved size",
    "resume_broken_promises": "resume: failed",
    "resume_first_step_s": "resume: first step",
    "custom_code_broken_promises": "no code: failed",
    CELL_FAILED.name: "failed",
}


def brief_title(metric: str) -> str:
    """Return a metric's name in at most 20 characters; the title of one that has none, or a stranger's name."""
    return _BRIEF.get(metric, title(metric))
