"""What is installed: `savedmodel_bench`, which holds the package that its own modules call `harness`.

`harness` is somebody else's name on the package index, so nothing of that name is put into an environment. Here it is
made known to the process that runs the command, by its place, without putting a folder on sys.path.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def _provide_harness() -> None:
    """Let `import harness` find the package beside this file; in a checkout it is found as it is."""
    folder = Path(__file__).parent / "harness"
    known = sys.modules.get("harness")
    if not (folder / "__init__.py").is_file() or (known is not None and known.__file__ == str(folder / "__init__.py")):
        return
    spec = importlib.util.spec_from_file_location(
        "harness", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["harness"] = module
    spec.loader.exec_module(module)


_provide_harness()


def main() -> int:
    """Run the command `savedmodel-bench` and return its exit code."""
    from harness.cli import main as run

    return run()
