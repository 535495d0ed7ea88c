"""`releases.toml`: what is read, how releases are found, and what a wrong file is told."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.releases.manifest import read_manifest
from harness.releases.release import release_ident

ROOT = Path(__file__).resolve().parents[2]

GOOD = """\
policy = "at-release"

[[release]]
version = "2.21.0"
date = 2026-03-06
newest_python = "3.13"

[[release]]
version = "2.20.0"
date = 2025-08-13

[[release]]
version = "2.19.1"
date = 2025-08-13

[[release]]
version = "2.22.0rc0"
date = 2026-05-01

[[release]]
name = "vendor"
python = "/opt/tf/bin/python"
version = "2.20.0"
date = 2025-08-14
"""


@pytest.fixture
def write(tmp_path: Path):
    def write_text(text: str) -> Path:
        path = tmp_path / "releases.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def test_the_shipped_file_has_the_ten_releases_in_order():
    manifest = read_manifest(ROOT / "releases.toml")
    versions = [release.version for release in manifest.releases]
    assert versions == [
        *("2.12.1", "2.13.1", "2.14.1", "2.15.1", "2.16.2"),
        *("2.17.1", "2.18.1", "2.19.1", "2.20.0", "2.21.0"),
    ]
    assert manifest.policy == "today"
    assert manifest.find("2.21").date == datetime.date(2026, 3, 6)
    assert len({release.ident[:8] for release in manifest.releases}) == 10


def test_releases_are_ordered_by_date_then_version(write):
    manifest = read_manifest(write(GOOD))
    assert [one.name for one in manifest.releases] == ["v2.19.1", "v2.20.0", "vendor", "v2.21.0", "v2.22.0rc0"]
    assert manifest.policy == "at-release"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("v2.21.0", "v2.21.0"),
        ("2.21.0", "v2.21.0"),
        ("2.21", "v2.21.0"),
        ("v2.20", "v2.20.0"),
        ("2.22", "v2.22.0rc0"),
        ("vendor", "vendor"),
        ("Vendor", "vendor"),
        ("V2.21.0", "v2.21.0"),
        ("2.22.0rc0", "v2.22.0rc0"),
        ("v2.22.0-rc0", "v2.22.0rc0"),
        ("2.22-RC0", "v2.22.0rc0"),
    ],
)
def test_find(write, text, name):
    assert read_manifest(write(GOOD)).find(text).name == name


def test_find_lists_what_there_is(write):
    with pytest.raises(UsageError, match=r"no release '2\.9'.*v2\.19\.1, v2\.20\.0, vendor, v2\.21\.0"):
        read_manifest(write(GOOD)).find("2.9")


def test_the_newest_stable_are_neither_candidates_nor_interpreters(write):
    manifest = read_manifest(write(GOOD))
    assert [one.name for one in manifest.newest_stable(2)] == ["v2.20.0", "v2.21.0"]
    with pytest.raises(UsageError, match="3 stable releases and 4 are needed"):
        manifest.newest_stable(4)


def test_an_ident_depends_on_nothing_but_the_release(write):
    alone = read_manifest(write('[[release]]\nversion = "2.21.0"\ndate = 2020-01-01\n')).releases[0]
    assert alone.ident == read_manifest(write(GOOD)).find("2.21.0").ident
    # asv's result files are named after it: should this ever change, all results are orphaned.
    assert alone.ident == "8040a5dd86d09369cd87d5dcf653534a6502fb2c"
    assert release_ident(None, "a", Path("/x")) != release_ident(None, "b", Path("/x"))


@pytest.mark.parametrize(
    ("line", "field", "wrong"),
    [
        (10, "date", GOOD.replace("date = 2025-08-13\n", 'date = "2025-08-13"\n', 1)),
        (9, "version", GOOD.replace('"2.20.0"', '"2.20.x"', 1)),
        (9, "version", GOOD.replace('"2.20.0"', '"nightly"', 1)),
        # 2.21 is 2.21.0, as for pip.
        (9, "version", GOOD.replace('"2.20.0"', '"2.21"', 1)),
        (17, "version", GOOD.replace('"2.22.0rc0"', '"v2.21.0.0"', 1)),
        (10, "date", GOOD.replace("date = 2025-08-13\n", "date = 2025-08-13T00:00:00\n", 1)),
        (10, "date", GOOD.replace("date = 2025-08-13\n", "date = 0205-08-13\n", 1)),
        (10, "date", GOOD.replace("date = 2025-08-13\n", "date = 9999-12-31\n", 1)),
        (9, "version", GOOD.replace('"2.20.0"', "2.2", 1)),
        (8, "date", GOOD.replace("date = 2025-08-13\n", "", 1)),
        (6, "newest_python", GOOD.replace('"3.13"', '"313"')),
        (6, "nevest_python", GOOD.replace("newest_python", "nevest_python")),
        (13, "version", GOOD.replace('"2.19.1"', '"2.20.0"')),
        (1, "policy", GOOD.replace('"at-release"', '"tomorrow"')),
        (1, "polcy", GOOD.replace("policy", "polcy")),
        (21, "name", GOOD.replace('"vendor"', '"2.30"')),
        (21, "name", GOOD.replace('"vendor"', '"a@b"')),
        (21, "name", GOOD.replace('"vendor"', '"V2.20.0"')),
        (21, "name", GOOD.replace('"vendor"', '"a..b"')),
        (21, "name", GOOD.replace('"vendor"', '"HEAD"')),
        (21, "name", GOOD.replace('"vendor"', f'"{"a" * 300}"')),
        (26, "name", GOOD + '[[release]]\nname = "Vendor"\npython = "/other/python"\ndate = 2025-08-14\n'),
        (20, "name", GOOD.replace('name = "vendor"\n', "")),
        (22, "python", GOOD.replace('"/opt/tf/bin/python"', '"bin/python"')),
        (9, "wheel", GOOD.replace('version = "2.20.0"', 'wheel = "tf.whl"', 1)),
        (9, "nightly", GOOD.replace('version = "2.20.0"', 'nightly = "2026-01-01"', 1)),
    ],
)
def test_a_malformed_file_names_its_line_and_field(write, line, field, wrong):
    with pytest.raises(UsageError, match=rf"releases\.toml line {line}: `{field}` "):
        read_manifest(write(wrong))


@pytest.mark.parametrize(
    ("field", "words"),
    [("wheel", "is not needed: give the wheel itself on the command line"), ("nightly", "by its version")],
)
def test_fields_that_one_might_expect_say_so(write, field, words):
    with pytest.raises(UsageError, match=f"`{field}` .*{words}"):
        read_manifest(write(f'[[release]]\n{field} = "x"\ndate = 2020-01-01\n'))


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("2.22.0.dev20260905", "2.22.0.dev20260905"),
        ("2.22.0-dev20260905", "2.22.0.dev20260905"),
        ("2.22.0-rc1", "2.22.0rc1"),
        ("2.22.0-dev0+selfbuilt", "2.22.0.dev0+selfbuilt"),
        ("2.21.0-1", "2.21.0.post1"),
        ("v2.21", "2.21.0"),
    ],
)
def test_a_version_has_one_form_however_it_is_written(write, written, version):
    entry = '[[release]]\nversion = "{}"\ndate = 2026-09-05\n'
    (release,) = read_manifest(write(entry.format(written))).releases
    assert (release.name, release.version) == (f"v{version}", version)
    (normal,) = read_manifest(write(entry.format(version))).releases
    assert release.ident == normal.ident


def test_versions_of_one_day_are_in_the_order_of_packages(write):
    ascending = ["2.22.0.dev9", "2.22.0.dev20260905", "2.22.0rc2", "2.22.0rc10", "2.22.0", "2.22.0+b", "2.22.0.post1"]
    entries = "".join(f'[[release]]\nversion = "{one}"\ndate = 2026-09-05\n' for one in reversed(ascending))
    manifest = read_manifest(write(entries))
    assert [one.version for one in manifest.releases] == ascending
    assert manifest.find("2.22").version == "2.22.0.post1"
    assert [one.version for one in manifest.newest_stable(3)] == ascending[-3:]


def test_two_numbers_mean_the_newest_patch_whenever_it_appeared(write):
    later = '[[release]]\nversion = "2.21.2"\ndate = 2026-03-05\n'  # before 2.21.0
    nightly = '[[release]]\nversion = "2.21.3.dev20261201"\ndate = 2026-12-01\n'
    assert read_manifest(write(GOOD + later + nightly)).find("2.21").version == "2.21.2"


def test_the_version_of_an_interpreter_is_told_by_its_name(write):
    nightly = '[[release]]\nname = "tonight"\npython = "/x/python"\nversion = "2.23.0-dev20261126"\ndate = 2026-11-26\n'
    with pytest.raises(UsageError, match=r"no release '2\.23\.0\.dev20261126'.*this version is tonight's"):
        read_manifest(write(GOOD + nightly)).find("2.23.0.dev20261126")


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_fault(write):
    path = write("")
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_manifest(path).releases == read_manifest(write(GOOD)).releases


def test_broken_toml_names_the_line(write):
    with pytest.raises(UsageError, match=r"not valid TOML.*line 3"):
        read_manifest(write('policy = "today"\n[[release]]\nversion = 2.21.0\n'))


def test_a_missing_or_empty_file_is_told(write, tmp_path):
    with pytest.raises(UsageError, match="make a project with `savedmodel-bench init`"):
        read_manifest(tmp_path / "nothing.toml")
    with pytest.raises(UsageError, match=r"no \[\[release\]\] entry"):
        read_manifest(write('policy = "today"\n'))
