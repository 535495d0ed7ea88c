"""What commands print survives: names of any asv project, thousands of rows in a comment, old encodings."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from asv_directories import MACHINE, benchmark, commit, write_benchmarks, write_results
from shown import rows_of, texts_of
from stored_runs import NEW, OLD, blocks, project_root, store_run

from harness.cli import main
from harness.report.markdown_writer import MOST_BYTES, MarkdownWriter
from harness.report.names import one_line

SUITE = "a_package_of_benchmarks.a_module_with_a_long_name.SuiteOfTests"
PARAMETERS = ["<class 'numpy.uint64'>", "array([[1, 2],\n       [3, 4]])", "a|`b`*_c_", "'@someone #1'"]


@pytest.fixture(name="results")
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    suite = [{**benchmark(f"s.time_p{n}"), "params": [PARAMETERS], "param_names": ["p"]} for n in range(2)]
    for number in range(8):
        values = {one["name"]: [[1.0 + (number > 3)] * 5] * len(PARAMETERS) for one in suite}
        write_results(tmp_path / "results", number, values, suite)
    write_benchmarks(tmp_path / "results", *suite)
    return tmp_path / "results"


@pytest.mark.parametrize("command", ["summary", "history", "compare"])
def test_parameters_of_any_kind_come_through_every_command(
    results: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    more = {
        "compare": [commit(1), commit(6), "--verbose"],
        "summary": ["--changes", "--verbose"],
        "history": ["--verbose"],
    }[command]
    assert main([command, *more, "--results", str(results), "--format", "markdown"]) in (0, 1)
    told = capsys.readouterr().out
    rows = rows_of(told)
    assert {len(row) for row in rows} == {"summary": {6}, "history": set(), "compare": {6}}[command]
    texts = " ".join([*(cell for row in rows for cell in row), *texts_of(told)])
    for parameter in PARAMETERS:
        assert one_line(parameter) in texts
    assert "<class" not in told
    assert "@someone" not in told
    assert main([command, *more, "--results", str(results)]) in (0, 1)
    assert one_line(PARAMETERS[1]) in " ".join(capsys.readouterr().out.split())


def many(results: Path, number: int, factors: tuple[float, float]) -> list[str]:
    """Write two commits with so many benchmarks of five parameters, and return the benchmarks' names."""
    names = [f"{SUITE}{place % 10}.time_operation_{place}" for place in range(number)]
    parameters = [[str(10**power) for power in range(5)]]
    suite = {name: {**benchmark(name), "params": parameters, "param_names": ["n"]} for name in names}
    write_benchmarks(results, *suite.values())
    (results / MACHINE).mkdir()
    for side, factor_of_side in enumerate(factors):
        values = [[factor_of_side * (1 + 0.001 * sample) for sample in range(5)]] * 5
        document = {
            "version": 2,
            "commit_hash": commit(side),
            "date": 1_700_000_000_000 + side,
            "env_name": "py",
            "params": {"machine": MACHINE},
            "result_columns": ["result", "params", "version", "samples"],
            "results": {name: [[factor_of_side] * 5, parameters, "1", values] for name in names},
        }
        (results / MACHINE / f"{commit(side)[:8]}-py.json").write_text(json.dumps(document))
    return names


@pytest.mark.slow
def test_a_comparison_of_thousands_of_rows_fits_in_a_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    results = tmp_path / "results"
    names = many(results, 130, (1.0, 2.0))
    arguments = ["compare", "--results", str(results), commit(0), commit(1), "--margin", "0.2"]
    assert main([*arguments, "--format", "markdown"]) == 1
    told = capsys.readouterr().out
    assert 50_000 < len(told.encode()) <= MOST_BYTES
    assert told.index("### Changes") < told.index("### Regressions")
    assert told.partition("### Changes")[2].count("\n- ") == len(names)
    left_out = re.search(r"\*\*Left out here.*: ([\d,]+) rows\.\*\* `([^`]+)` prints", told)
    assert left_out is not None
    assert len(rows_of(told)) - 1 + int(left_out[1].replace(",", "")) == 5 * len(names)
    command = shlex.split(left_out[2])[1:]
    assert command == [*arguments, "--format", "json"]
    assert main(command) == 1
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 5 * len(names)


def test_long_names_differ_in_every_row_of_terminal_and_markdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    many(tmp_path / "results", 20, (1.0, 2.0))
    arguments = ["compare", "--results", str(tmp_path / "results"), commit(0), commit(1), "--format"]
    main([*arguments, "markdown"])
    whats = {tuple(row[:2]) for row in rows_of(capsys.readouterr().out)}
    assert len(whats) == 1 + 100
    assert max(len(what) for what, _ in whats) <= 60
    main([*arguments, "table", "--verbose"])
    told = capsys.readouterr().out
    assert "--format json has them whole" in " ".join(told.split())
    for place in range(20):
        assert re.search(rf"operation_{place}:", told)


@pytest.mark.parametrize(("encoding", "sign"), [("ascii", "->"), ("latin-1", "->"), ("utf-8", "→")])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_encoding_that_lacks_a_character_gets_another_one(
    encoding: str, sign: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, stream, io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    # An argument that is no UTF-8 reaches Python as half of a character.
    assert main(["compare", "a", "b", "--results", "no-→-\udcff-µ-▁█"]) == 3
    print("bars ▁█ → \udcff", file=getattr(sys, stream))
    told = raw.getvalue().decode(encoding)
    assert f"{sign} ?" in told
    assert ("bars _#" in told) == (encoding != "utf-8")


@pytest.mark.parametrize("form", ["table", "markdown", "json", "csv"])
def test_files_are_utf_8_whatever_the_terminal_is(
    results: Path, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    path = tmp_path / "report"
    assert main(["summary", "--results", str(results), "--format", form, "--output", str(path)]) == 0
    assert ("▁" in path.read_text(encoding="utf-8")) == (form in ("table", "markdown"))


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_root(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


def test_records_of_many_models_fit_in_a_comment_with_all_that_stands_below(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        {**record, "cell": {**record["cell"], "model": f"mlp-<{number}>{'-' * 500}"}} if record.get("cell") else record
        for number in range(110)
        for record in blocks({OLD: [1.0], NEW: [2.0]})[: None if number == 109 else 2]
    ]
    store_run(root, records)
    assert main(["summary", "--format=markdown", "--changes", "--output", "report.md"]) == 0
    assert capsys.readouterr().out == ""
    told = (root / "report.md").read_text(encoding="utf-8")
    assert len(told.encode()) <= MOST_BYTES
    assert "mlp-&lt;" in told
    assert "## Over releases" in told
    assert "Not shown: 82 lines" in told
    assert all(len(row) == 6 for row in rows_of(told))


def test_a_finding_without_a_place_or_a_ratio_is_a_whole_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    suite = [benchmark("s.time_plain"), benchmark("s.time_far"), benchmark("s.time_pair", [[1, 2]])]
    write_benchmarks(tmp_path / "results", *suite)
    for number, factor_of_side in enumerate((1.0, 3.0)):
        noisy = [factor_of_side * (1 + 0.001 * sample) for sample in range(6)]
        values = {"s.time_plain": noisy, "s.time_pair": [noisy, noisy], "s.time_far": [1e-30, 1e300][number]}
        values["s.time_far"] = [values["s.time_far"] * (1 + 0.001 * sample) for sample in range(6)]
        write_results(tmp_path / "results", number, values, suite)
    assert main(["compare", "--results", str(tmp_path / "results"), commit(0), commit(1), "--verbose"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "s.time_plain: slower, x3.00 (q <0.001)." in told
    assert "s.time_pair: slower in 2 rows, x3.00 .. x3.00, most in " in told
    assert "s.time_far: slower, from 1.00e-21 ns to 1.00e+300 s (q <0.001)." in told


def test_the_command_that_has_everything_reads_the_run_that_was_judged(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MarkdownWriter, "text", lambda writer: writer.everything)
    run = store_run(root, blocks({OLD: [1.0] * 5, NEW: [2.0] * 5}))
    chosen = ["--run", str(run.path.relative_to(root)), "--device", "cpu", "--model", "mlp-*"]
    margin = ["--margin", "load_*=0.5"]
    main(["compare", OLD[1:], NEW, *chosen, *margin, "--format", "markdown"])
    command = shlex.split(capsys.readouterr().out)[1:]
    assert command == ["compare", OLD, NEW, *chosen, *margin, "--format", "json"]
    main(command)
    assert json.loads(capsys.readouterr().out)["rows"]
