"""The pure parts of `make speed`: the account of a run, and what makes two sides' samples equal."""

import pytest

from tests.speed.accounting import LOST, account
from tests.speed.equality import harness_samples, plain_row, require_equal, wanted
from tests.speed.isolation import isolation_rows
from tests.speed.overheads import device_need_spread, windows
from tests.speed.report import BEGIN, END, Target, write_docs
from tests.speed.strangers import pairs

CELL = {"device": "cpu", "model": "mlp-s", "writer": "tf-module", "reader": "tf-load"}


def phase(name, kind, wall_s):
    return {"name": name, "kind": kind, "wall_s": wall_s, "cpu_s": None}


def repeat(operation, wall_s, phases, *, status="ok", metrics=(), block=0, page_cache=None):
    return {
        "type": "repeat", "block": block, "operation": operation, "cell": None if operation == "import" else CELL,
        "page_cache": page_cache, "status": status, "wall_s": wall_s, "phases": phases, "metrics": list(metrics),
    }  # fmt: skip


RECORDS = [
    repeat("import", 5.0, [phase("import", "sample", 4.0), phase("sample the host", "host", 0.5)]),
    repeat("save", 2.0, [phase("save, first", "sample", 1.5), phase("fork", "process", 0.25)]),
    repeat("load", 1.0, [phase("evict", "evict", 0.25), phase("load, cold", "sample", 0.5)], page_cache="cold"),
    repeat("save", 1.0, [phase("save, first", "sample", 0.5)], status="unsupported"),
    {
        "type": "block",
        "block": 0,
        "complete": True,
        "duration_s": 10.0,
        "phases": [phase("end the workers", "process", 0.5)],
    },
]
COMMAND = [phase("start the harness", "host", 0.75)]


def test_every_second_is_either_named_or_left_over():
    found = account(RECORDS, COMMAND, 11.0)

    assert sum(found.by_kind().values()) == pytest.approx(11.0)
    assert found.unnamed == {
        "import": 0.5, "save": 0.75, "load cold": 0.25, "block": 0.5, "command": 0.25,
    }  # fmt: skip
    assert found.unnamed_share == pytest.approx(2.25 / 11)


def test_imports_stand_apart_and_a_lost_reading_is_no_sample():
    found = account(RECORDS, COMMAND, 11.0)

    assert found.of_kind("import") == 4.5  # the host's looks at an import are part of it
    assert found.of_kind("sample") == 2.0
    assert found.of_kind(LOST) == 0.5
    assert found.sample_share == pytest.approx(2.0 / 6.5)


def test_phases_that_overlap_are_no_account():
    with pytest.raises(ValueError, match="phases of save"):
        account([repeat("save", 1.0, [phase("a", "check", 0.75), phase("b", "check", 0.75)])], [], 2.0)


@pytest.mark.parametrize(
    ("benchmark", "parameters", "row"),
    [
        ("plain.Start.time_import", (), ("import_s", "-", None)),
        ("plain.Save.time_save_first", ("'mlp-s'",), ("save_first_s", "mlp-s", None)),
        ("plain.Save.peakmem_save", ("'mlp-s'",), ("save_host_peak_bytes", "mlp-s", None)),
        ("plain.Infer.time_infer", ("'mlp-s'", "32"), ("infer_p50_s", "mlp-s", 32)),
        ("plain.Graph.track_graph_nodes", ("'mlp-s'",), ("graph_nodes", "mlp-s", None)),
    ],
)
def test_each_plain_benchmark_is_a_row_of_the_harness(benchmark, parameters, row):
    assert plain_row(benchmark, parameters) == row
    assert row in wanted(["mlp-s"], [1, 32])


def test_a_block_gives_one_sample_however_many_readings_it_has():
    readings = [(0, 1.0), (0, 3.0), (1, 5.0)]
    records = [
        repeat("load", 1.0, [], block=block, metrics=[{"metric": "first_call_s", "value": value}])
        for block, value in readings
    ]
    assert harness_samples(records) == {("first_call_s", "mlp-s", None): [2.0, 5.0]}


NODES, LOAD = ("graph_nodes", "mlp-s", None), ("load_cold_s", "mlp-s", None)


def test_equal_sides_pass():
    require_equal({NODES, LOAD}, {NODES: [9, 9], LOAD: [1, 2]}, {NODES: [9, 9], LOAD: [3, 4]}, 2)


@pytest.mark.parametrize(
    ("harness", "plain"),
    [
        ({NODES: [9, 9], LOAD: [1, 2]}, {NODES: [9, 9], LOAD: [3]}),
        ({NODES: [9, 9], LOAD: [1, 2]}, {NODES: [9, 9]}),
        ({NODES: [9, 9], LOAD: [1, 2]}, {NODES: [9, 8], LOAD: [3, 4]}),
        ({NODES: [9, 9], LOAD: [1, 2], ("build_s", "mlp-s", None): [1, 2]}, {NODES: [9, 9], LOAD: [3, 4]}),
    ],
)
def test_a_missing_sample_a_missing_row_another_value_or_an_extra_row_fail(harness, plain):
    with pytest.raises(AssertionError, match="not give the same samples"):
        require_equal({NODES, LOAD}, harness, plain, 2)


def test_targets_know_their_side():
    assert Target("a", "", 5.0, 5, True, "%").met
    assert not Target("a", "", 5.1, 5, True, "%").met
    assert Target("c", "", 5.0, 5, False, "x").met
    assert not Target("c", "", 4.9, 5, False, "x").met


def test_docs_are_rewritten_between_the_marks_only(tmp_path):
    page = tmp_path / "speed.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write_docs(page, ["new"])
    write_docs(page, ["newer"])

    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"


def test_forks_and_spawned_processes_are_compared_row_by_row():
    def record(seconds, batch=None):
        metric = "infer_p50_s" if batch else "load_warm_s"
        entries = [{"metric": metric, "value": seconds, "batch": batch}, {"metric": "infer_p90_s", "value": 1.0}]
        return {"cell": {"model": "mlp-s", "writer": "tf-module"}, "operation": "load", "metrics": entries}

    forked = [record(0.2), record(0.3), record(0.4), record(0.01, 1), record(0.1, 32), {"type": "block"}]
    spawned = [record(0.15), record(0.01, 1), record(0.4, 32)]
    assert isolation_rows(forked, spawned) == [
        ("load_warm_s", "1", "0.50", "0.50", "0.50"),
        ("infer_p50_s", "2", "2.00", "1.00", "4.00"),
    ]


def test_the_share_of_the_clock_is_that_of_a_reading_of_several_calls():
    told = {"calls_per_reading": 4, "clock_s": 40e-9, "barrier_s": 9e-6}
    metrics = [
        {"metric": "infer_p50_s", "value": 1e-4, "batch": 1},
        {"metric": "infer_p50_s", "value": 1e-3, "batch": 32},
    ]
    record = repeat("infer", 1.0, [], metrics=metrics) | {"evidence": {"infer_b32": told, "infer_b1": told}}
    shortest, longest = windows([record, repeat("load", 1.0, [])])
    assert (shortest.batch, longest.batch) == (1, 32)
    assert shortest.clock_share == pytest.approx(1e-4)
    assert longest.barrier_share == pytest.approx(9e-3)


def test_device_need_is_as_steady_as_its_least_steady_row():
    def load(block, value, page_cache):
        metrics = [{"metric": "load_device_need_bytes", "value": value}]
        return repeat("load", 1.0, [], metrics=metrics, block=block, page_cache=page_cache)

    records = [load(0, 1000, "cold"), load(1, 1001, "cold"), load(0, 5000, "warm"), load(1, 5000, "warm")]
    assert device_need_spread(records) == pytest.approx(0.001)
    assert device_need_spread([repeat("save", 1.0, [])]) is None


def test_a_given_model_is_held_against_the_built_one_outside_the_clocks():
    def load(model, wall_s):
        phases = [phase("load", "sample", 0.5), phase("calls", "warm-up", 0.25), phase("compare", "check", 0.1)]
        return repeat("load", wall_s, phases, page_cache="warm") | {"cell": {**CELL, "model": model}}

    built, given = [load("mlp-s", 1.0), load("mlp-s", 1.25)], [load("mlp-s@0123abcd", 1.5)]
    (pair,) = pairs([*built, *given, repeat("import", 9.0, [])])
    assert (pair.model, pair.operation, pair.count) == ("mlp-s", "load warm", 1)
    assert (pair.built_s, pair.given_s) == pytest.approx((0.375, 0.75))
    assert pair.ratio == pytest.approx(2)
    with pytest.raises(RuntimeError, match="one way alone"):
        pairs(built)
