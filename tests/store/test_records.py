"""The record file: appended whole, read with tolerance, nothing of it ever rewritten."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from stored_runs import block_end, repeat

from harness.store.records import (
    RecordWriter,
    complete_blocks,
    next_attempt,
    read_block_records,
    read_records,
    records_of_complete_blocks,
)


def write(path: Path, *records: dict[str, object]) -> None:
    with RecordWriter(path) as writer:
        for record in records:
            writer.append(record)


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    first, second = [repeat(0.1 + 0.2), block_end()], [repeat(2.0, block=1)]
    write(path, *first)
    write(path, *second)
    assert read_records(path) == ([*first, *second], [])


def test_blocks_are_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    assert read_block_records(path) == []
    write(path, repeat(1.0, reason='"type":"block"'), block_end(0), repeat(2.0, block=1), block_end(1))
    with path.open("a") as file:
        file.write('{"type": "block", "block": 2, "complete": true}\n{"type":"block","block":"x"}\n{"type":"block","bl')
    assert [record["block"] for record in read_block_records(path)] == [0, 1, 2]
    assert complete_blocks(read_block_records(path)) == complete_blocks(read_records(path)[0])


def test_a_missing_file_has_no_records_and_no_problem(tmp_path: Path) -> None:
    assert read_records(tmp_path / "records.jsonl") == ([], [])


def test_a_cut_last_line_is_named_and_the_others_survive(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write(path, repeat(1.0), repeat(2.0))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    records, problems = read_records(path)
    assert records == [repeat(1.0)]
    assert [(problem.line, "cut off" in problem.text) for problem in problems] == [(2, True)]
    assert str(path) in str(problems[0])


def test_appending_after_a_cut_line_keeps_it_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write(path, repeat(1.0), repeat(2.0))
    cut = path.read_bytes()[:-20]
    path.write_bytes(cut)
    write(path, repeat(3.0))
    assert path.read_bytes().startswith(cut)
    records, problems = read_records(path)
    assert records == [repeat(1.0), repeat(3.0)]
    assert [problem.line for problem in problems] == [2]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("not JSON at all", "not a JSON line"),
        ("[1, 2]", "not a record"),
        ('{"type": "sample"}', "`type`: Invalid value 'sample'"),
        (
            '{"type": "repeat", "block": "0", "subject": "v", "operation": "load", "status": "ok"}',
            "`block` = '0' is not a whole number",
        ),
        ('{"type": "block", "block": 0}', "misses the field `complete`"),
        (json.dumps({**repeat(), "metrics": {"load_warm_s": 1}}), "`metrics` = {'load_warm_s': 1} is not a list"),
        (
            json.dumps({**repeat(), "metrics": [{"metric": "load_warm_s", "value": "1"}]}),
            "`metrics[0].value` = '1' is not a number",
        ),
        (json.dumps({**repeat(), "metrics": [{"metric": "load_warm_s", "value": float("nan")}]}), "not a JSON line"),
        (json.dumps({**repeat(), "taints": "steal"}), "`taints` = 'steal' is not a list"),
        (json.dumps({**repeat(), "cell": "mlp-s"}), "`cell` = 'mlp-s' is not a table"),
    ],
)
def test_a_foreign_line_is_named_and_skipped(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "records.jsonl"
    write(path, repeat(1.0))
    with path.open("a") as file:
        file.write(line + "\n")
    write(path, repeat(2.0))
    before = path.read_bytes()
    records, problems = read_records(path)
    assert records == [repeat(1.0), repeat(2.0)]
    assert [problem.line for problem in problems] == [2]
    assert complaint in problems[0].text
    assert path.read_bytes() == before


def test_binary_rubbish_and_folders_are_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.jsonl"
    rubbish.write_bytes(os.urandom(200).replace(b"\n", b"") + b"\n")
    assert [len(part) for part in read_records(rubbish)] == [0, 1]
    assert "cannot be read" in str(read_records(tmp_path)[1][0])


def test_a_value_that_json_cannot_say_is_refused_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with RecordWriter(path) as writer, pytest.raises(ValueError, match="Out of range"):
        writer.append(repeat(float("nan")))
    assert path.read_bytes() == b""


def test_a_full_disk_is_an_error_and_leaves_the_earlier_records(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    script = (
        "import sys; from pathlib import Path; from harness.store.records import RecordWriter\n"
        "writer = RecordWriter(Path(sys.argv[1]))\n"
        "for number in range(1000): writer.append({'type': 'block', 'block': number, 'complete': True})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "OSError" in done.stderr
    records, problems = read_records(path)
    assert [record["block"] for record in records] == list(range(len(records)))
    assert len(records) > 10
    assert len(problems) <= 1


def test_only_the_attempt_that_completed_counts(tmp_path: Path) -> None:
    records = [
        repeat(1.0),
        block_end(0),
        repeat(7.0, block=1, attempt=0),  # killed here
        repeat(2.0, block=1, attempt=1),
        block_end(1, attempt=1),
        repeat(9.0, block=2, attempt=0),  # killed again
    ]
    assert complete_blocks(records) == {0: 0, 1: 1}
    assert [record["metrics"][0]["value"] for record in records_of_complete_blocks(records)] == [1.0, 2.0]
    assert [next_attempt(records, block) for block in range(4)] == [1, 2, 1, 0]


def test_a_block_that_says_it_is_not_complete_does_not_count() -> None:
    assert complete_blocks([repeat(), block_end(0, complete=False)]) == {}
