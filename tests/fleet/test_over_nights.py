"""Kept answers of a fleet, and what is said over many of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from stored_runs import project_root

from harness.cli import main
from harness.fleet.kept import VERDICTS, KeptAnswer, answers_path, keep, kept_answers
from harness.fleet.over_nights import Standing, over_nights
from harness.verdict.rows import Verdict

KEY = ("load_warm_s", "cpu", "mlp-s", "tf-module/tf-load", "s")
START = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC)
R, S, I = Verdict.REGRESSION, Verdict.SAME, Verdict.INCONCLUSIVE  # noqa: E741


def table(
    night: int, found: Mapping[str, Verdict], ratio: float | None = 1.2, words: Sequence[str] = ("compare",)
) -> KeptAnswer:
    """Return what a night said of one row on some types."""
    began = START + datetime.timedelta(days=night)
    codes = np.array([VERDICTS.index(one) for one in found.values()], dtype=np.int8)
    numbers = {
        name: np.full(len(found), np.nan if ratio is None else ratio)
        for name in ("old", "new", "ratio", "low", "high", "p")
    }
    columns = {
        "row": np.zeros(len(found), dtype=np.int32),
        "on": np.arange(len(found), dtype=np.int16),
        "verdict": codes,
        "stated": codes,
        "blocks": np.full(len(found), 4, dtype=np.int32),
    }
    keys = (KEY,) if found else ()
    return KeptAnswer(
        f"{began:%Y%m%dT%H%M%S}-{night:04x}", tuple(words), "v2.20.0", "v2.21.0",
        dict.fromkeys(found, 1.0), (), keys, np.full(len(keys), 0.01), tuple(found), {**columns, **numbers},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("nights", "expected"),
    [
        ([S, R, R], Standing(R, 1.2, 1, None, 2, 3)),
        ([R, S, R], Standing(R, 1.2, 2, None, 2, 3)),
        ([R, None, R], Standing(R, 1.2, 0, None, 2, 2)),
        ([R, R, None], Standing(R, 1.2, 0, None, 2, 2)),
        ([R, R, S], Standing(R, 1.2, 0, 1, 2, 3)),
        ([Verdict.IMPROVEMENT, R, I], Standing(R, 1.2, 1, 1, 2, 3)),
    ],
)
def test_since_when_and_until_when(nights: list[Verdict | None], expected: Standing) -> None:
    answer = over_nights([table(n, {} if one is None else {"a": one, "b": S}) for n, one in enumerate(nights)])
    (row,) = answer.rows
    found = row.types["a"]
    assert set(row.types) == {"a"}
    assert found.ratio == pytest.approx(expected.ratio)
    assert (found.verdict, found.since, found.until, found.nights, found.measured) == (
        expected.verdict, expected.since, expected.until, expected.nights, expected.measured,
    )  # fmt: skip
    assert row.is_open is (expected.until is None)


def test_a_kept_answer_is_read_as_it_was(tmp_path: Path) -> None:
    first = table(0, {"a": R}, ratio=None)
    keep(tmp_path, first)
    keep(tmp_path, table(1, {"a": S}, words=("compare", "other")))
    keep(tmp_path, table(2, {"a": R}))
    (answers_path(tmp_path) / "20260904T000000-0003.npz").write_bytes(b"PK\x03\x04")
    found, problems = kept_answers(tmp_path, 5)
    assert [one.fleet for one in found] == [first.fleet, table(2, {}).fleet]
    assert [problem.path.name for problem in problems] == ["20260904T000000-0003.npz"]
    assert (found[0].keys, found[0].names, found[0].coverage) == (first.keys, first.names, first.coverage)
    for name, column in first.columns.items():
        assert np.array_equal(found[0].columns[name], column, equal_nan=True)
        assert found[0].columns[name].dtype == column.dtype
    assert [one.fleet for one in kept_answers(tmp_path, 1)[0]] == [table(2, {}).fleet]


def test_the_report_over_nights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project_root(tmp_path))
    assert main(["fleet", "report", "--nights", "3"]) == 3
    assert "No fleet that compares has ended yet" in capsys.readouterr().err
    for night, one in enumerate((S, R, R)):
        keep(tmp_path, table(night, {"h100": one, "l4": S}, ratio=None if one is S else 1.2))
    assert main(["fleet", "report", "--nights", "3"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 nights (2026-09-01 to 2026-09-03) on 2 machine types" in said
    assert "h100 +20.0 % (regression) since 2026-09-02" in said
    assert main(["fleet", "report", "--nights", "3", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["types"]["h100"]["since"] == "20260902T000000-0001"
