"""Which Python releases are measured under: what is taken, what is refused in one sentence, and what is found."""

from __future__ import annotations

import ast
import datetime
import json
import os
import sys
from pathlib import Path

import pytest
from machine_pythons import machine_with
from stored_runs import project_root

from harness.cli import main
from harness.errors import ReleaseError
from harness.releases import python_choice, pythons
from harness.releases.manifest import read_manifest
from harness.releases.python_choice import Choice, choose_python, group_by_python
from harness.releases.pythons import (
    Python,
    fetch_python,
    fetchable_pythons,
    found_pythons,
    running_python_minor,
    search_path,
)
from harness.releases.release import Release, release_ident
from harness.releases.uv_command import UvError

pytestmark = pytest.mark.python


def release(version: str, oldest: str | None, newest: str | None) -> Release:
    date = datetime.date(2026, 3, 6)
    return Release(f"v{version}", version, date, None, release_ident(version, "", None), newest, oldest)


KERAS_2 = release("2.15.1", None, "3.11")
MIDDLE = release("2.19.1", None, "3.12")
NEW = release("2.21.0", "3.10", "3.13")
LATER = release("2.99.0", "3.12", "3.14")


@pytest.mark.parametrize(
    ("releases", "here", "fetchable", "taken"),
    [
        ([NEW], ["3.13", "3.11"], [], Choice("3.13")),
        ([KERAS_2, NEW], ["3.13", "3.11"], [], Choice("3.11")),
        ([KERAS_2, NEW], ["3.13", "3.10", "3.9"], ["3.11"], Choice("3.10")),
        ([KERAS_2, NEW], ["3.13"], ["3.13", "3.11", "3.10"], Choice("3.11", is_fetched=True)),
        ([NEW], ["3.14", "3.12"], ["3.13"], Choice("3.12")),
        ([LATER], ["3.14", "3.13"], [], Choice("3.14")),
        ([release("2.99.0", None, None)], ["3.14"], [], Choice("3.14")),
    ],
)
def test_the_newest_that_has_wheels_for_all_and_is_here_is_taken(
    releases: list[Release], here: list[str], fetchable: list[str], taken: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(monkeypatch, *here, fetchable=fetchable)
    assert choose_python(releases) == taken


@pytest.mark.parametrize(
    ("releases", "asked", "bound", "told"),
    [
        ([KERAS_2, LATER], None, {}, r"^No Python has wheels for all of v2\.15\.1 \(Python 3\.9 to 3\.11\), v2\.99\.0"),
        (
            [KERAS_2],
            "3.13",
            {},
            r"^v2\.15\.1 has no wheels for Python 3\.13, only for Python 3\.9 to 3\.11: choose one",
        ),
        ([NEW], "3.14", {}, r"^v2\.21\.0 has no wheels for Python 3\.14, only for Python 3\.10 to 3\.13"),
        ([NEW], "3.11", {}, r"^v2\.21\.0 needs Python 3\.11, and this machine has 3\.13: install Python 3\.11 "),
        (
            [KERAS_2, NEW],
            None,
            {},
            r"^v2\.15\.1 and v2\.21\.0 need Python 3\.10 to 3\.11, and this machine has 3\.13: ",
        ),
        ([KERAS_2], None, {"night": "3.13"}, r"no wheels for Python 3\.13, which night has, only for"),
        ([], None, {"a": "3.11", "b": "3.12"}, r"^a has Python 3\.11 and b has Python 3\.12, and what is compared"),
        ([NEW], "3.12", {"night": "3.13"}, r"^night has Python 3\.13: leave `--python 3\.12` out"),
        (
            [release("2.7.0", None, "3.8")],
            None,
            {},
            r"^v2\.7\.0 has wheels up to Python 3\.8 only, and workers need 3\.9",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_sentence(
    releases: list[Release], asked: str | None, bound: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(monkeypatch, "3.13")
    with pytest.raises(ReleaseError, match=told):
        choose_python(releases, asked=asked, bound=bound)


def test_an_interpreter_beside_them_settles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, "3.13", "3.12")
    assert choose_python([NEW], bound={"night": "3.12"}) == Choice("3.12")
    assert choose_python([], bound={"night": "3.14"}) == Choice("3.14")
    assert choose_python([]) is None


def test_releases_are_grouped_by_as_few_pythons_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    releases = [KERAS_2, MIDDLE, NEW, LATER]
    machine_with(monkeypatch, "3.14", "3.13", "3.12", "3.11")
    assert group_by_python(releases) == {"3.12": (MIDDLE, NEW, LATER), "3.11": (KERAS_2,)}
    assert group_by_python([KERAS_2, MIDDLE, NEW]) == {"3.11": (KERAS_2, MIDDLE, NEW)}
    machine_with(monkeypatch, "3.13")
    assert group_by_python(releases) == {"3.13": (NEW, LATER)}


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project_root(tmp_path))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main([*arguments, "--device", "cpu", "--wheel", "cpu"]) == code
    shown = capsys.readouterr()
    return shown.out if code == 0 else shown.err


def test_both_sides_have_one_python_which_the_first_lines_name(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(monkeypatch, "3.13", "3.12", "3.11")
    assert "\nPython 3.11 on both sides.\n" in said(capsys, "compare", "2.15", "2.21", "--dry-run")
    assert "\nPython 3.13 on both sides.\n" in said(capsys, "compare", "2.20", "2.21", "--dry-run")
    chosen = said(capsys, "compare", "2.20", "2.21", "--python", "3.12", "--dry-run")
    assert "\nPython 3.12 on both sides.\n" in chosen
    machine_with(monkeypatch, "3.13", fetchable=["3.11"])
    fetched = said(capsys, "compare", "2.15", "2.21", "--dry-run")
    assert "\nPython 3.11 on both sides, which uv fetches first.\n" in fetched


def test_where_none_can_be_had_one_sentence_names_what_helps_and_nothing_is_made(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path.name for path in root.iterdir())
    machine_with(monkeypatch, "3.14", "3.13")
    for command in ("compare", "run"):
        told = said(capsys, command, "2.15", "2.21", code=3)
        assert told.count("\n") == 1
        assert "this machine has 3.14, 3.13: install Python 3.11 (its package, pyenv, conda), or run `" in told
        assert told.endswith("uv python install 3.11`.\n")
    machine_with(monkeypatch, "3.14")
    told = said(capsys, "bench", code=3)
    assert told.startswith("savedmodel-bench: v2.21.0 needs Python 3.10 to 3.13, and this machine has 3.14: install")
    assert told.count("\n") == 1
    assert sorted(path.name for path in root.iterdir()) == before


def test_a_release_with_wheels_for_a_new_python_needs_no_change_of_code(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(monkeypatch, "3.14")
    text = (root / "releases.toml").read_text().replace('newest_python = "3.13"', 'newest_python = "3.14"')
    (root / "releases.toml").unlink()
    (root / "releases.toml").write_text(text)
    told = said(capsys, "compare", "2.20", "2.21", "--dry-run")
    assert "\nPython 3.14 on both sides.\nFirst pins the requirements of 2 releases" in told


def test_run_takes_all_releases_and_a_run_for_each_python_where_one_does_not_do(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(monkeypatch, "3.13", "3.11")
    everything = said(capsys, "run", "ALL", "--dry-run")
    assert everything.startswith("Subjects: v2.12.1, v2.13.1,")
    assert "\nPython 3.11 on all sides.\n" in everything
    machine_with(monkeypatch, "3.13")
    assert said(capsys, "run", "ALL", "--dry-run").startswith("Subjects: v2.20.0, v2.21.0;")
    with (root / "releases.toml").open() as file:
        text = file.read() + '\n[[release]]\nversion = "2.99.0"\ndate = 2027-01-01\noldest_python = "3.14"\n'
    (root / "releases.toml").unlink()
    (root / "releases.toml").write_text(text)
    machine_with(monkeypatch, "3.14", "3.13")
    main(["run", "2.20", "2.21", "2.99", "--dry-run", "--device", "cpu", "--wheel", "cpu"])
    shown = capsys.readouterr()
    assert "a run for each. Python 3.13: 2.20, 2.21; Python 3.14: 2.99." in shown.err
    assert "\nPython 3.13 on both sides.\n" in shown.out
    assert "\nPython 3.14.\n" in shown.out
    refused = said(capsys, "run", "2.20", "2.99", "--format", "json", code=3)
    assert "run them separately" in refused


@pytest.mark.parametrize(
    ("text", "told"),
    [("3", "write it like 3.11"), ("3.11.7", "write it like 3.11"), ("3.8", "from Python 3.9 on, and 3.8 is older")],
)
def test_a_python_that_makes_no_sense_is_refused(text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "2.20", "2.21", "--python", text])
    assert ended.value.code == 3
    assert told in capsys.readouterr().err


# What is found


def test_pyenv_and_conda_are_looked_through_and_shims_are_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for folder in ("pyenv/shims", "pyenv/versions/3.12.1/bin", "pyenv/versions/3.8.18/bin", "pyenv/versions/own/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (home / ".conda").mkdir(parents=True)
    (home / ".conda" / "environments.txt").write_text("/opt/conda\n")
    environ = {"HOME": str(home), "PATH": f"{tmp_path}/pyenv/shims:/usr/bin"}
    assert search_path(environ).split(":") == ["/usr/bin", f"{tmp_path}/pyenv/versions/3.12.1/bin", "/opt/conda/bin"]
    assert search_path({**environ, "UV_PYTHON_SEARCH_PATH": "/mine"}) == "/mine"


def test_of_a_minor_the_newest_patch_is_taken_and_the_harness_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(version: str, **more: str) -> dict[str, str]:
        return {"version": version, "path": f"/p/{version}", "implementation": "cpython", "variant": "default",
                "arch": os.uname().machine, **more}  # fmt: skip

    listed = [
        entry("3.99.1"), entry("3.99.10"), entry("3.99.2"), entry("3.98.0", implementation="pypy"), entry("3.8.18"),
        entry("3.97.0", variant="freethreaded"), entry("3.96.0rc1"), entry("3.95.0", arch="other"),
        entry(f"{running_python_minor()}.99"),
    ]  # fmt: skip
    monkeypatch.setattr(pythons, "run_uv", lambda *_, **__: json.dumps(listed))
    found = found_pythons.__wrapped__()
    assert list(found) == ["3.99", running_python_minor()]
    assert found["3.99"] == Python("3.99", "3.99.10", Path("/p/3.99.10"))
    assert found[running_python_minor()].path == Path(sys.executable)


def test_without_uv_the_harness_own_python_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise UvError("broken")

    monkeypatch.setattr(pythons, "run_uv", fail)
    assert list(found_pythons.__wrapped__()) == [running_python_minor()]
    assert fetchable_pythons.__wrapped__() == frozenset()


def test_uv_is_really_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python that it names starts and is of the minor that it says."""
    for python in found_pythons().values():
        printed = os.popen(f"'{python.path}' -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").read()
        assert printed.strip() == python.minor
    monkeypatch.setenv("UV_PYTHON_SEARCH_PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    assert list(found_pythons.__wrapped__()) == [running_python_minor()]


def test_nothing_is_fetched_without_a_network_or_against_the_users_will(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> None:
        asked.append(address[0])
        raise OSError("no route")

    monkeypatch.setattr(pythons.socket, "create_connection", connect)
    monkeypatch.setattr(pythons, "uv_environment", lambda: {"UV_PYTHON_INSTALL_MIRROR": "https://mirror.example/uv"})
    assert fetchable_pythons.__wrapped__() == frozenset()
    assert asked == ["mirror.example"]
    for forbidden in ({"UV_OFFLINE": "1"}, {"UV_PYTHON_DOWNLOADS": "never"}, {"UV_PYTHON_DOWNLOADS": "manual"}):
        monkeypatch.setattr(pythons, "uv_environment", lambda forbidden=forbidden: forbidden)
        assert fetchable_pythons.__wrapped__() == frozenset()
    assert asked == ["mirror.example"]


def test_the_shipped_releases_are_all_within_one_python() -> None:
    """Any two of them can be compared, and asv's graphs go over all of them."""
    releases = read_manifest(Path(__file__).parents[2] / "releases.toml").releases
    assert all(python_choice.has_wheels(one, "3.11") for one in releases)


def test_what_runs_beside_tensorflow_parses_under_python_3_9() -> None:
    harness = Path(python_choice.__file__).parents[1]
    sources = [path for folder in ("worker", "zoo", "formats") for path in (harness / folder).rglob("*.py")]
    assert len(sources) > 20
    for path in sources:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_what_could_not_be_fetched_is_one_sentence_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str], *, may_fetch_python: bool = False, **_: object) -> str:
        assert arguments == ["python", "install", "3.11"]
        assert may_fetch_python
        raise UvError("Failed to download it")

    monkeypatch.setattr(pythons, "run_uv", fail)
    with pytest.raises(
        ReleaseError, match=r"^uv could not fetch Python 3\.11 \(Failed to download it\): install Python"
    ):
        fetch_python("3.11")
