"""What one release's own numbers tell: ratios within blocks, exponents along ladders, and what is too large."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from shown import as_table

from harness.answers.provenance import Provenance
from harness.answers.ratios import ratios
from harness.answers.scaling import LAYERS, courses
from harness.answers.sources import Telling
from harness.measure.presets import Cell
from harness.measure.room import why_too_large
from harness.report.ratios import report_ratios
from harness.report.scaling import report_scaling
from harness.verdict.scaling import growth

COLUMNS = ["run", "block", "subject", "device", "model", "variant", "metric", "value"]
CELL = "tf-module/tf-load"
HERE = Provenance("calm-machine", False, "calm-machine", (("r1", 4),))


def samples(rows: list[tuple[int, str, str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("r1", block, "v2.21.0", "cpu", model, variant, metric, value)
            for block, model, variant, metric, value in rows
        ],
        columns=COLUMNS,
    )


def test_a_power_law_is_found_with_its_exponent() -> None:
    found = growth([1e6, 1e5, 1e7, 1e8], [2.0, 2.0 / 10**0.5, 2.0 * 10**0.5, 20.0])
    assert found is not None
    assert found.exponent == pytest.approx(0.5)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.5))
    assert (found.smallest, found.largest, found.rungs) == (1e5, 1e8, 4)


def test_a_fixed_cost_widens_the_interval_and_the_upper_end_tells_the_rest() -> None:
    """A tenth of a second, and a nanosecond a byte."""
    found = growth([1e5, 1e6, 1e7, 1e8], [0.1 + size * 1e-9 for size in (1e5, 1e6, 1e7, 1e8)])
    assert found is not None
    assert found.low < 0 < found.high
    assert found.marginal == pytest.approx(1e-9)


def test_two_rungs_are_no_ladder() -> None:
    assert growth([1.0, 2.0], [1.0, 2.0]) is None


def test_ladders_are_fitted_by_bytes_and_by_layers() -> None:
    rows = []
    for model, size, seconds in (("mlp-xs", 4e5, 0.01), ("mlp-s", 4e6, 0.1), ("mlp-m", 4e7, 1.0)):
        rows += [(0, model, "tf-module", "artifact_bytes", size), (0, model, CELL, "load_warm_s", seconds)]
    for layers in (4, 16, 64):
        rows += [(0, f"deep-{layers}", CELL, "load_warm_s", layers**0.5)]
    found = {one.family: one for one in courses(samples(rows), ["r1"])}
    assert found["mlp"].models == ("mlp-xs", "mlp-s", "mlp-m")
    assert found["mlp"].growth is not None
    assert found["mlp"].growth.exponent == pytest.approx(1.0)
    assert found["deep"].ladder == LAYERS
    assert found["deep"].growth is not None
    assert found["deep"].growth.exponent == pytest.approx(0.5)
    text = as_table(report_scaling(Telling(list(found.values()), HERE, ())))
    assert "per MB" in text
    assert "per layer" in text
    assert "--preset scale" in as_table(report_scaling(Telling([], HERE, ())))


def test_ratios_are_paired_within_blocks() -> None:
    """The machine is twice as slow in every second block; the ratio does not notice."""
    rows = []
    for block, pace in enumerate((1.0, 2.0, 1.0, 2.0)):
        rows += [
            (block, "mlp-s", f"{CELL} b1", "infer_p50_s", 0.002 * pace),
            (block, "mlp-s", f"{CELL} loaded-function b1", "call_p50_s", 0.0018 * pace),
            (block, "mlp-s", f"{CELL} original b1", "call_p50_s", 0.0009 * pace),
            (block, "mlp-s", f"{CELL} xla", "call_first_s", 0.9 * pace),
            (block, "mlp-s", f"{CELL} function", "call_first_s", 0.3 * pace),
            (block, "mlp-s", f"{CELL} signature-host b1", "call_p50_s", 0.0025 * pace),
            (block, "mlp-s", CELL, "first_call_s", 0.1 * pace),
        ]
    found = {one.what: one for one in ratios(samples(rows))}
    assert (found["loaded"].over, found["loaded"].blocks) == ("original", 4)
    assert found["loaded"].ratio == pytest.approx(2.0)
    assert found["loaded"].low == pytest.approx(2.0)
    compiled = found["first call, compiled"]
    assert (compiled.ratio, compiled.difference_s) == (pytest.approx(3.0), pytest.approx(0.9))
    assert found["first call"].ratio == pytest.approx(50.0)
    host = found["way signature-host"]
    assert host.ratio == pytest.approx(1.25)
    assert host.difference_s == pytest.approx(0.00075)
    assert "+750 µs" in as_table(report_ratios(Telling(list(found.values()), HERE, ())))
    assert "--preset calls" in as_table(report_ratios(Telling([], HERE, ())))


def test_a_gpu_is_set_against_the_cpu_beside_it() -> None:
    rows = [(block, "mlp-m", f"{CELL} b32", "infer_p50_s", 0.008) for block in range(3)]
    table = samples(rows)
    on_gpu = table.assign(device="gpu", value=0.002)
    (found,) = ratios(pd.concat([table, on_gpu]))
    assert (found.what, found.over, found.device) == ("steady call on the GPU", "on the CPU", "gpu")
    assert found.ratio == pytest.approx(0.25)


def test_what_does_not_fit_is_said_in_words(tmp_path: Path) -> None:
    largest = Cell("cpu", "transformer-xl", "tf-module", "tf-load")
    reason = why_too_large(largest, 8 * 2**30, tmp_path)
    assert reason is not None
    assert reason.startswith("too-large: needs about 16 GiB of memory, 8 GiB are allowed here")
    assert why_too_large(Cell("cpu", "mlp-m", "tf-module", "tf-load"), 8 * 2**30, tmp_path) is None


def test_a_gpu_has_to_hold_the_model_too(tmp_path: Path) -> None:
    largest = Cell("gpu", "transformer-xl", "tf-module", "tf-load")
    reason = why_too_large(largest, 64 * 2**30, tmp_path, device_memory_bytes=8 * 2**30)
    assert reason is not None
    assert "of device memory, the GPU has 8 GiB" in reason
    assert why_too_large(largest, 64 * 2**30, tmp_path, device_memory_bytes=80 * 2**30) is None
    on_cpu = Cell("cpu", "transformer-xl", "tf-module", "tf-load")
    assert why_too_large(on_cpu, 64 * 2**30, tmp_path, device_memory_bytes=8 * 2**30) is None
