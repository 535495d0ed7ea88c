"""Locks: their names and titles, what reading one refuses, and what is said when one cannot be made."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import pytest

from harness.commands.releases import check_locks, lock_releases
from harness.errors import UsageError
from harness.releases import resolution
from harness.releases.locks import lock_path, lock_title, make_lock, pythons_of, read_lock
from harness.releases.manifest import read_manifest
from harness.releases.pip_settings import parse_pip_settings, uv_variables
from harness.releases.release import Release, release_ident
from harness.releases.resolution import requirement
from harness.releases.uv_command import UvError

pytestmark = pytest.mark.python

ROOT = Path(__file__).resolve().parents[2]
PINNED = "numpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nkeras==3.15.1 \\\n    --hash=sha256:cc\n"


def release(version: str, newest_python: str | None = "3.13") -> Release:
    ident = release_ident(version, "", None)
    return Release(f"v{version}", version, datetime.date(2026, 3, 6), None, ident, newest_python)


def test_what_a_lock_is_resolved_from():
    assert requirement(release("2.21.0"), "cpu") == "tensorflow-cpu==2.21.0"
    assert requirement(release("2.21.0"), "cuda") == "tensorflow[and-cuda]==2.21.0"
    assert requirement(release("2.14.1"), "cuda") == "tensorflow[and-cuda]==2.14.1"
    assert requirement(release("2.13.1"), "cuda") == "tensorflow==2.13.1"
    assert requirement(release("2.22.0.dev20260905"), "cpu") == "tf-nightly-cpu==2.22.0.dev20260905"
    assert requirement(release("2.22.0.dev20260905"), "cuda") == "tf-nightly[and-cuda]==2.22.0.dev20260905"


def test_path_and_title():
    where = lock_path(Path("/p"), release("2.21.0"), "cpu", "today", "3.11")
    assert where == Path("/p/locks/today/2.21.0-cpu-py311.txt")
    title = lock_title(release("2.21.0"), "cpu", "at-release", "3.12")
    assert title == (
        "tensorflow-cpu==2.21.0, policy at-release (nothing newer than 2026-03-20), Python 3.12, Linux x86-64"
    )


def test_pythons_follow_the_wheels():
    assert pythons_of(release("2.15.1", "3.11")) == ("3.11",)
    assert pythons_of(release("2.19.1", "3.12")) == ("3.11", "3.12")
    assert pythons_of(release("2.99.0", None)) == ("3.11", "3.12", "3.13")


def test_the_digest_is_about_pins_and_not_about_comments(tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("# title\n# Resolved 2026-01-01\n" + PINNED)
    two.write_text("# other title\n" + PINNED)
    assert read_lock(one).digest == read_lock(two).digest
    assert read_lock(one).packages == {"numpy": "2.4.6", "keras": "3.15.1"}
    two.write_text("# title\n" + PINNED.replace("3.15.1", "3.15.2"))
    assert read_lock(one).digest != read_lock(two).digest


@pytest.mark.parametrize("text", ["# title\nnumpy==2.4.6\n", "# title\nnumpy>=2 --hash=sha256:aa\n", "# title\n", ""])
def test_a_lock_without_pins_or_hashes_is_refused(tmp_path, text):
    path = tmp_path / "lock.txt"
    path.write_text(text)
    with pytest.raises(UsageError, match="make it again"):
        read_lock(path)


def test_an_impossible_set_is_recorded_and_a_dead_network_is_not(tmp_path, monkeypatch):
    def fail(message):
        def run_uv(*_, **__):
            raise UvError(message)

        monkeypatch.setattr(resolution, "run_uv", run_uv)

    fail(
        "error: No solution found when resolving dependencies cause: Because tensorrt has no wheels. "
        "And because you require x"
    )
    lock, changed = make_lock(tmp_path, release("2.14.1"), "cuda", "today", "3.11")
    assert changed
    assert lock.unresolvable == "Because tensorrt has no wheels."
    assert make_lock(tmp_path, release("2.14.1"), "cuda", "today", "3.11")[1] is False
    fail("error: Failed to fetch: connection refused")
    with pytest.raises(UsageError, match="connection refused"):
        make_lock(tmp_path, release("2.14.1"), "cuda", "today", "3.11")
    assert read_lock(lock.path).unresolvable is not None


def test_the_shipped_locks_are_complete_and_name_no_index(capsys):
    assert check_locks(ROOT) == 0
    assert "0 to be repaired" in capsys.readouterr().out
    for path in (ROOT / "locks").glob("*/*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "--index" not in text


def test_from_2_16_on_all_of_today_have_one_keras():
    found = set()
    for one in read_manifest(ROOT / "releases.toml").releases:
        for minor in pythons_of(one):
            lock = read_lock(lock_path(ROOT, one, "cpu", "today", minor))
            if one.version >= "2.16":
                found.add(lock.packages["keras"])
    assert len(found) == 1


def test_check_says_what_is_missing_stale_and_left_over(tmp_path, capsys):
    (tmp_path / "releases.toml").write_text(
        '[[release]]\nversion = "2.15.1"\ndate = 2024-03-08\nnewest_python = "3.11"\n'
    )
    folder = tmp_path / "locks" / "today"
    folder.mkdir(parents=True)
    (folder / "2.15.1-cpu-py311.txt").write_text(f"# tensorflow-cpu==2.15.0, policy today\n{PINNED}")
    (folder / "2.15.1-cuda-py311.txt").write_text("garbage\n")
    (folder / "2.11.0-cpu-py311.txt").write_text(PINNED)
    assert check_locks(tmp_path) == 1
    out = capsys.readouterr().out
    assert "locks/today/2.15.1-cpu-py311.txt was made for 'tensorflow-cpu==2.15.0, policy today'" in out
    assert "2.15.1-cuda-py311.txt has a line without pin or hash" in out
    assert "locks/at-release/2.15.1-cpu-py311.txt is missing: run `savedmodel-bench releases lock 2.15.1`" in out
    assert "locks/today/2.11.0-cpu-py311.txt belongs to no release" in out
    assert "4 locks expected, 0 cannot exist, 5 to be repaired" in out


def test_lock_refuses_an_interpreter_release(tmp_path):
    (tmp_path / "releases.toml").write_text('[[release]]\nname = "v"\npython = "/bin/sh"\ndate = 2024-03-08\n')
    with pytest.raises(UsageError, match="is a TensorFlow that is already installed and has no lock"):
        lock_releases(tmp_path, ["v"])


LISTED = """\
global.cert='/etc/ssl/certs/own.pem'
global.extra-index-url='file:///srv/simple https://mirror.example/extra'
global.index-url='https://files.example/simple'
install.trusted-host='mirror.example'
:env:.index-url='https://mirror.example/simple'
:env:.proxy='proxy.example:3128'
nonsense
"""


def test_pip_settings_become_uv_variables(tmp_path):
    settings = parse_pip_settings(LISTED)
    assert settings["index-url"] == "https://mirror.example/simple"
    certificate = tmp_path / "own.pem"
    certificate.touch()
    settings["cert"] = str(certificate)
    assert uv_variables(settings, {"HOME": str(tmp_path)}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://mirror.example/extra",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": str(certificate),
        "HTTPS_PROXY": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
        "UV_INSECURE_HOST": "mirror.example",
    }


def test_what_the_user_told_uv_stands(tmp_path):
    environ = {
        "HOME": str(tmp_path),
        "UV_INDEX_URL": "https://mine.example/simple",
        "https_proxy": "http://mine:1",
        "HTTP_PROXY": "http://mine:1",
        "UV_INSECURE_HOST": "mine",
        "SSL_CERT_FILE": "/mine.pem",
    }
    assert uv_variables(parse_pip_settings(LISTED), environ) == {}


def test_an_index_in_uv_toml_stands(tmp_path):
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text('[[index]]\nurl = "https://mine.example"\n')
    added = uv_variables(parse_pip_settings(LISTED), {"HOME": str(tmp_path)})
    assert "UV_DEFAULT_INDEX" not in added


def test_a_lock_needs_no_interpreter_of_its_python(tmp_path, monkeypatch):
    asked: list[list[str]] = []

    def run_uv(arguments, **_):
        asked.append(list(arguments))
        raise UvError("No solution found")

    monkeypatch.setattr(resolution, "run_uv", run_uv)
    make_lock(tmp_path, release("2.15.1"), "cpu", "today", "3.9")
    at = asked[0].index("--python")
    assert asked[0][at : at + 4] == ["--python", sys.executable, "--python-version", "3.9"]
