"""`python -m tests.trust.pause`: what a pause between a load and the first call does to that call, in forked processes.

Each fork loads an artifact, then does nothing, waits busily or sleeps for as long as its load took, and times its first
call up to the barrier. One fork of each, in random order, is a block. Prints the mean change over the forks without a
pause, from the log differences within blocks, with its 95 % interval by Student's t.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent.parent
PAUSES = ("none", "busy wait", "sleep")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure in a release's own interpreter and print a line a pause."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.pause", description=__doc__)
    parser.add_argument("--release", default="v2.21.0", metavar="NAME", help="(default: v2.21.0)")
    parser.add_argument("--model", default="mlp-s", metavar="MODEL", help="(default: mlp-s)")
    parser.add_argument("--blocks", type=int, default=200, metavar="N", help="(default: 200)")
    options = parser.parse_args(arguments)
    # Here alone: the release's interpreter runs this file too and has none of these packages.
    import numpy as np
    import scipy.stats

    from tests.builders.faulty_releases import tensorflow_python

    inside = [str(tensorflow_python(options.release)), __file__, options.model, str(options.blocks)]
    done = subprocess.run(inside, stdout=subprocess.PIPE, text=True, check=True)
    blocks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    logs = {pause: np.log([block[pause] for block in blocks]) for pause in PAUSES}
    print(
        f"{options.release}, {options.model}: first call {1e3 * np.exp(np.median(logs['none'])):.1f} ms without a pause"
    )
    for pause in PAUSES[1:]:
        change = logs[pause] - logs["none"]
        half = scipy.stats.t.ppf(0.975, len(change) - 1) * scipy.stats.sem(change)
        mean, low, high = (100 * np.expm1(change.mean() + off) for off in (0, -half, half))
        print(f"after a {pause}: {mean:+.1f} % ({low:+.1f} .. {high:+.1f}), {len(change)} blocks")
    return 0


def inside(model: str, blocks: int) -> None:
    """Print the seconds of every block's first calls, a JSON line a block; runs beside TensorFlow."""
    sys.path.insert(0, str(PROJECT))
    import tensorflow as tf

    from harness.formats import registry
    from harness.models import families

    writer, reader = registry.WRITERS["tf-module"], registry.READERS["tf-load"]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/artifact"
        if os.fork() == 0:  # so that what loads has never built or saved
            built = families.build(tf, model)
            families.fill(built)
            writer.write(tf, writer.prepare(tf, built), path)
            os._exit(0)
        os.wait()
        generator, values = random.Random(1), families.inputs(model, batch=1)
        for _ in range(blocks):
            pauses = generator.sample(PAUSES, len(PAUSES))
            print(json.dumps({pause: _first_call_s(tf, reader, path, values, pause) for pause in pauses}), flush=True)


def _first_call_s(tf: Any, reader: Any, path: str, values: Any, pause: str) -> float:
    """Return the seconds of the first call in a fork, with a pause before it."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        clock = time.perf_counter
        values = tf.constant(values)
        start = clock()
        loaded = reader.read(tf, path)
        took = clock() - start
        if pause == "busy wait":
            end = clock() + took
            while clock() < end:
                pass
        elif pause == "sleep":
            time.sleep(took)
        start = clock()
        reader.callable_of(loaded)(values)
        tf.test.experimental.sync_devices()
        os.write(theirs, repr(clock() - start).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        seconds = float(answer.read())
    os.wait()
    return seconds


if __name__ == "__main__":
    if __package__:
        sys.exit(main())
    inside(sys.argv[1], int(sys.argv[2]))
