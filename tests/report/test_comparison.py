"""Reports, read as their readers do: golden files (SAVEDMODEL_BENCH_REGENERATE=1 writes them anew) and rules."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shown import as_json, as_markdown, as_table

from harness.answers.comparison import Comparison, compare_subjects
from harness.answers.sides import SubjectFacts
from harness.metrics import METRICS
from harness.report.comparison import report_bench, report_comparison
from harness.report.document import Command, Style
from harness.report.formats import render
from harness.report.numbers import change, interval, percent, quantity
from harness.verdict.margins import margin_table

GOLDEN = Path(__file__).parent / "golden"
OLD, NEW = "v2.20.0", "v2.21.0"
MODELS = ("mlp-s", "mlp-m", "conv-s", "transformer-s")
CELL = "tf-module/tf-load"

FAILURE_COLUMNS = ["run", "subject", "device", "model", "variant", "operation", "status", "reason", "count"]


def synthetic_samples(blocks: int = 5, seed: int = 1) -> pd.DataFrame:
    """A quick run with known truth: load_warm +40 % on mlp-s, save_later -30 % on conv-s, a larger graph."""
    random = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = []

    def add(
        metric: str, model: str, variant: str, old: float, ratio: float = 1.0, noise: float = 0.0, last: int = blocks
    ) -> None:
        device = "-" if metric == "import_s" else "cpu"
        for block in range(last):
            drift = 1 + 0.05 * block if noise else 1.0
            for subject, value in ((OLD, old), (NEW, old * ratio)):
                drawn = value * drift * math.exp(random.normal(0, noise)) if noise else value
                unit = METRICS[metric].unit
                rows.append(("r1", block, subject, device, model, variant, metric, unit, drawn, 3, 0))

    add("import_s", "-", "-", 4.2, 0.97, 0.01)
    add("device_init_s", "-", "-", 0.012, 1.0, 0.08)
    for place, model in enumerate(MODELS):
        scale = 1 + place
        add("build_s", model, "-", 0.08 * scale, 1.0, 0.03)
        add("save_first_s", model, "tf-module", 0.31 * scale, 1.0, 0.04)
        add("save_later_s", model, "tf-module", 0.21 * scale, 0.7 if model == "conv-s" else 1.0, 0.02)
        add("artifact_bytes", model, "tf-module", 4_210_033.0 * scale)
        changed = {"mlp-s": 1.15, "mlp-m": 1.0005}.get(model, 1.0)
        add("artifact_graph_bytes", model, "tf-module", 61_440.0 * scale, changed)
        add("graph_nodes", model, "tf-module", 412.0, 420 / 412 if model == "mlp-s" else 1.0)
        add("load_cold_s", model, CELL, 0.09 * scale, 1.0, 0.15)
        add("load_warm_s", model, CELL, 0.06 * scale, 1.4 if model == "mlp-s" else 1.0, 0.015)
        add("load_warm_cpu_s", model, CELL, 0.05 * scale, 1.0, 0.05)
        add("infer_p50_s", model, f"{CELL} b1", 0.00021 * scale, 1.13 if model == "mlp-m" else 1.0, 0.02)
        add("infer_p50_s", model, f"{CELL} b32", 0.0009 * scale, 1.0, 0.005)
    for writer in ("keras-save-tf", "keras-export"):
        add("artifact_bytes", "mlp-s", writer, 4_300_000.0, 1.0, 0.0, 2)
        add("save_first_s", "mlp-s", writer, 0.5, 1.0, 0.05, 2)
    table = pd.DataFrame(
        rows,
        columns=["run", "block", "subject", "device", "model", "variant", "metric", "unit", "value", "n", "tainted"],
    )
    absent = (table["metric"] == "artifact_bytes") & (table["variant"] == "keras-save-tf") & (table["subject"] == NEW)
    return table[~absent]


def synthetic_failures() -> pd.DataFrame:
    reason = "unsupported: AttributeError: 'Sequential' object has no attribute 'save' [tf] | <lost>"
    cell = (NEW, "cpu", "mlp-s", "keras-save-tf/tf-load", "save", "unsupported", reason, 2)
    crash = (NEW, "cpu", "conv-s", CELL, "load", "failed", "killed by signal 11 (SIGSEGV)", 1)
    return pd.DataFrame([("r1", *cell), ("r1", *crash)], columns=FAILURE_COLUMNS)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare_subjects(
        synthetic_samples(),
        synthetic_failures(),
        SubjectFacts(OLD, tensorflow="2.20.0", keras="3.11.3", policy="today", wheel="cpu", python="3.11"),
        SubjectFacts(NEW, tensorflow="2.21.0", keras="3.12.0", policy="today", wheel="cpu", python="3.11"),
        margins=margin_table(0.10),
        machine={"name": "desk", "cpu": "an imaginary CPU, 2 cores"},
        preset="quick",
        run_path=Path("results/runs/desk/20260102T030405-0001"),
        exact_only={("mlp-s", "keras-save-tf"), ("mlp-s", "keras-export")},
    )


SETTLE = ("savedmodel-bench", "compare", OLD, NEW, "--preset", "quick")


def narrate(comparison: Comparison) -> str:
    commands = [
        Command("make bench", "add blocks to this comparison"),
        Command("savedmodel-bench summary", "all releases measured so far, as a table"),
    ]
    return as_table(report_bench(comparison, next_commands=commands, settle_command=SETTLE))


def as_document(comparison: Comparison) -> str:
    return render(report_comparison(comparison), "json", Style())


def steady_digits(document: str) -> str:
    """Round to nine significant digits: the last ones depend on the processor's logarithm."""
    rounded = json.loads(document, parse_float=lambda text: float(f"{float(text):.9g}"))
    return json.dumps(rounded, indent=2) + "\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("table.txt", lambda comparison: as_table(report_comparison(comparison))),
        ("report.md", lambda comparison: as_markdown(report_comparison(comparison, settle_command=SETTLE))),
        ("document.json", as_document),
        ("narrative.txt", narrate),
    ],
)
def test_rendered_reports_are_the_approved_ones(
    name: str, shown: Callable[[Comparison], str], comparison: Comparison
) -> None:
    text = steady_digits(shown(comparison)) if name.endswith(".json") else shown(comparison)
    if os.environ.get("SAVEDMODEL_BENCH_REGENERATE"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


SCHEMA_1 = [
    *("metric", "unit", "device", "model", "variant", "old", "new", "ratio", "low", "high"),
    *("q", "verdict", "reason", "judged", "blocks", "tainted"),
]


def test_json_has_every_field_of_schema_1_and_no_nan(comparison: Comparison) -> None:
    poisoned = replace(comparison, rows=(replace(comparison.rows[0], high=math.inf, spread=math.nan),))
    parsed = json.loads(as_document(poisoned), parse_constant=pytest.fail)
    assert {"schema", "old", "new", "machine", "blocks", "rows", "exit_code"} <= parsed.keys()
    assert parsed["schema"] == 1
    assert list(parsed["rows"][0])[: len(SCHEMA_1)] == SCHEMA_1
    assert parsed["rows"][0]["high"] is None
    assert parsed["rows"][0]["spread"] is None


def test_json_exit_code_follows_the_demand(comparison: Comparison) -> None:
    assert as_json(report_comparison(comparison))["exit_code"] == 1
    calm = replace(comparison, rows=tuple(row for row in comparison.rows if row.verdict != "regression"))
    assert as_json(report_comparison(calm))["exit_code"] == 0
    assert as_json(report_comparison(calm, require_decision=True))["exit_code"] == 2


@pytest.mark.parametrize("width", [80, 100, 200])
def test_terminal_reports_keep_to_their_width(width: int, comparison: Comparison) -> None:
    lines = as_table(report_comparison(comparison), width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line != line.rstrip() for line in lines)


def test_colour_only_where_it_is_asked_for(comparison: Comparison) -> None:
    assert "\x1b[" not in as_table(report_comparison(comparison))
    assert "\x1b[" in as_table(report_comparison(comparison), colour=True)


def test_text_of_exceptions_is_shown_as_it_is(comparison: Comparison) -> None:
    assert "no attribute 'save' [tf] | <lost>" in " ".join(as_table(report_comparison(comparison)).split())
    assert "\\[tf\\] \\| &lt;lost&gt;" in as_markdown(report_comparison(comparison))


def test_an_empty_comparison_still_renders(comparison: Comparison) -> None:
    empty = replace(comparison, rows=(), failures=(), notes=(), run_path=None)
    nothing = "2.21.0 against 2.20.0 on desk: nothing could be compared."
    assert nothing in as_table(report_comparison(empty))
    assert nothing in as_markdown(report_comparison(empty))
    assert nothing in as_table(report_comparison(empty, settle_command=SETTLE))
    assert as_json(report_comparison(empty))["rows"] == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4.2, "seconds", "4.20 s"),
        (0.0123, "seconds", "12.3 ms"),
        (0.99996, "seconds", "1.00 s"),
        (0.00021, "CPU seconds", "210 µs"),
        (3e-8, "seconds", "30.0 ns"),
        (0.0, "seconds", "0 s"),
        (123.4, "seconds", "123 s"),
        (4321.0, "seconds", "4,321 s"),
        (0.0, "bytes", "0 B"),
        (97.0, "bytes", "97 B"),
        (97.5, "bytes", "97.5 B"),
        (1023.7, "bytes", "1.00 KiB"),
        (4_210_033.0, "bytes", "4.02 MiB"),
        (5e15, "bytes", "4,547 TiB"),
        (412.0, "nodes", "412"),
        (1_234_567.0, "nodes", "1,234,567"),
        (1.0234, "ratio", "1.02"),
        (99.96, "ratio", "100"),
        (0.00001234, "ratio", "0.0000123"),
        (None, "seconds", "n/a"),
        (math.nan, "bytes", "n/a"),
    ],
)
def test_quantities_have_human_units(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.123, "+12.3 %"),
        (0.9, "-10.0 %"),
        (1.0, "0 %"),
        (1.0005, "+0.05 %"),
        (1.00001, "under 0.01 %"),
        (2.5, "x2.50"),
        (1e6, "x1e+06"),
        (0.0, "-100 %"),
        (None, "n/a"),
    ],
)
def test_changes_read_as_percent_until_they_double(ratio: float | None, text: str) -> None:
    assert change(ratio) == text


def test_intervals_and_fractions() -> None:
    assert interval(0.988, 1.034) == "-1.2 .. +3.4 %"
    assert interval(0.5, 3.0) == "-50.0 % .. x3.00"
    assert interval(0.0, None) == "-100 % .. open"
    assert interval(None, None) == ""
    assert [percent(value) for value in (0.1, 0.025, 0.001, 0.4)] == ["10 %", "2.5 %", "0.1 %", "40 %"]
