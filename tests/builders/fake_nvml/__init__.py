"""Builds stand-ins for libnvidia-ml.so.1 and for the kernel, and asks the real pynvml in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness.machine.gpu.kernel import ROOT_VARIABLE

SOURCE = Path(__file__).with_name("nvml.c")
NAME = "libnvidia-ml.so.1"
SYMBOLS = tuple(sorted(set(re.findall(r"^int (nvml\w+)", SOURCE.read_text(), re.MULTILINE))))
"""Every function of the stand-in that a driver can lack, or that can fail."""

OLD_DRIVER = ("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetTemperatureV", "nvmlDeviceGetCurrentClocksEventReasons")
"""What drivers before 510 lack; with `nvmlDeviceGetComputeRunningProcesses_v3`, all that has an older form."""


def build(folder: Path) -> Path:
    """Compile the library into `folder` and return the folder, for LD_LIBRARY_PATH."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        import pytest  # here, for `make speed` goes without it

        pytest.skip("no C compiler")
    command = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{NAME},-Bsymbolic", "-o", str(folder / NAME), str(SOURCE)]
    subprocess.run(command, check=True)
    return folder


def without(library: Path, folder: Path, *symbols: str) -> Path:
    """Write a library into `folder` that lacks some functions, as an older driver's, and return the folder."""
    content = (library / NAME).read_bytes()
    for symbol in symbols:
        name = b"\0" + symbol.encode() + b"\0"
        assert content.count(name) >= 1, symbol
        content = content.replace(name, name.replace(b"nvml", b"lack"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(content)
    return folder


H100 = "0x2330"


def kernel(
    folder: Path,
    *devices: str | None,
    nodes: int = 0,
    module: str | None = None,
    model: str | None = None,
    pci_id: str = H100,
) -> Path:
    """Make a folder that stands for the kernel's `/`, and return it.

    Args:
        folder: where to make it.
        devices: what has taken each NVIDIA GPU on the PCI bus: "nvidia", "vfio-pci" …; None: nothing.
        nodes: how many GPUs have a node in /dev.
        module: version of the loaded kernel module.
        model: what that module calls the GPUs.
        pci_id: the device's half of each GPU's PCI id.
    """
    bus = folder / "sys" / "bus" / "pci"
    for number, driver in enumerate(devices):
        # Beside each GPU its sound device, and a network card of somebody else.
        for function, (vendor, kind) in enumerate((("0x10de", "0x030200"), ("0x10de", "0x040300"), ("0x8086", "0x02"))):
            device = bus / "devices" / f"0000:{0x1B + number:02x}:00.{function}"
            device.mkdir(parents=True)
            for name, text in (("vendor", vendor), ("class", kind), ("device", pci_id)):
                (device / name).write_text(f"{text}\n")
            if driver is not None and function == 0:
                (bus / "drivers" / driver).mkdir(parents=True, exist_ok=True)
                (device / "driver").symlink_to(bus / "drivers" / driver)
            if model is not None and function == 0:
                known = folder / "proc" / "driver" / "nvidia" / "gpus" / device.name
                known.mkdir(parents=True)
                (known / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 24\nGPU UUID: \t GPU-fake\n")
    (folder / "dev").mkdir(parents=True, exist_ok=True)
    for name in (*(f"nvidia{number}" for number in range(nodes)), *(("nvidiactl", "nvidia-uvm") if nodes else ())):
        (folder / "dev" / name).touch()
    if module is not None:
        (folder / "proc" / "driver" / "nvidia").mkdir(parents=True, exist_ok=True)
        version = (
            f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {module}  Release Build\nGCC version: 12.2.0"
        )
        (folder / "proc" / "driver" / "nvidia" / "version").write_text(version)
    return folder


def playing(library: Path | None, kernel: Path | None = None, **scenario: str) -> dict[str, str]:
    """Return the variables of a process that finds the library playing a scenario, and a kernel.

    None: no library at all, and a kernel that knows of no GPU.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FAKE_NVML_", "CUDA_"))}
    environment.update({f"FAKE_NVML_{name}": value for name, value in scenario.items()})
    roots = {ROOT_VARIABLE: str(kernel or "/nonexistent"), "LD_LIBRARY_PATH": str(library or "/nonexistent")}
    return {**environment, **roots}


def ask(code: str, library: Path | None, kernel: Path | None = None, **scenario: str) -> str:
    """Return what a piece of code prints in a process of its own that finds the library."""
    return ask_any(code, playing(library, kernel, **scenario))


def ask_any(code: str, environment: dict[str, str] | None = None) -> str:
    """Return what a piece of code prints in a process of its own, with this process's variables by default."""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SERVER = """
import ctypes, json, os, sys, traceback
from harness.machine.gpu import devices, memory, nvml, selection, state
for line in sys.stdin:
    library, variables, code = json.loads(line)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.environ.clear()
        os.environ.update(variables)
        try:
            if library:
                ctypes.CDLL(library)  # which the binding then finds by its bare name
            exec(code, {})
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(1)
    os.close(write)
    told = open(read, encoding="utf-8").read()
    print(json.dumps([os.waitpid(child, 0)[1], told]), flush=True)
"""


class Forks:
    """A process that has imported the GPU modules and forks a child for each question: a tenth of a process's cost."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SERVER]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, code: str, library: Path | None, **scenario: str) -> str:
        """Return what a piece of code prints in a child that finds the library."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        question = [library and str(library / NAME), playing(library, **scenario), code]
        self._server.stdin.write(f"{json.dumps(question)}\n")
        self._server.stdin.flush()
        status, told = json.loads(self._server.stdout.readline())
        assert status == 0, told
        return str(told).strip()

    def close(self) -> None:
        """End the process."""
        self._server.communicate()


EACH = """
import ctypes, os, sys
{imports}
def answer():
    {body}
for library, variables in {scenarios}:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.environ.update(variables)
        if library:
            ctypes.CDLL(library)  # which the binding then finds by its bare name
        print(answer(), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, (library, variables)
"""


def ask_each(imports: str, body: str, scenarios: list[tuple[Path | None, dict[str, str]]]) -> list[str]:
    """Return what `body`, the body of a function, answers under each scenario: a library's folder, and variables.

    One process imports and forks a child for each scenario: a tenth of the time of as many processes.
    """
    told = [(library and str(library / NAME), variables) for library, variables in scenarios]
    code = EACH.format(imports=imports, body=body.replace("\n", "\n    "), scenarios=told)
    return ask(code, None).splitlines()
