"""A GPU that is none, for the flow of GPU cells where no GPU is: TensorFlow's second CPU device under a GPU's name.

Everything the worker does on a GPU runs for real, placement and copies included; the allocator's statistics, which a
CPU device does not have, are those of the process. Times and bytes mean nothing.
"""

PATCH = """
import os

list_devices, device = tf.config.list_physical_devices, tf.device

class Gpu:
    name, device_type = "/physical_device:GPU:0", "GPU"

def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

def listed(kind=None):
    if kind != "GPU":
        return list_devices(kind)
    return [] if os.environ.get("CUDA_VISIBLE_DEVICES") == "-1" else [Gpu]

def set_memory_growth(gpu, enable):
    assert gpu is Gpu
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(list_devices("CPU")[0], [one, one])
    # Never left: on a GPU, too, everything is placed there that can be.
    device("CPU:1").__enter__()

def reset_memory_stats(name):
    assert name == "GPU:0"
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

tf.device = lambda name: device("CPU:1" if name == "GPU:0" else name)
tf.config.list_physical_devices = tf.config.experimental.list_physical_devices = listed
tf.config.experimental.set_memory_growth = set_memory_growth
tf.config.experimental.reset_memory_stats = reset_memory_stats
tf.config.experimental.get_memory_info = lambda name: {"current": status("VmRSS"), "peak": status("VmHWM")}
"""
"""For `faulty_releases.add_release`: what makes a release see this GPU, unless CUDA is told to show none."""
