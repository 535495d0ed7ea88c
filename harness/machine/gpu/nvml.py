"""A session with NVML through the real pynvml: every call may fail alone, and then says why.

The only place of the project that imports pynvml. Importing it is safe without a driver; starting a session loads
`libnvidia-ml.so.1` by its bare name. Whatever the binding raises is a reading that is missing, with the exception's
name: not all of its exceptions are an NVMLError, and a driver may be older or more broken than the binding expects.

That a session cannot be opened does not mean that there is no GPU: `gpu_presence` tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_NOT_AVAILABLE = (2**32 - 1, 2**64 - 1)
"""NVML_VALUE_NOT_AVAILABLE of nvml.h, which is -1, as an unsigned number of either size."""


NOT_INSTALLED = "pynvml is not installed"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A value, or None with the reason why there is none. Beside a value, `reason` says how it was come by."""

    value: T | None
    reason: str | None = None


class Nvml:
    """A session with the driver, as a context manager: `with Nvml() as nvml: nvml.call("nvmlDeviceGetCount")`.

    Sessions nest; the library counts them. Without library, driver or permission the session exists all the same:
    `missing` says why, and every call answers with that reason.
    """

    def __init__(self) -> None:
        self._module: Any = None
        self.missing: str | None = "the session with NVML is not open"

    def __enter__(self) -> Nvml:
        try:
            import pynvml
        except ImportError:
            self.missing = NOT_INSTALLED
            return self
        try:
            pynvml.nvmlInit()
        except Exception as error:
            self.missing = error_name(error)
            return self
        self._module, self.missing = pynvml, None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._module is not None:
            self.call("nvmlShutdown")
            self._module, self.missing = None, "the session with NVML is closed"

    def call(self, name: str, *arguments: Any, **named: Any) -> Reading[Any]:
        """Return what a function of pynvml answers, or the name of its error (`NVMLError_NotSupported`).

        A function that this driver lacks is NVMLError_FunctionNotFound, or NVMLLibraryMismatchError where pynvml has no
        older form of it; one that this pynvml lacks is named. Text is decoded, for older bindings answer bytes.
        """
        if self._module is None:
            return Reading(None, self.missing)
        function = getattr(self._module, name, None)
        if function is None:
            return Reading(None, f"this pynvml has no {name}")
        try:
            value = function(*arguments, **named)
        except Exception as error:
            # nvidia-ml-py 13 even stumbles over its own "not available" in nvmlDeviceGetAccountingStats.
            return Reading(None, error_name(error))
        if isinstance(value, int) and value in _NOT_AVAILABLE:
            return Reading(None, "NVML_VALUE_NOT_AVAILABLE")
        return Reading(value.decode(errors="replace") if isinstance(value, bytes) else value)

    def constant(self, name: str) -> int | None:
        """Return a constant of pynvml, None where this one lacks it or there is no session."""
        value = getattr(self._module, name, None)
        return None if value is None else int(value)

    def device(self, uuid: str) -> Reading[Any]:
        """Return the handle of a GPU ("GPU-…") or of a MIG device ("MIG-…")."""
        return self.call("nvmlDeviceGetHandleByUUID", uuid)

    def physical(self, handle: Any) -> Any:
        """Return the handle of the whole GPU of a MIG device; a GPU's own handle as it is.

        Clocks, temperature, power and energy belong to the whole GPU: NVML does not answer them for a MIG device.
        """
        parent = self.call("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", handle).value
        return handle if parent is None else parent


def error_name(error: Exception) -> str:
    """Return the name of what pynvml raised, as in NVMLError_GpuIsLost or NVMLLibraryMismatchError.

    A code without a name keeps its number, and what is no exception of pynvml's own keeps its text.
    """
    name = type(error).__name__
    if name == "NVMLError":
        return f"NVMLError {getattr(error, 'value', '')}".strip()
    return name if name.startswith("NVML") else f"pynvml: {name}: {error}"
