"""A guarded worker as its host sees it: its variables, what it says of itself, its limits and its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sandboxed import SCRIPT, in_sandbox, needs_sandbox

from harness.measure import guard as host
from harness.measure.guard import Guard, Protection, disk_use, guard_for, guarded_environment, what_guards
from harness.measure.own_models import OwnModel
from harness.measure.worker_process import WorkerLost, WorkerProcess

SECRETS = (
    *("AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "GITHUB_TOKEN", "NVIDIA_API_KEY", "CUDA_TOKEN"),
    *("https_proxy", "SSH_AUTH_SOCK", "KUBECONFIG", "TF_CONFIG", "PYTHONSTARTUP", "BASH_ENV", "OMP_NUM_THREADS"),
)

RELEASE = """\
#!{python}
# What start.py and the fork server do, without TensorFlow: sandbox, hello, and `body` as the repeat.
import json, os, socket, subprocess, sys, time
sys.path.insert(0, {project!r})
from harness.worker import guard
held = {held}
stream = socket.socket(fileno=int(sys.argv[2])).makefile("rw")
def send(message):
    stream.write(json.dumps(message) + "\\n")
    stream.flush()
send({{"hello": {{"began": 0.0, "phases": [], "evidence": {{"guard": held}}}}}})
request = json.loads(stream.readline())
def repeat():
{body}
send({{"done": {{"status": "ok", "reason": None, "answer": repeat()}}}})
stream.readline()
"""

APPLIED = "guard.apply(json.loads(sys.argv[3]))"

Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """A function that starts a worker whose repeat has this body."""
    workers: list[WorkerProcess] = []

    def started(body: str, held: str = APPLIED, disk_limit_bytes: int | None = None) -> WorkerProcess:
        indented = "\n".join("    " + line for line in body.splitlines())
        python = tmp_path / "python"
        values = {"python": sys.executable, "project": str(SCRIPT.parents[2]), "held": held, "body": indented}
        python.write_text(RELEASE.format(**values))
        python.chmod(0o755)
        scratch = tmp_path.resolve() / "scratch"
        scratch.mkdir(exist_ok=True)
        asked = Guard(scratch, isolates=what_guards().isolates, disk_limit_bytes=disk_limit_bytes)
        variables = guarded_environment(os.environ, scratch)
        workers.append(WorkerProcess(python, variables, tmp_path / "log", scratch, asked))
        return workers[-1]

    yield started
    for worker in workers:
        worker.kill()


def ask(worker: WorkerProcess, here: bool = False, limit_bytes: int = 8 << 30) -> object:
    worker.wait_for_import(30.0)
    asked = {"do": "here" if here else "fork", "timeout_s": 20.0, "memory_limit_bytes": limit_bytes}
    return worker.ask(asked)["answer"]


def test_only_variables_of_the_list_reach_a_worker(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "planted-secret")
    monkeypatch.setenv("LC_NUMERIC", "de_DE.UTF-8")
    monkeypatch.setenv("CUDA_HOME", "/usr/local/cuda")
    worker = start("return open('/proc/self/environ').read()")
    told = str(ask(worker))
    assert "planted-secret" not in told + Path(f"/proc/{worker.pid}/environ").read_text()
    variables = dict(entry.split("=", 1) for entry in told.split("\0") if entry)
    assert not set(variables) & (set(SECRETS) - {"TF_CONFIG"})
    assert (variables["LC_NUMERIC"], variables["CUDA_HOME"]) == ("de_DE.UTF-8", "/usr/local/cuda")
    assert variables["TF_CPP_MIN_LOG_LEVEL"] == "1"
    for name in ("HOME", "TMPDIR"):
        assert list(Path(variables[name]).iterdir()) == []
        assert Path(variables[name]).parent == Path(variables["KERAS_HOME"]).parent


@needs_sandbox
def test_variables_of_the_host_cannot_be_read_from_its_process(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "found = []\n"
        "for name in os.listdir('/proc'):\n"
        "    try: found.append(open(f'/proc/{name}/environ').read())\n"
        "    except OSError: pass\n"
        "return found"
    )
    found = ask(start(body))
    assert isinstance(found, list)
    assert len(set(found)) == 1  # its own


def test_what_an_earlier_graph_left_in_its_home_is_not_run(start: Start, tmp_path: Path) -> None:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    planted = tmp_path / "scratch" / "home" / ".local" / "lib" / version / "site-packages"
    planted.mkdir(parents=True)
    (planted / "usercustomize.py").write_text(f"open({str(tmp_path / 'escaped')!r}, 'w')")
    (planted / "planted.pth").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'escaped')!r}).touch()")
    assert ask(start("return 1")) == 1
    assert not (tmp_path / "escaped").exists()


def test_a_scratch_folder_that_a_graph_has_spoilt_is_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "home").write_text("no folder")
    with pytest.raises(WorkerLost, match=r"^not-started: the scratch folder cannot be used"):
        start("return 1")


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ("None", "does not say"),
        ('{"network": False, "files": False, "reason": "unshare: Operation not permitted"}', "unshare: Operation not"),
        ('{"network": True, "files": False, "reason": None}', "write outside its folder"),
    ],
)
@needs_sandbox
def test_a_worker_that_is_guarded_by_half_is_not_used(start: Start, held: str, reason: str) -> None:
    worker = start("return 1", held=held)
    with pytest.raises(WorkerLost, match=f"^unguarded: .*{reason}"):
        worker.wait_for_import(30.0)


@needs_sandbox
def test_the_machine_offers_a_sandbox_and_inside_one_it_says_why_not(tmp_path: Path) -> None:
    assert what_guards().isolates
    assert "no network" in what_guards().sentence
    program = (
        f"import sys; sys.path.insert(0, {str(SCRIPT.parents[2])!r})\n"
        "from harness.measure.guard import what_guards\nprint(what_guards())"
    )
    told = in_sandbox(Guard(tmp_path.resolve() / "scratch"), "-c", program).stdout
    assert "isolates=False" in told
    assert "There is no sandbox on this machine (unshare: " in told
    assert what_guards().finding().severity == "ok"
    assert Protection(False, "", "unshare: refused").finding().severity == "advice"


def test_too_much_on_the_disk_ends_the_worker(start: Start) -> None:
    body = "for number in range(10**6): open(f'file{number}', 'wb').write(bytes(1 << 20)); time.sleep(0.002)"
    worker = start(body, disk_limit_bytes=32 << 20)
    with pytest.raises(WorkerLost, match=r"^disk-limit: 0\.\d GiB written to the scratch folder"):
        ask(worker)


def test_too_many_files_end_the_worker(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.worker_process.MOST_FILES", 50)
    with pytest.raises(WorkerLost, match=r"^disk-limit: more than 50 files"):
        ask(start("for number in range(100): open(f'file{number}', 'w')\ntime.sleep(60)"))


def test_memory_of_all_that_a_worker_starts_counts(start: Start) -> None:
    body = (
        "program = 'import time; kept = b\"x\" * (300 << 20); time.sleep(60)'\n"
        "subprocess.Popen([sys.executable, '-c', program], start_new_session=True).wait()"
    )
    with pytest.raises(WorkerLost, match=r"^memory-limit: "):
        ask(start(body), here=True, limit_bytes=200 << 20)


def test_nothing_outlives_a_worker_that_is_ended(start: Start) -> None:
    body = (
        "import threading\n"
        "found = []\n"
        "def daemon():\n"
        "    found.append(subprocess.Popen(['sleep', '60'], start_new_session=True).pid)\n"
        "    time.sleep(60)\n"
        "threading.Thread(target=daemon, daemon=True).start()\n"
        "while not found: time.sleep(0.01)\n"
        "return found[0]"
    )
    worker = start(body)
    pid = ask(worker)
    assert Path(f"/proc/{pid}/stat").exists()
    worker.kill()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_message_without_end_ends_the_worker(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.worker_process._MESSAGE_BYTES", 1 << 20)
    with pytest.raises(WorkerLost, match=r"^crashed: the worker sent more than 1 MiB"):
        ask(start("while True: stream.write('x' * 65536)"))


def test_disk_use_counts_blocks_and_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "sparse").write_bytes(b"")
    os.truncate(tmp_path / "sparse", 1 << 40)
    (tmp_path / "link").symlink_to("/usr")
    used, entries = disk_use(tmp_path)
    assert 100_000 <= used < 200_000
    assert entries == 4
    assert disk_use(tmp_path, most_files=2)[1] == 3


def test_the_disk_limit_is_a_share_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, allowed in ((10 << 30, 8 << 30), (1 << 50, 64 << 30)):
        monkeypatch.setattr(host.shutil, "disk_usage", lambda _, free=free: type("Usage", (), {"free": free}))
        assert Guard(tmp_path).allowed_bytes == pytest.approx(allowed)
    assert Guard(tmp_path, disk_limit_bytes=5).allowed_bytes == 5
    with pytest.raises(ValueError, match="absolute"):
        Guard(Path("scratch"))


def test_a_guarded_worker_without_namespaces_says_so_and_goes_on(tmp_path: Path) -> None:
    asked = Guard(tmp_path.resolve(), isolates=False)
    done = subprocess.run([sys.executable, SCRIPT, asked.prepare()], capture_output=True, text=True, check=True)
    assert asked.complaint(json.loads(done.stdout)) is None


@needs_sandbox
def test_files_that_a_models_links_lead_to_can_be_read_and_their_neighbours_cannot(tmp_path: Path) -> None:
    """Hugging Face's cache has a link for each file of a model."""
    root, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    (root / "variables").mkdir(parents=True)
    blobs.mkdir()
    for name in ("graph", "data", "other"):
        (blobs / name).write_text(name)
    (root / "saved_model.pb").symlink_to("../blobs/graph")
    (root / "variables" / "data").symlink_to("../../blobs/data")
    model = OwnModel("it@0", "saved-model", str(root), "0" * 64, 1, (), "random")
    guard = guard_for([model], tmp_path.resolve() / "scratch")
    done = in_sandbox(guard, "/bin/cat", str(root / "saved_model.pb"), str(root / "variables" / "data"))
    assert (done.stdout, done.returncode) == ("graphdata", 0)
    assert in_sandbox(guard, "/bin/cat", str(blobs / "other")).returncode != 0
