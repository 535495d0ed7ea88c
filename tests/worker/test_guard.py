"""What a program in the sandbox can do, and what it cannot, tried in a plain interpreter."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sandboxed import SCRIPT, held, in_sandbox, needs_sandbox

from harness.measure.guard import Guard
from harness.worker.guard import plan


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path.resolve() / "scratch")


@needs_sandbox
def test_it_says_that_network_and_files_are_protected(guard: Guard) -> None:
    assert held(guard) == {"network": True, "files": True, "reason": None}


@needs_sandbox
def test_one_folder_can_be_written_and_nothing_else(guard: Guard, tmp_path: Path) -> None:
    # A folder that is not hidden, since what is hidden cannot be seen anyway.
    beside = Path(__file__).parent / f".written-by-{os.getpid()}"
    try:
        for target in (beside, tmp_path / "outside", Path("/etc/written"), Path("/dev/written"), Path("/proc/sys/x")):
            done = in_sandbox(guard, "-c", f"open({str(target)!r}, 'w').write('x')")
            assert "Read-only file system" in done.stderr or "No such file" in done.stderr, (target, done.stderr)
            assert not target.exists()
    finally:
        beside.unlink(missing_ok=True)
    done = in_sandbox(guard, "-c", f"open({str(guard.scratch / 'inside')!r}, 'w').write('x')")
    assert done.returncode == 0, done.stderr
    assert (guard.scratch / "inside").read_text() == "x"


@needs_sandbox
def test_the_working_directory_is_in_the_sandbox_too(guard: Guard) -> None:
    guard.scratch.mkdir()
    command = [sys.executable, str(SCRIPT), guard.prepare(), sys.executable, "-c", "open('here', 'w')"]
    for folder in (guard.scratch, guard.scratch.parent):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (folder / "here").exists() == (folder == guard.scratch), done.stderr
        assert done.returncode == (0 if folder == guard.scratch else 1)


@needs_sandbox
def test_no_address_can_be_reached(guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 5)"
        subprocess.run([sys.executable, "-c", connect], check=True)
        listener.accept()[0].close()
        done = in_sandbox(guard, "-c", connect)
        assert "Network is unreachable" in done.stderr
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


@needs_sandbox
def test_sockets_of_services_cannot_be_reached(guard: Guard, tmp_path: Path) -> None:
    path = tmp_path / "service"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
        subprocess.run([sys.executable, "-c", connect], check=True)
        assert "No such file" in in_sandbox(guard, "-c", connect).stderr


@needs_sandbox
@pytest.mark.parametrize(
    "program",
    [
        "import ctypes; assert ctypes.CDLL(None).mount(None, b'/', None, 32 | 4096, None) == 0",  # read-write again
        "import ctypes; assert ctypes.CDLL(None).umount2(b'/tmp', 2) == 0",
        "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",  # all capabilities, in a new namespace
        "import os; os.chroot('.')",
        "import os; open(f'/proc/{os.getppid()}/environ', 'rb').read()",
        "import os; os.listdir(f'/proc/{os.getppid()}/root/')",
        "import os; os.mknod('disk', 0o600 | 0o60000, os.makedev(8, 0))",
        "import os; os.setuid(12345)",
    ],
)
def test_nothing_inside_can_undo_it(guard: Guard, program: str) -> None:
    assert in_sandbox(guard, "-c", program).returncode == 1


@needs_sandbox
def test_no_program_gains_privileges(guard: Guard) -> None:
    fields = dict(
        line.split(":\t") for line in in_sandbox(guard, "cat", "/proc/self/status").stdout.splitlines() if ":\t" in line
    )
    assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert fields["NoNewPrivs"] == "1"


@needs_sandbox
def test_hidden_folders_are_empty_but_for_what_is_needed(guard: Guard, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "models" / "mine").mkdir(parents=True)
    (home / "models" / "mine" / "saved_model.pb").write_text("graph")
    (home / "models" / "other").mkdir()
    (home / "secret").write_text("token")
    (home / "link").symlink_to("models/mine")
    seen = Guard(guard.scratch, readable=(home / "link",), hidden=(home,))
    listing = in_sandbox(seen, "find", str(home), "-type", "f", "-o", "-type", "d", "-empty").stdout.split()
    assert sorted(listing) == [str(home / "link" / "saved_model.pb"), str(home / "models" / "mine" / "saved_model.pb")]
    for target in (home / "link" / "x", home / "models" / "x", home / "x"):
        assert "Read-only file system" in in_sandbox(seen, "-c", f"open({str(target)!r}, 'w')").stderr


@needs_sandbox
def test_the_home_of_the_user_is_hidden_and_its_interpreter_is_not(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "secret").write_text("token")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "user" / "venv")], check=True)
    packages = next((tmp_path / "user" / "venv" / "lib").iterdir()) / "site-packages"
    (packages / "tensorflow.py").write_text("")
    python = str(tmp_path / "user" / "venv" / "bin" / "python")
    program = f"import os, tensorflow; print(os.listdir({str(tmp_path / 'user')!r}))"
    assert in_sandbox(guard, "-c", program, python=python).stdout == "['venv']\n"


@needs_sandbox
def test_devices_memory_and_own_files_of_proc_stay_usable(guard: Guard) -> None:
    done = in_sandbox(
        guard,
        "-c",
        "import os, sys\n"
        "open('/dev/null', 'w').write('x'); open('/dev/urandom', 'rb').read(1); open('/dev/shm/x', 'w').write('x')\n"
        "open('/proc/self/clear_refs', 'w').write('5')\n"
        "if os.fork() == 0:\n"
        "    open('/proc/self/clear_refs', 'w').write('5'); os._exit(0)\n"
        "assert os.wait()[1] == 0\n"
        "print(sorted(os.listdir('/dev')))\n",
    )
    assert done.returncode == 0, done.stderr
    assert {"null", "shm", "urandom", "zero"} <= set(eval(done.stdout))
    assert not any(name.startswith(("sd", "vd", "nvme", "mem", "kmsg", "tty")) for name in eval(done.stdout))
    assert not Path("/dev/shm/x").exists()


@needs_sandbox
def test_pages_of_a_read_only_file_can_be_dropped(guard: Guard, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "variables").write_bytes(bytes(1 << 20))
    program = (
        f"import sys; sys.path.insert(0, {str(SCRIPT.parents[2])!r})\n"
        "from harness.worker import page_cache\n"
        f"page_cache.evict({str(model)!r}); print(page_cache.resident_fraction({str(model)!r}))\n"
        f"page_cache.fill({str(model)!r}); print(page_cache.resident_fraction({str(model)!r}))\n"
    )
    evicted, filled = map(float, in_sandbox(Guard(guard.scratch, readable=(model,)), "-c", program).stdout.splitlines())
    assert filled == 1.0
    if not str(tmp_path).startswith("/dev/shm") and shutil.disk_usage(tmp_path).total:
        assert evicted < 1.0


@needs_sandbox
def test_no_file_grows_beyond_its_limit(guard: Guard) -> None:
    program = "file = open('large', 'wb', buffering=0)\nfor _ in range(3): file.write(bytes(1 << 20))"
    small = Guard(guard.scratch, disk_limit_bytes=2 << 20)
    assert "File too large" in in_sandbox(small, "-c", program).stderr
    assert (small.scratch / "large").stat().st_size == 2 << 20


@needs_sandbox
def test_older_kernels_protect_one_mount_after_the_other(guard: Guard) -> None:
    guard.scratch.mkdir()
    program = (
        f"import json, sys; sys.path.insert(0, {str(SCRIPT.parents[2])!r})\n"
        "from harness.worker import guard\n"
        "guard._make_read_only = guard._make_read_only_one_by_one\n"
        f"print(json.dumps(guard.apply(json.loads({guard.prepare()!r}))))\n"
        "try: open('/etc/written', 'w')\n"
        "except OSError as error: print(error.strerror)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    told, error = done.stdout.splitlines()
    assert json.loads(told) == {"network": True, "files": True, "reason": None}
    assert error == "Read-only file system"


@needs_sandbox
def test_a_kernel_that_refuses_is_told_and_nothing_is_run(guard: Guard) -> None:
    inner = [sys.executable, str(SCRIPT), guard.prepare()]
    done = in_sandbox(guard, *inner)
    assert "unshare" in json.loads(done.stdout)["reason"]
    done = in_sandbox(guard, *inner, "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "unshare" in done.stderr


def test_without_namespaces_privileges_go_and_it_says_what_does_not_hold(guard: Guard) -> None:
    assert held(guard, isolates=False)["reason"] is None
    if len(list(Path("/sys/class/net").iterdir())) > 1:
        assert held(guard, isolates=False)["network"] is False
    status = in_sandbox(Guard(guard.scratch, isolates=False), "cat", "/proc/self/status").stdout
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


def test_what_holds_the_system_is_not_hidden_and_a_model_may_be_the_home_itself(tmp_path: Path) -> None:
    model, scratch = str(tmp_path / "home"), str(tmp_path / "scratch")
    (tmp_path / "home" / "results").mkdir(parents=True)
    steps = dict(plan(scratch, [model, "/usr/lib", "/nowhere"], ["/", "/usr", model, model + "/results"]))
    assert steps["/tmp"] == "hide"
    assert steps[scratch] == "write"
    assert steps[model + "/results"] == "hide"
    assert steps.get(model) == ("keep" if str(tmp_path).startswith("/tmp/") else None)
    assert not {"/", "/usr", "/usr/lib", "/nowhere"} & set(steps)
    assert list(steps).index(scratch) > list(steps).index("/tmp")
