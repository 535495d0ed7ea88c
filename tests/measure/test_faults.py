"""Whatever a release does, it fails its own cell with a reason, and everyone else's numbers exist."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from faulty_releases import add_release, around_load, has_measured, make_project, records_of, write_preset

pytestmark = pytest.mark.tensorflow

COMMAND = Path(sys.executable).with_name("savedmodel-bench")

FAULTS = {
    "raises": (around_load('raise RuntimeError("planted")'), "", "raised: RuntimeError: planted"),
    "segfaults": (around_load("os.kill(os.getpid(), signal.SIGSEGV)"), "", "crashed: killed by SIGSEGV"),
    "is-killed": (around_load("os.kill(os.getpid(), signal.SIGKILL)"), "", "crashed: killed by SIGKILL"),
    "hangs": (around_load("time.sleep(3600)"), "", r"timeout: no result .*within 8 s"),
    "is-too-large": (
        around_load("""
            keep = b"x" * (2 << 30)
            time.sleep(3600)
        """),
        "",
        r"memory-limit: .* GiB",
    ),
    "has-no-memory": (
        around_load("""
            keep = bytearray(16 << 30)
            return load(path)
        """),
        "ulimit -v 12000000",
        "memory: MemoryError",
    ),
    "is-wrong": (
        around_load("""
            loaded = load(path)
            for variable in loaded.variables_of_model:
                variable.assign(variable * 1.01)
            return loaded
        """),
        "",
        "wrong-output: differs by up to",
    ),
    "is-not-finite": (
        around_load("""
            loaded = load(path)
            for variable in loaded.variables_of_model:
                variable.assign(variable * float("nan"))
            return loaded
        """),
        "",
        "wrong-output: .* not finite",
    ),
}


def run(root: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, **options)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run of a clean release beside every faulty one."""
    root = make_project(tmp_path_factory.mktemp("faulty") / "project")
    add_release(root, "clean")
    for name, (patch, limit, _) in FAULTS.items():
        add_release(root, name, patch=patch, limit=limit)
    add_release(root, "cannot-write", limit="ulimit -f 100")
    add_release(root, "cannot-import", patch='raise ImportError("planted: no such symbol")')
    fork_shy = "import os\nborn = os.getpid()" + around_load("""
        while os.getpid() != born:
            time.sleep(1)
        return load(path)
    """)
    add_release(root, "is-fork-shy", patch=fork_shy)
    names = ["clean", *FAULTS, "cannot-write", "cannot-import", "is-fork-shy"]
    return root, run(root, "run", *names, "--preset", write_preset(root))


def outcomes(root: Path, subject: str) -> dict[str, list[tuple[str, str | None]]]:
    """Return status and reason of every repeat of the first block: a busy machine may have had it measured again."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for record in records_of(root):
        if record["type"] == "repeat" and record["subject"] == subject and record["block"] == 0:
            found.setdefault(record["operation"], []).append((record["status"], record["reason"]))
    return found


def test_run_with_faulty_releases_ends_well(faulty: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, result = faulty
    assert has_measured(result), result.stderr
    assert "Traceback" not in result.stderr
    assert records_of(root)[-1]["type"] == "block"


def test_clean_release_has_all_its_numbers(faulty: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = faulty
    found = outcomes(root, "clean")
    assert set(found) == {"import", "save", "load", "infer"}
    assert all(status == "ok" for statuses in found.values() for status, _ in statuses)
    metrics = {
        entry["metric"]
        for record in records_of(root)
        if record["type"] == "repeat" and record["subject"] == "clean"
        for entry in record["metrics"]
    }
    assert {"import_s", "save_first_s", "load_cold_s", "load_warm_s", "first_call_s", "infer_p50_s"} <= metrics


@pytest.mark.parametrize("name", FAULTS)
def test_fault_in_load_fails_load_and_infer_but_not_save(
    faulty: tuple[Path, subprocess.CompletedProcess[str]], name: str
) -> None:
    root, _ = faulty
    found = outcomes(root, name)
    assert found["save"] == [("ok", None)]
    first = found["load"][0]
    if found["infer"][0][1] and not found["infer"][0][1].startswith("not-run"):
        first = found["infer"][0]
    assert first[0] == "failed"
    assert re.match(FAULTS[name][2], str(first[1])), first
    for operation in ("load", "infer"):
        assert all(status == "failed" for status, _ in found[operation])
    failed = [r for r in records_of(root) if r["type"] == "repeat" and r["subject"] == name and r["status"] == "failed"]
    assert all(record["metrics"] == [] for record in failed)


def test_release_that_cannot_write_fails_its_save(faulty: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = faulty
    found = outcomes(root, "cannot-write")
    status, reason = found["save"][0]
    assert status == "failed"
    assert reason is not None
    assert reason.startswith("raised: ")
    assert all(str(reason).startswith("not-run: save: raised:") for _, reason in found["load"])


def test_release_that_does_not_import_fails_everywhere(
    faulty: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, _ = faulty
    found = outcomes(root, "cannot-import")
    assert set(found) == {"import", "save", "load", "infer"}
    reasons = [(status, "planted: no such symbol" in str(text)) for rows in found.values() for status, text in rows]
    assert set(reasons) == {("failed", True)}


def test_interpreter_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "is-gone", python=root / "no" / "such" / "python")
    result = run(root, "run", "is-gone", "--preset", write_preset(root))
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1
    assert "is-gone" in result.stderr


def test_release_that_cannot_fork_is_measured_by_spawning(
    faulty: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, _ = faulty
    loads = [
        record
        for record in records_of(root)
        if record["type"] == "repeat"
        and record["subject"] == "is-fork-shy"
        and record["block"] == 0
        and record["operation"] in ("load", "infer")
    ]
    assert len(loads) == 3
    for record in loads:
        assert (record["status"], record["isolation"]) == ("ok", "spawn")
        assert any(taint.startswith("retried: timeout") for taint in record["taints"])
        assert record["metrics"]


def test_end_of_comparison_names_what_failed(faulty: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = faulty
    (path,) = (root / "results" / "runs").glob("*/*")
    result = run(root, "compare", "clean", "segfaults", "--run", str(path), "--format", "json")
    assert result.returncode == 1 or has_measured(result), result.stderr
    text = run(root, "compare", "clean", "segfaults", "--run", str(path)).stdout
    assert "killed by SIGSEGV" in " ".join(text.split())


def wait_for(process: subprocess.Popen[str], log: Path, text: str) -> None:
    """Wait until `text` stands in the log of a running command."""
    deadline = time.monotonic() + 120
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def workers_below(root: Path) -> list[int]:
    """Return the processes whose working directory is in the project: its workers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "cwd").readlink()).startswith(str(root / "results")):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def start(root: Path, log: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command as a terminal would: a background job of a script inherits that Ctrl-C is ignored."""
    command = ["env", "--default-signal=INT", str(COMMAND), *arguments]
    with log.open("w") as output:
        return subprocess.Popen(command, cwd=root, stdout=output, stderr=output, text=True)


def test_interrupted_run_keeps_blocks_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_project(tmp_path / "project")
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    add_release(root, "clean")
    slow = ["run", "clean", "--preset", write_preset(root, blocks=3, timeout_s=60, window_s=20)]
    log = tmp_path / "log"
    process = start(root, log, *slow)
    wait_for(process, log, "Block 1 of 3: model mlp-xs")
    second = run(root, *slow)
    assert second.returncode == 3
    assert str(process.pid) in second.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "Interrupted before a block was complete" in log.read_text()
    shutil.rmtree(root / "results")

    arguments = ["run", "clean", "--preset", write_preset(root, blocks=3, window_s=1)]
    process = start(root, log, *arguments)
    wait_for(process, log, "Block 2 of 3: model mlp-xs")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "Traceback" not in log.read_text()
    assert "1 complete block" in log.read_text()
    assert not workers_below(root)

    process = start(root, log, *arguments)
    wait_for(process, log, "Block 2 of 3: model mlp-xs")
    assert "Resuming run" in log.read_text()
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while workers_below(root) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not workers_below(root)
    assert [*temporary.iterdir()], "a killed process removes nothing"

    result = run(root, *arguments)
    assert has_measured(result), result.stderr
    assert not [*temporary.iterdir()], "the next run removes it"
    assert "Resuming run" in result.stderr
    blocks = [record for record in records_of(root) if record["type"] == "block"]
    planned = [block for block in blocks if block["stands_for"] is None]  # further ones: the machine was busy
    assert [block["block"] for block in planned] == [0, 1, 2]
    assert planned[1]["attempt"] == 2
    assert result.stdout.strip()

    process = start(root, log, *arguments, "--seed", "2")
    wait_for(process, log, "Block 2 of 3")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    other = run(root, *arguments, "--seed", "3", "--blocks", "1")
    assert has_measured(other), other.stderr
    assert "seed was 2 and is 3" in other.stderr


def test_results_that_are_cut_or_foreign_are_named_and_left(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    add_release(root, "clean")
    preset = write_preset(root)
    assert has_measured(run(root, "run", "clean", "--preset", preset))
    (records,) = (root / "results" / "runs").glob("*/*/records.jsonl")
    machine = records.parent.parent.name
    (projected,) = (root / "results" / "asv" / machine).glob("*-*.json")
    with records.open("a") as file:
        file.write('{"type":"repeat","block":7,"subj')
    foreign = {
        root / "results" / "runs" / machine / "notes.txt": "mine",
        root / "results" / "runs" / machine / "20200101T000000-aaaa" / "run.json": '{"schema": 99}',
        projected: "{cut",
    }
    for path, text in foreign.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = records.read_bytes()
    summary = run(root, "summary", "--format", "csv")
    assert summary.returncode == 0, summary.stderr
    assert "artifact_bytes" in summary.stdout
    for name in ("records.jsonl", "notes.txt", "20200101T000000-aaaa"):
        assert name in summary.stderr
    rebuilt = run(root, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert projected.name in rebuilt.stderr
    assert records.read_bytes() == before
    assert all(path.read_text() == text for path, text in foreign.items())
