"""The projection into asv's result files, read by the real asv."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from asv.config import Config
from asv.results import Results
from asv.util import UserError
from machine_pythons import machine_with
from stored_runs import CELL, MACHINE, NEW, OLD, block_end, blocks, project_root, repeat, store_run

from harness.asv import environment as asv_environment
from harness.asv.environment import ReleaseEnvironment
from harness.asv.projection import project
from harness.machine.identity import describe_machine
from harness.releases.manifest import read_manifest
from harness.store.records import Problem, Record
from harness.worker import WORKER_VERSION

pytestmark = pytest.mark.slow  # asv discovers the benchmarks in a process of its own, test by test

ENVIRONMENT = "tf-cpu-today-py311"
LOAD = "savedmodel.track_load_warm_s"


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return project_root(tmp_path / "project")


def result_path(root: Path, release: str = NEW) -> Path:
    ident = read_manifest(root / "releases.toml").find(release).ident
    return root / "results" / "asv" / MACHINE / f"{ident[:8]}-{ENVIRONMENT}.json"


def stored(root: Path, release: str = NEW, benchmark: str = LOAD) -> dict[tuple[str, ...], tuple[Any, Any]]:
    """Return (value, samples) by parameters, read as asv reads them."""
    results = Results.load(str(result_path(root, release)), machine_name=MACHINE)
    benchmarks = json.loads((root / "results" / "asv" / "benchmarks.json").read_text())
    parameters = benchmarks[benchmark]["params"]
    names = [()]
    for values in parameters:
        names = [(*name, value.strip("'")) for name in names for value in values]
    value = results.get_result_value(benchmark, parameters)
    samples = results.get_result_samples(benchmark, parameters)
    return dict(zip(names, zip(value, samples, strict=True), strict=True))


def asv(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "asv", *arguments], cwd=root, capture_output=True, text=True, check=False, env=os.environ
    )


def of(model: str) -> tuple[str, str, str]:
    return "cpu", model, "tf-module/tf-load"


def models(values: Sequence[float], *names: str, subject: str = NEW) -> list[Record]:
    """Return complete blocks in which every named model has these samples."""
    records = []
    for block, value in enumerate(values):
        records += [repeat(value, subject=subject, block=block, cell={**CELL, "model": name}) for name in names]
        records.append(block_end(block))
    return records


def test_asv_compares_shows_and_publishes_what_was_measured_in_blocks(root: Path) -> None:
    store_run(root, blocks({OLD: [0.10, 0.11, 0.12] * 4, NEW: [0.30, 0.31, 0.32] * 4}))
    assert project(root) == [result_path(root, OLD), result_path(root, NEW)]
    compared = asv(root, "compare", OLD, NEW)
    (row,) = (line for line in compared.stdout.splitlines() if "track_load_warm_s('cpu', 'mlp-s'" in line)
    assert [cell.strip() for cell in row.split("|")][1:5] == ["+", "110±10ms", "310±10ms", "2.82"]
    shown = asv(root, "show", NEW)
    assert "310±10ms" in shown.stdout
    assert f"[{MACHINE}/{ENVIRONMENT}]" in shown.stdout
    assert asv(root, "publish").returncode == 0
    graphs = list(
        (root / "results" / "html" / "graphs").glob(f"**/machine-{MACHINE}/**/savedmodel.track_load_warm_s.json")
    )
    assert len(graphs) == 1


def test_the_projection_and_asv_run_share_one_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setenv("SAVEDMODEL_BENCH_WHEEL", "cpu")
    conf = Config.load(str(root / "asv.conf.json"))
    monkeypatch.setattr(asv_environment, "asked_pythons", set())
    assert ReleaseEnvironment(conf, "3.11", {}, {}).name == ENVIRONMENT
    machine_with(monkeypatch, "3.13", "3.12")
    assert ReleaseEnvironment(conf, conf.pythons[0], {}, {}).name == ENVIRONMENT.replace("py311", "py312")
    with pytest.raises(UserError, match=r"'3' is not a minor version of Python"):
        ReleaseEnvironment(conf, "3", {}, {})


def test_spawned_runs_are_not_projected(root: Path) -> None:
    store_run(root, blocks({OLD: [1.0]}), subjects=(OLD,), isolation="spawn")
    assert project(root) == []
    store_run(root, blocks({NEW: [2.0, 2.0]}), subjects=(NEW,), isolation="fork")
    store_run(root, blocks({NEW: [1.0, 1.0]}), subjects=(NEW,), preset="full", isolation="spawn")
    assert project(root) == [result_path(root)]
    assert stored(root)[of("mlp-s")] == (2.0, [2.0, 2.0])


def test_runs_of_other_worker_versions_are_not_projected(root: Path) -> None:
    for version in (WORKER_VERSION - 1, WORKER_VERSION + 1, None):
        store_run(root, blocks({OLD: [1.0], NEW: [1.0]}), preset="full", worker_version=version)
    problems: list[Problem] = []
    assert project(root, problems) == []
    store_run(root, blocks({NEW: [2.0, 2.0]}), subjects=(NEW,))
    assert project(root, problems) == [result_path(root)]
    assert stored(root)[of("mlp-s")] == (2.0, [2.0, 2.0])
    assert {str(problem) for problem in problems} == {
        f"{root / 'results' / 'runs'}: 3 of its runs are of other worker versions than {WORKER_VERSION}, whose numbers "
        "can mean something else (skipped, left as it is)"
    }
    benchmarks = json.loads((root / "results" / "asv" / "benchmarks.json").read_text())
    assert benchmarks[LOAD]["version"] == str(WORKER_VERSION)


def test_a_file_of_the_projection_is_the_one_that_asv_itself_would_write(root: Path) -> None:
    store_run(root, blocks({NEW: [1.0, 3.0, 2.0]}))
    project(root)
    results = Results.load(str(result_path(root)), machine_name=MACHINE)
    release = read_manifest(root / "releases.toml").find(NEW)
    assert results.commit_hash == release.ident
    assert results.env_name == ENVIRONMENT
    assert results.date == int(time.mktime((*release.date.timetuple()[:6], 0, 0, 0)) - time.timezone) * 1000
    assert results.params == {
        "machine": MACHINE, "os": "Linux 6.1", "arch": "x86_64", "cpu": "Some CPU", "num_cpu": "2",
        "ram": str(2**34), "python": "3.11",
    }  # fmt: skip
    assert stored(root)[of("mlp-s")] == (2.0, [1.0, 3.0, 2.0])
    statistics = results.get_result_stats(LOAD, results.get_result_params(LOAD))[stored_index(root, of("mlp-s"))]
    assert statistics["q_25"] == 1.5
    assert statistics["repeat"] == 3


def stored_index(root: Path, parameters: tuple[str, ...]) -> int:
    return list(stored(root)).index(parameters)


def test_projecting_again_writes_nothing(root: Path) -> None:
    store_run(root, blocks({OLD: [1.0], NEW: [1.0]}))
    assert len(project(root)) == 2
    assert project(root) == []


def test_a_smaller_run_after_a_larger_one_takes_nothing_from_it(root: Path) -> None:
    store_run(root, models([1.0, 1.0], "mlp-s", "conv-s"), preset="nightly")
    project(root)
    store_run(root, models([2.0, 2.0], "mlp-s", "transformer-s"), preset="quick")
    project(root)
    after = stored(root)
    assert after[of("conv-s")] == (1.0, [1.0, 1.0])
    assert after[of("mlp-s")] == (1.0, [1.0, 1.0])
    assert after[of("transformer-s")] == (2.0, [2.0, 2.0])


def test_of_equally_wide_runs_the_newest_counts(root: Path) -> None:
    store_run(root, models([1.0], "mlp-s", "conv-s"))
    time.sleep(0.002)
    store_run(root, models([2.0], "mlp-s"))
    project(root)
    assert stored(root)[of("mlp-s")] == (2.0, [2.0])
    assert stored(root)[of("conv-s")] == (1.0, [1.0])


def test_after_a_changed_lock_even_a_narrower_run_counts(root: Path) -> None:
    store_run(root, models([1.0], "mlp-s", "conv-s"), preset="full", lock="sha256:old")
    time.sleep(0.002)
    store_run(root, models([2.0], "mlp-s"), preset="quick", lock="sha256:new")
    project(root)
    assert stored(root)[of("mlp-s")] == (2.0, [2.0])
    assert stored(root)[of("conv-s")] == (1.0, [1.0])


@pytest.mark.parametrize("change", [{"state": "interrupted"}, {"state": "running"}, {"kind": "speed"}])
def test_what_is_not_a_complete_run_of_releases_is_not_projected(root: Path, change: dict[str, str]) -> None:
    store_run(root, blocks({NEW: [1.0]}), **change)
    assert project(root) == []
    assert not (root / "results" / "asv").exists()


def test_tainted_blocks_leave_the_older_value(root: Path) -> None:
    store_run(root, models([1.0, 1.0], "mlp-s", "conv-s"))
    time.sleep(0.002)
    store_run(root, [repeat(9.0, taints=["steal: 30 % of CPU time"]), block_end()])
    project(root)
    assert stored(root)[of("mlp-s")] == (1.0, [1.0, 1.0])


def test_reference_runs_of_other_machines_stay_out_of_asvs_way(root: Path) -> None:
    run = store_run(root, blocks({OLD: [1.0], NEW: [1.0]}), machine="reference-box")
    (root / "results" / "reference").mkdir()
    run.path.parent.rename(root / "results" / "reference" / "reference-box")
    assert project(root) == []


def test_unsupported_is_na_failed_is_failed_and_neither_replaces_a_value(root: Path) -> None:
    conv, transformer = {**CELL, "model": "conv-s"}, {**CELL, "model": "transformer-s"}
    outcome = [
        repeat(1.0),
        repeat(None, cell=conv, status="unsupported", reason="unsupported: AttributeError: no"),
        repeat(None, cell=transformer, status="failed", reason="timeout"),
        block_end(),
    ]
    store_run(root, outcome)
    project(root)
    values = {name: value for name, (value, _) in stored(root).items()}
    assert values[of("mlp-s")] == 1.0
    assert math.isnan(values[of("conv-s")])
    assert values[of("transformer-s")] is None
    assert math.isnan(values[of("mlp-m")])
    time.sleep(0.002)
    store_run(root, models([5.0], "conv-s", "transformer-s"), preset="asv")
    project(root)
    time.sleep(0.002)
    store_run(root, outcome)
    project(root)
    assert stored(root)[of("conv-s")] == (5.0, [5.0])
    assert stored(root)[of("transformer-s")] == (5.0, [5.0])


def test_what_only_asv_run_has_measured_stays(root: Path) -> None:
    store_run(root, models([1.0], "mlp-s", "conv-s"))
    project(root)
    path = result_path(root)
    document = json.loads(path.read_text())
    column = document["result_columns"].index("result")
    row = document["results"][LOAD]
    row[column][stored_index(root, of("mlp-xs"))] = 0.5
    document["results"]["savedmodel.track_by_hand"] = [[42.0], [], "1"]
    path.write_text(json.dumps(document))
    store_run(root, models([3.0], "mlp-s"))
    assert project(root) == [path]
    assert stored(root)[of("mlp-xs")][0] == 0.5
    assert stored(root)[of("mlp-s")][0] == 3.0
    assert json.loads(path.read_text())["results"]["savedmodel.track_by_hand"][column] == [42.0]


@pytest.mark.parametrize("content", ["", '{"commit_hash": "ab', '{"version": 2, "mine": true}', "[]", "\x00\x01"])
def test_a_foreign_or_cut_file_is_named_and_never_overwritten(root: Path, content: str) -> None:
    path = result_path(root)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    store_run(root, blocks({OLD: [1.0], NEW: [1.0]}))
    problems: list[Problem] = []
    assert project(root, problems) == [result_path(root, OLD)]
    assert path.read_text() == content
    assert [problem.path for problem in problems] == [path]


def test_text_in_place_of_a_number_is_replaced_by_what_is_measured(root: Path) -> None:
    store_run(root, models([1.0], "mlp-s", "mlp-m"), subjects=(NEW,))
    project(root)
    path = result_path(root)
    document = json.loads(path.read_text())
    row, column = document["results"][LOAD], document["result_columns"].index("result")
    row[column] = ["fast"] * len(row[column])
    path.write_text(json.dumps(document))
    failed = repeat(None, subject=NEW, status="failed", operation="load", cell={**CELL, "model": "mlp-xs"})
    store_run(root, [*models([2.0], "mlp-s")[:-1], failed, block_end(0)], subjects=(NEW,))
    assert project(root) == [path]
    assert stored(root)[of("mlp-s")][0] == 2.0


def test_a_file_of_another_release_under_this_ones_name_is_left_alone(root: Path) -> None:
    store_run(root, blocks({OLD: [1.0], NEW: [1.0]}))
    project(root)
    path = result_path(root)
    path.write_bytes(result_path(root, OLD).read_bytes())
    before = path.read_bytes()
    problems: list[Problem] = []
    assert project(root, problems) == []
    assert path.read_bytes() == before
    assert [problem.path for problem in problems] == [path]


@pytest.mark.parametrize("content", ["{", "5", '{"version": 1, "machine": "somebody-elses"}', '{"version": "1"}'])
def test_a_foreign_machine_file_is_named_and_never_overwritten(root: Path, content: str) -> None:
    path = root / "results" / "asv" / MACHINE / "machine.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    store_run(root, blocks({NEW: [1.0]}), subjects=(NEW,))
    problems: list[Problem] = []
    assert project(root, problems) == []
    assert path.read_text() == content
    assert [problem.path for problem in problems] == [path]


def test_a_foreign_list_of_benchmarks_is_named_and_never_overwritten(root: Path) -> None:
    path = root / "results" / "asv" / "benchmarks.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"mine": 1}')
    store_run(root, blocks({NEW: [1.0]}), subjects=(NEW,))
    problems: list[Problem] = []
    assert project(root, problems) == [result_path(root)]
    assert path.read_text() == '{"mine": 1}'
    assert [problem.path for problem in problems] == [path]


def test_the_machine_is_described_as_asv_was_told(root: Path) -> None:
    home = root.parent / "home"
    home.mkdir()
    entry = {"machine": MACHINE, "os": "Linux", "arch": "x86_64", "cpu": "as told", "num_cpu": "2", "ram": "1"}
    (home / ".asv-machine.json").write_text(json.dumps({"version": 1, MACHINE: entry}))
    store_run(root, blocks({NEW: [1.0]}))
    project(root)
    assert Results.load(str(result_path(root))).params["cpu"] == "as told"


def test_a_release_that_left_releases_toml_is_named(root: Path) -> None:
    store_run(root, blocks({OLD: [1.0], NEW: [1.0]}))
    path = root / "releases.toml"
    text = path.read_text()
    kept = [part for part in text.split("[[release]]") if f'"{OLD[1:]}"' not in part]
    path.write_text("[[release]]".join(kept))
    problems: list[Problem] = []
    assert project(root, problems) == [result_path(root)]
    assert any(OLD in problem.text for problem in problems)


def test_a_release_against_itself_and_a_profile_are_no_history(root: Path) -> None:
    run = store_run(root, blocks({NEW: [1.0], f"{NEW}#2": [7.0], f"{NEW}@xla": [9.0]}), subjects=(NEW,))
    (subject,) = run.facts["subjects"]
    run.updated(subjects=[subject, {**subject, "name": f"{NEW}#2"}, {**subject, "name": f"{NEW}@xla"}])
    project(root)
    assert stored(root)[of("mlp-s")] == (1.0, [1.0])
    assert len(list((root / "results" / "asv" / MACHINE).glob("*-*.json"))) == 1


def settle(root: Path) -> None:
    """Give asv an empty home and a plugin that settles the machine's name."""
    (root.parent / "home").mkdir()
    (root / "settle.py").write_text("from harness.asv.machine_file import settle_machine_name as setup")
    configuration = root / "asv.conf.json"
    configuration.write_text(configuration.read_text().replace('"plugins": [', '"plugins": [".settle", '))


def known_machines(root: Path) -> dict[str, Any]:
    return dict(json.loads((root.parent / "home" / ".asv-machine.json").read_text()))


def test_asv_and_the_project_call_this_machine_the_same_whoever_comes_first(root: Path) -> None:
    settle(root)
    before = describe_machine()
    assert asv(root, "machine", "--yes").returncode == 0
    entry = known_machines(root)[before.name]
    assert entry["machine"] == before.name
    assert entry["ram"] == str(before.memory_bytes)
    assert describe_machine().name == before.name
    # Another project's machine in the same file must not make asv lose this one.
    path = root.parent / "home" / ".asv-machine.json"
    path.write_text(json.dumps({**known_machines(root), "elsewhere": {**entry, "machine": "elsewhere"}}))
    assert describe_machine().name == before.name
    found = asv(root, "find", "v2.20.0..v2.21.0", "savedmodel.nothing")
    assert "No information stored" not in found.stdout + found.stderr


def test_a_machine_name_given_to_asv_is_kept(root: Path) -> None:
    settle(root)
    assert asv(root, "machine", "--yes", "--machine", "mine").returncode == 0
    assert set(known_machines(root)) == {"mine", "version"}
    assert describe_machine().name == "mine"


def test_asv_does_not_take_the_name_of_another_machine_that_shares_the_home(root: Path) -> None:
    settle(root)
    theirs = {"machine": "theirs", "cpu": "Another CPU", "num_cpu": "512", "ram": "1"}
    (root.parent / "home" / ".asv-machine.json").write_text(json.dumps({"version": 1, "theirs": theirs}))
    found = asv(root, "find", "v2.20.0..v2.21.0", "savedmodel.nothing")
    assert f"No information stored about machine '{describe_machine().name}'" in found.stdout + found.stderr
    assert asv(root, "machine", "--yes").returncode == 0
    assert set(known_machines(root)) == {"theirs", describe_machine().name, "version"}
