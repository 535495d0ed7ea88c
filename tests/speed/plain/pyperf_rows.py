"""The rows of `benchmarks/plain.py` by pyperf: `python pyperf_rows.py once|often` with pyperf's own options.

What a process does only once is one value of each process; steady calls are pyperf's defaults. `PLAIN_ARTIFACTS` names
the folder of the saved model, which `prepare` writes.
"""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from benchmarks import plain

MODEL = plain.MODELS[0]
ONCE = {
    "import_s": (plain.Start, "time_import", ()),
    "save_first_s": (plain.Save, "time_save_first", (MODEL,)),
    "save_later_s": (plain.SaveLater, "time_save_later", (MODEL,)),
    "load_cold_s": (plain.LoadCold, "time_load_cold", (MODEL,)),
    "load_again_s": (plain.LoadAgain, "time_load_again", (MODEL,)),
    "first_call_s": (plain.FirstCall, "time_first_call", (MODEL,)),
}
OFTEN = {f"infer_p50_s b{batch}": (plain.Infer, "time_infer", (MODEL, batch)) for batch in plain.BATCHES}


def prepare():
    folder = Path(os.environ["PLAIN_ARTIFACTS"])
    folder.mkdir()
    os.chdir(folder)
    (folder / "artifacts.json").write_text(json.dumps(plain.WithArtifact().setup_cache()))


def timed(suite, name, parameters):
    instance = suite()
    if issubclass(suite, plain.WithArtifact):
        parameters = (json.loads(Path(os.environ["PLAIN_ARTIFACTS"], "artifacts.json").read_text()), *parameters)
    setup = getattr(instance, "setup", None)
    if setup is not None:
        setup(*parameters)
    return getattr(instance, name), parameters


def bench(runner, rows):
    for row, how in rows.items():
        ready = []

        def several(loops, how=how, ready=ready):
            if not ready:
                ready.extend(timed(*how))
            call, parameters = ready
            began = time.perf_counter()
            for _ in range(loops):
                call(*parameters)
            return time.perf_counter() - began

        runner.bench_time_func(row, several)


if __name__ == "__main__":
    which = sys.argv.pop(1)
    if which == "prepare":
        prepare()
    else:
        import pyperf

        program = (sys.argv[0], which)  # what its processes are started with
        if which == "once":
            bench(pyperf.Runner(values=1, warmups=0, loops=1, program_args=program), ONCE)
        else:
            bench(pyperf.Runner(program_args=program), OFTEN)
