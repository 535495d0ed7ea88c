"""Started by path in a release's interpreter: `python start.py CONTROL_FD [GUARD [count]]`.

It makes the package `harness` importable without putting any folder on sys.path, so that nothing of the
harness's own environment can be imported beside TensorFlow. GUARD is JSON: the sandbox that is asked for (guard.py),
or null. With `count` its work is counted and not timed (counting.py).
"""

import importlib.util
import json
import os
import sys


def _provide_package() -> None:
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = importlib.util.spec_from_file_location(
        "harness", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["harness"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    sys.path.pop(0)
    _provide_package()
    held = None
    asked = json.loads(sys.argv[2]) if len(sys.argv) > 2 else None
    if asked is not None:
        # Before there is a second thread, and before anything is imported that is not of the standard library.
        from harness.worker import guard

        held = guard.apply(asked)
    from harness.worker import zygote

    sys.exit(zygote.main(int(sys.argv[1]), held, counting=sys.argv[3:] == ["count"]))
