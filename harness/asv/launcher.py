"""Starts asv's benchmark script without pympler, which only `mem_` benchmarks need and which imports numpy.

asv starts one process per metric and parameter, some 200 a release: this saves 0.4 of 0.6 seconds in each.
Run as a script: `python launcher.py SCRIPT ARGUMENT...`.
"""

import runpy
import sys

if __name__ == "__main__":
    # Python has put this script's folder first; asv's script expects to be the one that was started.
    sys.path.pop(0)
    sys.argv.pop(0)
    # asv_runner treats this like an installation without pympler, which it supports.
    sys.modules["pympler"] = None  # type: ignore[assignment]
    runpy.run_path(sys.argv[0], run_name="__main__")
