"""A guest on a node: scratch folders that are surely ours, staging by digest, a script without surprises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.fleet.guest import make_scratch
from harness.fleet.staging import staged
from harness.fleet.submission import SCRIPT


def test_scratch_is_new_and_ours_alone(tmp_path: Path) -> None:
    made = [make_scratch(tmp_path) for _ in range(2)]
    assert made[0] != made[1]
    assert made[0].stat().st_mode & 0o777 == 0o700


def test_scratch_below_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for above in (tmp_path / "link", tmp_path / "link" / "below"):
        (tmp_path / "real" / "below").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match="is a link"):
            make_scratch(above)


def test_scratch_that_others_may_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match="others may change it"):
        make_scratch(folder)
    folder.chmod(0o1777)  # as /tmp is
    make_scratch(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to somebody else")
def test_scratch_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(UsageError, match="somebody else"):
        make_scratch(folder)


def test_a_copy_is_made_once_by_its_identity_and_goes_when_room_is_needed(tmp_path: Path) -> None:
    source, stage = tmp_path / "tf", tmp_path / "stage"
    source.mkdir()
    (source / "lib.so").write_bytes(b"x" * 600)
    (source / "link").symlink_to("lib.so")
    code = "import sys; from pathlib import Path; from harness.fleet.staging import staged\n"
    code += "print(staged(Path(sys.argv[1]), sys.argv[3], Path(sys.argv[2]), 10_000))"
    words = [sys.executable, "-c", code, str(source), str(stage)]
    first = Path(subprocess.check_output([*words, "one"], text=True).strip())
    assert (first / "link").readlink() == Path("lib.so")
    second = staged(source, "two", stage, 1000)  # the job that made the first one has ended
    assert not first.exists()
    third = staged(source, "three", stage, 1000)  # this process still uses the second one
    assert second.exists()
    assert (staged(source, "three", stage, 1000) / "lib.so").stat().st_ino == (third / "lib.so").stat().st_ino
    with pytest.raises(UsageError, match="stage_limit_gib"):
        staged(source, "four", stage, 100)


def test_half_a_copy_is_made_anew(tmp_path: Path) -> None:
    source, stage = tmp_path / "tf", tmp_path / "stage"
    source.mkdir()
    (source / "lib.so").write_bytes(b"x")
    done = staged(source, "one", stage, 10_000)
    (done.parent / "savedmodel-bench.staged").unlink()
    (done / "lib.so").unlink()
    assert (staged(source, "one", stage, 10_000) / "lib.so").read_bytes() == b"x"


def test_the_script_passes_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        if os.environ.get("CI"):
            pytest.fail("CI has to have shellcheck")
        pytest.skip("no shellcheck is here: `apt-get install shellcheck` has it")
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_the_script_lets_named_variables_through_and_nothing_else(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable} -I\nimport json, os, sys\nprint(json.dumps([dict(os.environ), sys.argv[1:]]))\n"
    )
    program.chmod(0o755)
    job = str(tmp_path / "a 'job' $(touch X).json")
    given = {"PATH": os.environ["PATH"], "TOKEN": "planted", "SLURM_JOB_ID": "7 a", "LD_PRELOAD": "", "HOME": "/root"}
    done = subprocess.run(
        ["bash", str(SCRIPT), str(program), job], env=given, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    variables, words = json.loads(done.stdout)
    assert set(variables) <= {"PATH", "LC_ALL", "SLURM_JOB_ID", "LC_CTYPE"}
    assert variables["SLURM_JOB_ID"] == "7 a"
    assert words == ["-I", "-m", "harness.cli", "fleet", "work", job]
    assert not (tmp_path / "X").exists()


def test_the_script_forwards_a_signal_and_waits(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable} -I\nimport os, signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.3); os.write(1, b'delivered\\n'); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end); os.write(1, b'begun\\n'); time.sleep(30)\n"
    )
    program.chmod(0o755)
    process = subprocess.Popen(["bash", str(SCRIPT), str(program), "job"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    process.terminate()
    assert process.stdout.read() == "delivered\n"
    assert process.wait(10) == 0
