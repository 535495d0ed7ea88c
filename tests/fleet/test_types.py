"""`fleet.toml`: what is accepted, and one sentence for what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.fleet.types import read_types, seconds


def read(tmp_path: Path, text: str, name: str = "h100") -> object:
    (tmp_path / "fleet.toml").write_text(text)
    return read_types(tmp_path, [name])[name]


def test_a_type_says_how_its_jobs_are_asked_for(tmp_path: Path) -> None:
    kind = read_types_of(tmp_path, '[h100]\npartition = "gpu"\ngres = "gpu:h100:1"\nwall_time = "1h30m"\ntries = 2')
    assert kind.arguments() == [
        "--partition=gpu", "--gres=gpu:h100:1", "--exclusive", "--mem=0", "--time=90", "--signal=B:TERM@120",
    ]  # fmt: skip
    assert (kind.build, kind.has, kind.gpus) == ("cuda", ("cpu", "gpu"), 1)
    assert kind.node_hours(3) == 9.0


def test_a_share_asks_for_its_part(tmp_path: Path) -> None:
    kind = read_types_of(tmp_path, "[h100]\nshare = true\ncpus = 8\nmemory_gib = 32")
    assert {"--cpus-per-task=8", "--mem=32768M"} <= {*kind.arguments()}
    assert "--exclusive" not in kind.arguments()


def test_a_fleet_may_take_a_day_on_each_node_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    assert read_types_of(tmp_path, "[h100]\nnodes = 4").most_node_hours == 96
    assert read_types_of(tmp_path, "[h100]\nnodes = 4\nmax_node_hours = 3.5").most_node_hours == 3.5


def read_types_of(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    (tmp_path / "fleet.toml").write_text(text)
    return read_types(tmp_path, ["h100"])["h100"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a100]", "has no machine type 'h100': it has a100"),
        ("[h100", "cannot be read"),
        ("[h100]\nwall = '1h'", "unknown field `wall`"),
        ("[h100]\nwall_time = 'soon'", "'soon' is no duration"),
        ("[h100]\nwall_time = '1m'\nnotice = '2m'", "`notice` must be shorter"),
        ("[h100]\ntries = 0", "`tries` must be 1 to 10"),
        ("[h100]\ngres = 'gpu:8'", "one GPU"),
        ("[h100]\nscratch = 'here'", "absolute path"),
        ("[h100]\nsbatch = ['--export=ALL']", "'--export=ALL'"),
        ("[h100]\nsbatch = ['-p gpu']", "'-p gpu'"),
        ("[h100]\nshare = true", "needs `cpus` and `memory_gib`"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"fleet\.toml") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("90m", 5400), ("1h30m", 5400), ("45s", 45)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value
