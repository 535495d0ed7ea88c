"""Regressions planted in a real release: patches at TensorFlow's import, and the metrics that each must move.

`faulty_releases.add_release(root, name, patch=plant.patch)` makes a release of each; `python -m tests.trust.real`
compares it with the clean release. That finds the plant if every judged metric of `expected` regresses. A regression of
a metric in neither `expected` nor `allowed`, and any improvement, is an unplanted finding. Metrics are glob patterns.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from fnmatch import fnmatchcase

_AROUND = """
import glob, os, shutil, time
real = tf.saved_model.{function}
def patched({arguments}, *more, **named):
{body}
tf.saved_model.{function} = patched
"""


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted regression."""

    name: str
    patch: str
    expected: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu", "gpu")
    blocks: int | None = None
    """Blocks that it takes, fewer where everything expected is compared exactly; None: as many as the preset has."""

    def role(self, metric: str) -> str:
        """Return what this plant may do to a metric: it is "planted", "allowed" to move, or "other"."""
        for role, patterns in (("planted", self.expected), ("allowed", self.allowed)):
            if any(fnmatchcase(metric, pattern) for pattern in patterns):
                return role
        return "other"


def _around(function: str, arguments: str, body: str) -> str:
    indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return _AROUND.format(function=function, arguments=arguments, body=indented)


def _spin(share: float, blocks: int | None = None) -> Plant:
    body = f"""
        start = time.perf_counter()
        loaded = real(path, *more, **named)
        end = time.perf_counter() + {share} * (time.perf_counter() - start)
        while time.perf_counter() < end:
            pass
        return loaded
    """
    # Any pause before it makes a first call a little slower: `python -m tests.trust.pause`.
    name, moved = f"load-spins-{share:.0%}".rstrip("%"), ("load_*_s",)
    return Plant(name, _around("load", "path", body), moved, allowed=("first_call_s",), blocks=blocks)


PLANTS = (
    _spin(0.10, blocks=12),
    _spin(0.30),
    _spin(1.00),
    Plant(
        "save-writes-twice",
        _around(
            "save",
            "module, path",
            """
            real(module, path, *more, **named)
            for name in glob.glob(os.path.join(path, "variables", "*.data-*")):
                shutil.copyfile(name, name + ".again")
            """,
        ),
        expected=("artifact_bytes", "artifact_variables_bytes", "artifact_files"),
        # Writing twice takes time; a cold load that reads half of the artifact is tainted and has no row.
        allowed=("save_*_s", "load_cold_s"),
        blocks=2,
    ),
    Plant(
        "load-needs-more-device-memory",
        _around(
            "load",
            "path",
            """
            with tf.device("GPU:0"):
                patched.kept = tf.zeros([16 << 20])
            return real(path, *more, **named)
            """,
        ),
        expected=("load_device_need_bytes",),
        allowed=("load_*_s",),
        devices=("gpu",),
    ),
    Plant(
        "load-leaks",
        _around(
            "load",
            "path",
            """
            leaked.append(b"x" * (4 << 20))
            return real(path, *more, **named)
            """,
        )
        + "leaked = []\n",
        expected=("host_leaks",),
        allowed=("load_*_s", "load_host_peak_bytes"),
    ),
    Plant(
        "loads-wrong-weights",
        _around(
            "load",
            "path",
            """
            loaded = real(path, *more, **named)
            for variable in loaded.variables_of_model:
                variable.assign(variable * 1.01)
            return loaded
            """,
        ),
        expected=("cell_failed",),
        blocks=2,
    ),
    Plant(
        "call-traces-again",
        _around(
            "load",
            "path",
            """
            loaded = real(path, *more, **named)
            kind = type(loaded.signatures["serving_default"])
            if not hasattr(kind, "real_call"):
                kind.real_call = kind.__call__
                def call(self, *values, **arguments):
                    tf.function(lambda: tf.constant(0.0)).get_concrete_function()
                    return kind.real_call(self, *values, **arguments)
                kind.__call__ = call
            return loaded
            """,
        ),
        expected=("infer_p50_s", "early_calls_s"),
        allowed=("first_call_s", "host_leaks"),
    ),
)
"""The planted regressions, in the order in which they are run."""
