"""Whose numbers `ratios`, `scaling` and `promises` read, and how they say so."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from stored_runs import CELL, MACHINE, NEW, OLD, block_end, project_root, repeat, store_run

from harness.cli import main
from harness.store.records import Record
from harness.store.runs import RunDirectory, load_run
from harness.worker import WORKER_VERSION

ELSEWHERE = "other-box"
TITLES = ("Ratios within a release", "Growth with the size of a model", "Guarantees of SavedModel by release")
NOT_COMPARABLE = "Left out, because they are not comparable with these"


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAVEDMODEL_BENCH_MACHINE", MACHINE)
    monkeypatch.chdir(tmp_path)
    return project_root(tmp_path)


def ladder(rungs: Mapping[str, float], blocks: int = 1, subject: str = NEW) -> list[Record]:
    """Return blocks that load deep models, by name, in so many seconds."""
    records = []
    for block in range(blocks):
        for model, seconds in rungs.items():
            cell = {**CELL, "model": model}
            records.append(repeat(seconds, metric="load_warm_s", subject=subject, block=block, cell=cell))
        records.append(block_end(block))
    return records


def both_loads(again: float, blocks: int = 3, subject: str = NEW) -> list[Record]:
    """Return blocks in which the first load takes a second and the second one `again`."""
    records = []
    for block in range(blocks):
        for metric, seconds in (("load_warm_s", 1.0), ("load_again_s", again)):
            records.append(repeat(seconds, metric=metric, subject=subject, block=block))
        records.append(block_end(block))
    return records


def promise(broken: float, subject: str = NEW) -> list[Record]:
    entry = {"metric": "resume_broken_promises", "value": broken, "way": "train-signature"}
    return [
        repeat(None, operation="resume", subject=subject) | {"metrics": [entry], "evidence": {}},
        block_end(),
    ]


def committed(root: Path, records: Sequence[Record], machine: str = "reference-box") -> RunDirectory:
    """Store a run and move it to the committed reference runs."""
    run = store_run(root, records, machine=machine)
    path = root / "results" / "reference" / machine / run.run
    path.parent.mkdir(parents=True, exist_ok=True)
    run.path.rename(path)
    if not any(run.path.parent.iterdir()):
        run.path.parent.rmdir()
    loaded = load_run(path)
    assert isinstance(loaded, RunDirectory)
    return loaded


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def top_of(text: str) -> str:
    """Return what stands between the title and the first empty line, on one line."""
    title, *lines = text.splitlines()
    assert title in TITLES
    return " ".join(itertools.takewhile(bool, lines))


def exponents(document: Any) -> list[tuple[str, float]]:
    return [(one["run"], round(one["growth"]["exponent"], 3)) for one in document["courses"] if one["growth"]]


def test_machines_are_not_pooled_and_the_others_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, both_loads(0.1), machine=ELSEWHERE)
    run = store_run(root, both_loads(0.5))
    committed(root, both_loads(0.9))
    document = told(capsys, "ratios")
    assert [(one["ratio"], one["blocks"], one["runs"]) for one in document["ratios"]] == [(pytest.approx(0.5), 3, 1)]
    assert document["provenance"] == {
        "machine": MACHINE, "reference": False, "blocks": 3, "runs": [{"run": run.run, "blocks": 3}],
        "other_machines": [ELSEWHERE], "disturbed": [], "isolation": "fork", "left_out": [],
        "worker_version": WORKER_VERSION, "older_runs": [],
    }  # fmt: skip
    assert main(["ratios"]) == 0
    text = capsys.readouterr().out
    others = f"Not used: results of {ELSEWHERE} (--machine NAME chooses one)."
    assert top_of(text) == f"Source: 3 blocks of run {run.run} on {MACHINE}. {others}"
    _, row, *_ = text.partition("\n\n")[2].splitlines()
    assert row.split()[-4] == "0.50"
    assert told(capsys, "ratios", "--machine", ELSEWHERE)["ratios"][0]["ratio"] == pytest.approx(0.1)


def test_a_machine_without_results_reads_the_reference_run_and_says_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = committed(root, both_loads(0.9))
    assert main(["ratios", "--format", "markdown"]) == 0
    heading, _, top, *_ = capsys.readouterr().out.splitlines()
    assert (heading, top) == (
        "## Ratios within a release",
        f"Source: 3 blocks of run {reference.run} on reference-box, from the reference results in the "
        f"repository, because results/runs/{MACHINE} has no such results.",
    )
    # What was measured here answers another question, or is of another release.
    store_run(root, ladder({"deep-4": 1.0, "deep-16": 2.0}))
    assert told(capsys, "ratios")["provenance"]["reference"] is True
    store_run(root, both_loads(0.5, subject=OLD))
    assert told(capsys, "ratios")["provenance"]["reference"] is False
    assert told(capsys, "ratios", NEW)["ratios"][0]["ratio"] == pytest.approx(0.9)


def test_a_named_run_is_read_wherever_it_lies(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = committed(root, both_loads(0.9))
    own = store_run(root, both_loads(0.5))
    store_run(root, both_loads(0.1))
    document = told(capsys, "ratios", "--run", str(own.path))
    assert document["ratios"][0]["ratio"] == pytest.approx(0.5)
    assert document["provenance"]["runs"] == [{"run": own.run, "blocks": 3}]
    assert main(["ratios", "--run", str(reference.path)]) == 0
    top = top_of(capsys.readouterr().out)
    assert (
        top
        == f"Source: 3 blocks of run {reference.run} on reference-box, from the reference results in the repository."
    )


def test_a_named_run_that_tells_nothing_is_not_replaced(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, both_loads(0.5))
    other = store_run(root, promise(0))
    assert main(["ratios", "--run", str(other.path)]) == 0
    assert top_of(capsys.readouterr().out).startswith("This run has no such results. No ratio can be formed")


def test_reference_runs_of_two_machines_are_not_pooled(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed(root, both_loads(0.9), machine="a-box")
    newest = committed(root, both_loads(0.7), machine="b-box")
    assert told(capsys, "ratios")["provenance"]["runs"] == [{"run": newest.run, "blocks": 3}]
    assert told(capsys, "ratios", "--machine", "a-box")["ratios"][0]["ratio"] == pytest.approx(0.9)


def test_an_exponent_is_of_the_newest_run_with_enough_rungs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, ladder({"deep-4": 4.0, "deep-16": 16.0, "deep-64": 64.0}))
    whole = store_run(root, ladder({"deep-4": 2.0, "deep-16": 4.0, "deep-64": 8.0}, blocks=2))
    # Joined with these rungs, the ladder above would be another.
    store_run(root, ladder({"deep-4": 100.0, "deep-256": 0.1}))
    store_run(root, ladder({"deep-256": 1e6}), machine=ELSEWHERE)
    document = told(capsys, "scaling")
    assert exponents(document) == [(whole.run, 0.5)]
    assert document["courses"][0]["models"] == ["deep-4", "deep-16", "deep-64"]
    assert document["provenance"]["runs"] == [{"run": whole.run, "blocks": 2}]
    assert main(["scaling"]) == 0
    assert top_of(capsys.readouterr().out).startswith(f"Source: 2 blocks of run {whole.run} on {MACHINE}.")


def test_a_rung_that_is_missing_between_others_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = ladder({"deep-4": 2.0, "deep-16": 3.0, "deep-64": 8.0, "deep-256": 16.0})
    for record in records:
        if record["type"] == "repeat" and record["cell"]["model"] == "deep-16":
            record["taints"] = ["steal: 12 % of CPU time"]
    note = "1 block was disturbed so much that some rows have no undisturbed measurement there (steal)"
    run = store_run(root, records, disturbed=note)
    store_run(root, both_loads(0.5), disturbed="another run's note")
    document = told(capsys, "scaling")
    assert document["courses"][0]["models"] == ["deep-4", "deep-64", "deep-256"]
    assert document["courses"][0]["missing"] == ["deep-16"]
    assert document["provenance"]["disturbed"] == [{"run": run.run, "note": note}]
    for form in ("table", "markdown"):
        assert main(["scaling", "--format", form]) == 0
        title, top, *rows = filter(None, capsys.readouterr().out.splitlines())
        assert title.removeprefix("## ") == "Growth with the size of a model"
        assert top == f"Source: 1 block of run {run.run} on {MACHINE}."
        assert " ".join(rows).startswith(
            f"Run {run.run}: in 1 block some rows have no usable measurement, because the hypervisor took the CPU away."
        )
        assert any("deep-4 .. deep-256 without deep-16 " in row for row in rows)


def test_rungs_beyond_the_ends_are_not_missing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, ladder({"deep-4": 2.0, "deep-16": 3.0, "deep-64": 8.0}))
    assert told(capsys, "scaling")["courses"][0]["missing"] == []
    assert main(["scaling"]) == 0
    assert "without" not in capsys.readouterr().out


def test_each_subject_has_the_newest_run_of_its_own(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rungs = {"deep-4": 2.0, "deep-16": 4.0, "deep-64": 8.0}
    of_old = store_run(root, ladder(rungs, subject=OLD))
    of_new = store_run(root, ladder(rungs, subject=NEW))
    document = told(capsys, "scaling")
    assert exponents(document) == [(of_old.run, 0.5), (of_new.run, 0.5)]
    assert document["provenance"]["blocks"] == 2
    assert main(["scaling"]) == 0
    assert "Each exponent is from one run" in capsys.readouterr().out


def test_rungs_of_two_runs_are_no_ladder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, ladder({"deep-4": 2.0, "deep-16": 4.0}))
    store_run(root, ladder({"deep-16": 4.0, "deep-64": 8.0}))
    assert exponents(told(capsys, "scaling")) == []
    assert main(["scaling"]) == 0
    assert "--preset scale" in capsys.readouterr().out
    reference = committed(root, ladder({"deep-4": 4.0, "deep-16": 16.0, "deep-64": 64.0}))
    assert exponents(told(capsys, "scaling")) == [(reference.run, 1.0)]


def test_promises_are_one_machines_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed(root, promise(1))
    document = told(capsys, "promises")
    assert [one["state"] for one in document["promises"]] == ["not kept"]
    assert document["provenance"]["machine"] == "reference-box"
    own = store_run(root, promise(0))
    store_run(root, both_loads(0.5))
    document = told(capsys, "promises")
    assert [(one["state"], one["run"]) for one in document["promises"]] == [("kept", own.run)]
    assert document["provenance"]["runs"] == [{"run": own.run, "blocks": 1}]


def test_spawned_runs_are_left_out_beside_forked_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rungs = {"deep-4": 4.0, "deep-16": 16.0, "deep-64": 64.0}
    forked = store_run(root, [*both_loads(0.5), *ladder(rungs)])
    of_promises = store_run(root, promise(1))
    flat = dict.fromkeys(rungs, 1.0)
    spawned = [
        store_run(root, records, isolation="spawn").run for records in (both_loads(0.1), ladder(flat), promise(0))
    ]
    ratio = told(capsys, "ratios")
    assert [(one["ratio"], one["runs"]) for one in ratio["ratios"]] == [(pytest.approx(0.5), 1)]
    assert (ratio["provenance"]["isolation"], ratio["provenance"]["left_out"]) == ("fork", spawned)
    assert exponents(told(capsys, "scaling")) == [(forked.run, 1.0)]
    document = told(capsys, "promises")
    assert [(one["state"], one["run"]) for one in document["promises"]] == [("not kept", of_promises.run)]
    for command in ("ratios", "scaling", "promises"):
        assert main([command]) == 0
        top = top_of(capsys.readouterr().out)
        left = f"{NOT_COMPARABLE}: 3 runs with --isolation spawn (--run DIR uses one)."
        assert top.endswith(f"on {MACHINE}. {left}")


def test_spawned_runs_are_read_where_the_forked_ones_tell_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_run(root, promise(0))
    spawned = store_run(root, both_loads(0.1), isolation="spawn")
    committed(root, both_loads(0.9))
    document = told(capsys, "ratios")
    assert document["ratios"][0]["ratio"] == pytest.approx(0.1)
    assert (document["provenance"]["isolation"], document["provenance"]["left_out"]) == ("spawn", [])
    assert main(["ratios"]) == 0
    top = top_of(capsys.readouterr().out)
    assert top == f"Source: 3 blocks of run {spawned.run} on {MACHINE}, measured with --isolation spawn."


def test_a_named_spawned_run_is_read_and_said_to_be_spawned(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(root, both_loads(0.5))
    spawned = store_run(root, both_loads(0.1), isolation="spawn")
    assert told(capsys, "ratios", "--run", str(spawned.path))["ratios"][0]["ratio"] == pytest.approx(0.1)
    assert main(["ratios", "--run", str(spawned.path)]) == 0
    top = top_of(capsys.readouterr().out)
    assert top == f"Source: 3 blocks of run {spawned.run} on {MACHINE}, measured with --isolation spawn."


def test_older_worker_versions_are_left_out_beside_newer_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rungs = {"deep-4": 4.0, "deep-16": 16.0, "deep-64": 64.0}
    older = [
        store_run(root, records, worker_version=version).run
        for version, records in ((3, both_loads(0.1)), (3, ladder(dict.fromkeys(rungs, 1.0))), (None, promise(0)))
    ]
    newest = store_run(root, [*both_loads(0.5), *ladder(rungs)], worker_version=4)
    of_promises = store_run(root, promise(1), worker_version=4)
    store_run(root, both_loads(0.3), worker_version=9, machine=ELSEWHERE)
    ratio = told(capsys, "ratios")
    assert [(one["ratio"], one["runs"]) for one in ratio["ratios"]] == [(pytest.approx(0.5), 1)]
    assert (ratio["provenance"]["worker_version"], ratio["provenance"]["older_runs"]) == (4, older)
    assert exponents(told(capsys, "scaling")) == [(newest.run, 1.0)]
    document = told(capsys, "promises")
    assert [(one["state"], one["run"]) for one in document["promises"]] == [("not kept", of_promises.run)]
    for command in ("ratios", "scaling", "promises"):
        assert main([command]) == 0
        top = top_of(capsys.readouterr().out)
        left = (
            "Left out, because not all of their numbers are comparable: 3 runs with a measurement method before "
            "version 4 (--run DIR uses one)."
        )
        assert top.endswith(f"on {MACHINE}. {left} Not used: results of {ELSEWHERE} (--machine NAME chooses one).")


def test_an_older_worker_version_is_read_where_newer_ones_tell_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_run(root, promise(0), worker_version=4)
    runs = [store_run(root, both_loads(0.1), worker_version=version) for version in (2, 3)]
    committed(root, both_loads(0.9))
    document = told(capsys, "ratios")
    assert document["ratios"][0]["ratio"] == pytest.approx(0.1)
    assert [one["run"] for one in document["provenance"]["runs"]] == [runs[1].run]
    assert main(["ratios"]) == 0
    assert top_of(capsys.readouterr().out) == (
        f"Source: 3 blocks of run {runs[1].run} on {MACHINE}, with version 3 of the measurement method, because "
        "runs with a newer one have no such results. Left out, because not all of their numbers are comparable: 1 run "
        "with a measurement method before version 3 (--run DIR uses one)."
    )


@pytest.mark.parametrize(("command", "preset"), [("ratios", "calls"), ("scaling", "scale"), ("promises", "promises")])
def test_where_nothing_was_measured_the_place_and_the_next_step_are_told(
    root: Path, capsys: pytest.CaptureFixture[str], command: str, preset: str
) -> None:
    store_run(root, both_loads(0.5) + promise(0), machine=ELSEWHERE)
    assert main([command]) == 0
    text = top_of(capsys.readouterr().out)
    nothing = f"Neither results/runs/{MACHINE} nor the reference results have such results."
    assert text.startswith(f"{nothing} Not used: results of {ELSEWHERE} (--machine NAME chooses one).")
    assert re.search(rf"measure .*with `savedmodel-bench run .* --preset {preset}`", text)
    document = told(capsys, command)
    assert document["provenance"]["runs"] == []
