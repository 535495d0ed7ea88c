"""Any asv project's result directory, read as tables: by asv's own writer, in layout 1 by hand, and damaged."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from asv.results import Results
from asv_directories import (
    DAY_MS,
    ENVIRONMENT,
    MACHINE,
    MEMORY,
    PLANE,
    START_MS,
    TIME,
    TRACK,
    benchmark,
    commit,
    results_of,
    rows,
    samples,
    write_benchmarks,
    write_first_layout,
    write_machine,
    write_results,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.asv.directory import read_asv_directory
from harness.asv.result_file import Status, join_parameters, parse_result_file
from harness.errors import UsageError

ALL = (TIME, PLANE, MEMORY, TRACK)


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return results_of(tmp_path, monkeypatch, *ALL)


def test_every_value_is_a_row_with_its_commit_environment_and_parameters(results: Path) -> None:
    grid = [[1.0, 3.0, 2.0], None, math.nan, [4.0, 4.0]]
    write_results(results, 2, {TIME["name"]: [0.1, 0.3], PLANE["name"]: grid, TRACK["name"]: 7.0}, ALL)
    history = read_asv_directory(results)
    assert rows(history, "benchmark", "parameters", "unit", "status", "count") == [
        ("suite.time_solve", "", "seconds", "ok", 2),
        ("suite.Grid.time_fill", "10, 'csr'", "seconds", "ok", 3),
        ("suite.Grid.time_fill", "10, 'csc'", "seconds", "failed", 0),
        ("suite.Grid.time_fill", "20, 'csr'", "seconds", "n/a", 0),
        ("suite.Grid.time_fill", "20, 'csc'", "seconds", "ok", 2),
        ("suite.track_score", "", "points", "ok", 0),
    ]
    np.testing.assert_array_equal(history.values["value"], [0.2, 2.0, math.nan, math.nan, 4.0, 7.0])
    assert samples(history, PLANE["name"], "10, 'csr'") == [[1.0, 3.0, 2.0]]
    assert set(rows(history, "machine", "environment", "python", "commit", "version")) == {
        (MACHINE, ENVIRONMENT, "3.11", commit(2), "1")
    }
    assert history.values["date"].astype("int64").unique().tolist() == [START_MS + 2 * DAY_MS]
    assert history.problems == ()


def test_results_of_all_machines_and_environments_come_in_order_of_their_commits(results: Path) -> None:
    for number in (3, 1, 2):
        write_results(results, number, {TIME["name"]: [1.0]}, ALL)
    write_results(results, 1, {TIME["name"]: [1.0]}, ALL, environment="virtualenv-py3.12")
    write_results(results, 1, {TIME["name"]: [1.0]}, ALL, machine="box")
    assert rows(read_asv_directory(results), "machine", "environment", "commit") == [
        ("box", ENVIRONMENT, commit(1)),
        (MACHINE, ENVIRONMENT, commit(1)), (MACHINE, ENVIRONMENT, commit(2)), (MACHINE, ENVIRONMENT, commit(3)),
        (MACHINE, "virtualenv-py3.12", commit(1)),
    ]  # fmt: skip


def test_layout_1_reads_as_what_asv_makes_of_it(results: Path) -> None:
    stats = {"ci_99": [1.0, 2.0], "q_25": 1.1, "q_75": 1.9, "number": 1, "repeat": 2}
    old = {
        "suite.time_bare": 0.5,
        "suite.time_null": None,
        TIME["name"]: {"result": [1.5], "samples": [[1.0, 2.0]], "stats": [stats]},
        PLANE["name"]: {"params": PLANE["params"], "result": [1.0, None, math.nan, 2.0]},
    }
    file = write_first_layout(results, 1, old, versions={TIME["name"]: "abc"})
    first = read_asv_directory(results, cached=False)
    columns = ("benchmark", "version", "parameters", "status", "value", "count")
    assert rows(first, *columns[:4], "count") == [
        ("suite.time_bare", "", "", "ok", 0),
        ("suite.time_null", "", "", "failed", 0),
        ("suite.time_solve", "abc", "", "ok", 2),
        ("suite.Grid.time_fill", "", "10, 'csr'", "ok", 0),
        ("suite.Grid.time_fill", "", "10, 'csc'", "failed", 0),
        ("suite.Grid.time_fill", "", "20, 'csr'", "n/a", 0),
        ("suite.Grid.time_fill", "", "20, 'csc'", "ok", 0),
    ]
    assert samples(first, TIME["name"]) == [[1.0, 2.0]]
    Results.update(str(file))  # asv's own `asv update`
    assert json.loads(file.read_text())["version"] == 2
    updated = read_asv_directory(results, cached=False)
    assert sorted(map(str, rows(updated, *columns))) == sorted(map(str, rows(first, *columns)))


def test_a_benchmark_that_failed_for_all_its_parameters_has_a_failed_row_for_each(results: Path) -> None:
    write_results(results, 1, {PLANE["name"]: [None] * 4}, ALL)
    assert rows(read_asv_directory(results), "status") == [("failed",)] * 4


def test_a_benchmark_of_layout_1_that_failed_for_all_its_parameters_has_a_failed_row_for_each(results: Path) -> None:
    old = {PLANE["name"]: {"params": PLANE["params"], "result": None}, TIME["name"]: {"params": [], "result": None}}
    write_first_layout(results, 1, old)
    history = read_asv_directory(results)
    assert rows(history, "status") == [("failed",)] * 5
    assert history.problems == ()


def test_text_for_nan_is_not_applicable_as_nan_is(results: Path) -> None:
    file = write_results(results, 1, {PLANE["name"]: [[1.0], [2.0], [3.0], [4.0]]}, ALL)
    document = json.loads(file.read_text())
    column = document["result_columns"].index("result")
    document["results"][PLANE["name"]][column] = [
        "NaN",
        "nan",
        "Infinity",
        math.inf,
    ]
    file.write_text(json.dumps(document))
    history = read_asv_directory(results)
    assert rows(history, "status") == [("n/a",), ("n/a",), ("unusable",), ("unusable",)]
    assert "2 of 4 values" in history.problems[0].text


@pytest.mark.parametrize("version", [2, 2.0, "2", " 2 "])
def test_a_layout_of_another_type_is_read_as_the_number_that_it_is(results: Path, version: object) -> None:
    file = write_results(results, 1, {TIME["name"]: [1.0]}, ALL)
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": version}))
    assert rows(read_asv_directory(results), "value") == [(1.0,)]


def test_versions_of_benchmarks_are_the_same_whatever_their_type(results: Path) -> None:
    for number, version in enumerate((1, 1.0, "1")):
        write_results(results, number, {TIME["name"]: [1.0]}, [benchmark(TIME["name"], version=version)])
    write_benchmarks(results, benchmark(TIME["name"], version=1), {**benchmark("suite.track_x"), "param_names": 5})
    history = read_asv_directory(results)
    assert set(rows(history, "version")) == {("1",)}
    assert {name: one.version for name, one in history.definitions.items()} == {TIME["name"]: "1", "suite.track_x": "1"}


def test_a_whole_number_of_any_length_is_read_with_its_file(results: Path) -> None:
    file = write_results(results, 1, {TIME["name"]: [1.0], TRACK["name"]: 77.0}, ALL)
    file.write_text(file.read_text().replace("77.0", "9" * 5000))
    history = read_asv_directory(results)
    assert rows(history, "benchmark", "status") == [(TIME["name"], "ok"), (TRACK["name"], "unusable")]


def test_half_of_a_character_in_a_name_does_not_keep_the_rest_from_being_read(results: Path) -> None:
    file = write_results(results, 1, {PLANE["name"]: [[1.0]] * 4, TIME["name"]: [1.0]}, ALL)
    file.write_text(file.read_text().replace('"10"', '"\\ud83d"').replace("suite.time", "\\udc00.time"))
    history = read_asv_directory(results)
    assert {name for (name,) in rows(history, "benchmark")} == {PLANE["name"], "?.time_solve"}
    assert ("?, 'csr'",) in rows(history, "parameters")


@settings(deadline=None)
@given(
    one=st.lists(st.text("a', \"[]<\\", max_size=6), max_size=3),
    other=st.lists(st.text("a', \"[]<", max_size=6), max_size=3),
)
@example(["a, b", "c"], ["a", "b, c"])
@example(['["a", "b"]'], ["a", "b"])
@example([""], [])
def test_two_lists_of_parameters_never_join_to_one_text(one: list[str], other: list[str]) -> None:
    assert (join_parameters(one) == join_parameters(other)) == (one == other)


@pytest.mark.parametrize(
    "values", [["10", "'csr'"], ["(1, 2)", "'a, b'"], ["<class 'int'>"], ["array([[1, 2],\n [3, 4]])", "1"]]
)
def test_usual_parameters_join_as_asv_writes_them(values: list[str]) -> None:
    assert join_parameters(values) == ", ".join(values)


def test_parameters_that_join_alike_or_read_alike_are_rows_of_their_own(results: Path) -> None:
    odd = {**PLANE, "params": [["a, b", "a"], ["c", "b, c"]]}
    twins = {**benchmark("suite.time_twins"), "params": [["<lambda>", "<lambda>"]], "param_names": ["f"]}
    write_results(results, 1, {odd["name"]: [[1.0], [2.0], [3.0], [4.0]], twins["name"]: [[5.0], [6.0]]}, [odd, twins])
    history = read_asv_directory(results)
    assert len(set(rows(history, "benchmark", "parameters"))) == 6
    assert rows(history, "parameters")[-2:] == [("<lambda> (0)",), ("<lambda> (1)",)]


def test_of_two_files_of_one_commit_the_one_that_asv_writes_counts_and_both_are_named(results: Path) -> None:
    first = write_results(results, 1, {TIME["name"]: [1.0], PLANE["name"]: [[1.0], math.nan, [1.0], None]}, ALL)
    later = results / MACHINE / f"{commit(1)[:12]}-{ENVIRONMENT}-copy.json"
    later.write_text(first.read_text())
    write_results(results, 1, {TIME["name"]: [2.0], PLANE["name"]: [math.nan, [2.0], None, math.nan]}, ALL)
    history = read_asv_directory(results)
    columns = ("benchmark", "parameters", "status", "value")
    fill, solve = PLANE["name"], TIME["name"]
    assert {row[:2]: (row[2], str(row[3])) for row in rows(history, *columns)} == {
        (solve, ""): ("ok", "2.0"), (fill, "10, 'csr'"): ("ok", "1.0"), (fill, "10, 'csc'"): ("ok", "2.0"),
        (fill, "20, 'csr'"): ("failed", "nan"), (fill, "20, 'csc'"): ("failed", "nan"),
    }  # fmt: skip
    assert len(history.values) == 5
    assert samples(history, PLANE["name"], "10, 'csc'") == [[2.0]]
    (problem,) = history.problems
    assert problem.path == later
    assert f"{MACHINE}/{first.name} counts" in str(problem)


def test_versions_and_parameters_that_changed_are_series_of_their_own(results: Path) -> None:
    write_results(results, 1, {TIME["name"]: [1.0], PLANE["name"]: [[1.0]] * 4}, ALL)
    later = (benchmark(TIME["name"], version="2"), benchmark(PLANE["name"], [[20, 30]]))
    write_results(results, 2, {TIME["name"]: [9.0], PLANE["name"]: [[5.0], [6.0]]}, later)
    history = read_asv_directory(results)
    key = history.values[["benchmark", "version", "parameters"]].astype(str).drop_duplicates()
    assert len(key) == 1 + 4 + 1 + 2


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "\x00\x01", '{"version": 2}', "[" * 10**5,
        '{"commit_hash": "ab", "results": {}, "version": 3}',
        '{"commit_hash": "ab", "results": {}, "version": 2}',
        '{"commit_hash": 5, "results": {}, "version": 2}',
        '{"commit_hash": "ab", "results": {"suite.time_x": ["1"]}, "result_columns": ["version"], "version": 2}',
        '{"commit_hash": "ab", "results": {}, "result_columns": ["result"], "version": true}',
    ],
)  # fmt: skip
def test_a_cut_or_foreign_file_is_named_and_the_rest_is_read(results: Path, content: str) -> None:
    write_results(results, 1, {TIME["name"]: [1.0]}, ALL)
    bad = results / MACHINE / "0badf00d-env.json"
    bad.write_text(content)
    for _ in range(2):  # from the file, then from the cache
        history = read_asv_directory(results)
        assert [problem.path for problem in history.problems] == [bad]
        assert rows(history, "value") == [(1.0,)]
    assert bad.read_text() == content


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.999])
def test_a_file_cut_at_any_place_is_named(results: Path, cut: float) -> None:
    write_results(results, 1, {TIME["name"]: [1.0]}, ALL)
    file = write_results(results, 2, {TIME["name"]: [1.0], PLANE["name"]: [[1.0]] * 4}, ALL)
    data = file.read_bytes().rstrip()
    file.write_bytes(data[: int(len(data) * cut)])
    history = read_asv_directory(results)
    assert [problem.path for problem in history.problems] == [file]
    assert rows(history, "commit") == [(commit(1),)]


def test_a_benchmark_that_makes_no_sense_is_named_and_its_neighbours_are_read(results: Path) -> None:
    file = write_results(results, 1, {TIME["name"]: [1.0], PLANE["name"]: [[1.0]] * 4, TRACK["name"]: 1.0}, ALL)
    document = json.loads(file.read_text())
    column = document["result_columns"].index("result")
    document["results"][PLANE["name"]][column] = [1.0, 2.0]
    document["results"]["suite.odd"] = 5
    document["results"]["suite.params"] = [[1.0], [5], "1"]
    document["results"][TRACK["name"]][column] = ["fast"]
    document["results"]["suite.track_huge"] = [[10**400], [], "1"]
    document["results"]["suite.track_bool"] = [[True], [], "1"]
    document["result_columns"].append("column_of_a_newer_asv")
    file.write_text(json.dumps(document))
    history = read_asv_directory(results)
    assert [problem.text.split()[0] for problem in history.problems] == [
        PLANE["name"], TRACK["name"], "suite.odd", "suite.params", "suite.track_huge", "suite.track_bool",
    ]  # fmt: skip
    assert history.problems[1].text == "suite.track_score has no finite number in 1 of 1 values, but 'fast'"
    assert rows(history, "benchmark", "status") == [
        ("suite.time_solve", "ok"), ("suite.track_score", "unusable"), ("suite.track_huge", "unusable"),
        ("suite.track_bool", "unusable"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [None, "{", "[]", '{"suite.time_solve": 5}'])
def test_without_a_list_of_benchmarks_units_come_from_asvs_naming(results: Path, content: str | None) -> None:
    write_results(results, 1, {TIME["name"]: [1.0], MEMORY["name"]: 5.0, TRACK["name"]: 1.0}, ALL)
    path = results / "benchmarks.json"
    path.unlink() if content is None else path.write_text(content)
    history = read_asv_directory(results)
    assert rows(history, "unit") == [("seconds",), ("bytes",), ("",)]
    (problem,) = history.problems
    assert problem.path == path
    assert "units are guessed" in str(problem)


@pytest.mark.parametrize("make", ["nothing", "empty", "file", "foreign"])
def test_what_is_no_result_directory_is_told_in_a_sentence(tmp_path: Path, make: str) -> None:
    path = tmp_path / "place"
    if make == "file":
        path.write_text("x")
    elif make != "nothing":
        (path / "sub").mkdir(parents=True)
    if make == "foreign":
        (path / "sub" / "package.json").write_text('{"name": "x"}')
    with pytest.raises(UsageError, match="results_dir"):
        read_asv_directory(path, cached=False)


def test_a_machines_own_folder_will_do(results: Path) -> None:
    write_results(results, 1, {MEMORY["name"]: 5.0, "x": 1}, ALL)
    assert rows(read_asv_directory(results / MACHINE), "machine", "unit") == [(MACHINE, "bytes")]


def test_a_directory_with_nothing_but_failures_can_be_read(results: Path) -> None:
    write_results(results, 1, {}, ALL)
    history = read_asv_directory(results)
    assert len(history.values) == 0
    write_machine(results, "other")
    shutil.rmtree(results / "other")
    assert read_asv_directory(results).problems == ()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)
PARTS = st.sampled_from(["result", "params", "version", "samples", "other"])


@given(
    layout=st.sampled_from([1, 2]),
    columns=st.permutations(["result", "params", "version", "samples", "other"]),
    results=st.dictionaries(st.text(max_size=3), ANYTHING | st.dictionaries(PARTS, ANYTHING), max_size=3),
    more=st.fixed_dictionaries({}, optional=dict.fromkeys(("date", "params", "env_name", "python"), ANYTHING)),
)
def test_no_document_makes_the_reader_stumble(
    layout: int, columns: list[str], results: dict[str, object], more: dict[str, object]
) -> None:
    document = {"version": layout, "commit_hash": "ab", "result_columns": columns, "results": results, **more}
    content = parse_result_file(json.dumps(document).encode())
    left_out = [flaw for flaw in content.flaws if "has no finite number" not in flaw]
    assert len(content.entries) + len(left_out) == len(results)
    for entry in content.entries:
        assert len(entry.values) == len(entry.statuses) == len(entry.parameters)
        assert entry.samples is None or len(entry.samples) == len(entry.parameters)
        assert all(
            math.isfinite(v) == (status == Status.OK) for v, status in zip(entry.values, entry.statuses, strict=True)
        )
