"""A real Slurm on this machine, without systemd: a controller and two nodes on loopback, which take turns.

Debian's `slurm-wlm` and `munge`. Both nodes are this host, so jobs ask for the one licence `host`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "scontrol")
NODES = {"n1": "h100", "n2": "a100"}

_CONF = """\
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmctldPort={controller}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={here}/munge.socket
StateSaveLocation={here}/state
SlurmctldPidFile={here}/slurmctld.pid
SlurmctldLogFile={here}/slurmctld.log
SlurmdPidFile={here}/slurmd-%n.pid
SlurmdLogFile={here}/slurmd-%n.log
SlurmdSpoolDir={here}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=5
GresTypes=gpu
MailProg=/bin/true
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=15
KillWait=5
MinJobAge=10
Licenses=host:1
JobCompType=jobcomp/filetxt
JobCompLoc={here}/jobs.txt
"""
_NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=8000 "
    "Gres=gpu:{feature}:1 Feature={feature}\n"
)
_PARTITION = "PartitionName=bench Nodes={nodes} Default=YES MaxTime=02:00:00 State=UP\n"


@dataclass
class Slurm:
    """A Slurm that runs, in its folder."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which its commands find it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *words: str) -> str:
        """Run one of its commands and return what it prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout

    def start(self, program: str, *words: str) -> None:
        """Start one of its daemons."""
        subprocess.run(
            [_found(program), *words],
            env=self.environment,
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=30,
        )

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End the daemon that wrote `name.pid`, and wait for it."""
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int((self.folder / f"{name}.pid").read_text())
            os.kill(pid, number)
            for _ in range(200):
                if not Path(f"/proc/{pid}").exists():
                    return
                time.sleep(0.05)

    def wait_idle(self, node: str, wait_s: float = 30.0) -> None:
        """Wait until a node takes jobs."""
        until = time.monotonic() + wait_s
        while "idle" not in self.ask("sinfo", "-h", "-n", node, "-o", "%T"):
            assert time.monotonic() < until, f"node {node} did not come up"
            time.sleep(0.1)


@contextlib.contextmanager
def running_slurm() -> Iterator[Slurm]:
    """Start a Slurm with the nodes n1 (h100) and n2 (a100), and end it; skips the test where there is none."""
    missing = [program for program in PROGRAMS if _found(program) is None]
    if missing or os.geteuid() != 0:
        said = f"no Slurm is here (missing: {', '.join(missing) or 'root'}): `apt-get install slurm-wlm munge` has one"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)  # munged refuses a socket below a folder that not all may pass
    slurm = Slurm(folder)
    try:
        _write(folder)
        here = [f"--{one}={folder}/munge.{one}" for one in ("socket",)]
        names = {
            "key-file": "munge.key",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "munged.seed",
        }
        slurm.start("munged", *here, *(f"--{option}={folder}/{name}" for option, name in names.items()))
        slurm.start("slurmctld", "-c")
        for node in NODES:
            slurm.start("slurmd", "-N", node)
        for node in NODES:
            slurm.wait_idle(node)
        yield slurm
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            slurm.ask("scancel", "--full", "-u", "root")
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
            slurm.stop(name)
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path) -> None:
    host = socket.gethostname().partition(".")[0]
    for name in ("state", *(f"spool/{node}" for node in NODES)):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    ports = _free_ports(len(NODES) + 1)
    conf = _CONF.format(host=host, here=folder, user="root", controller=ports[0])
    for (name, feature), port in zip(NODES.items(), ports[1:], strict=True):
        conf += _NODE.format(name=name, host=host, port=port, feature=feature)
    (folder / "slurm.conf").write_text(conf + _PARTITION.format(nodes=",".join(NODES)))
    gres = [f"NodeName={name} Name=gpu Type={feature} File=/dev/null\n" for name, feature in NODES.items()]
    (folder / "gres.conf").write_text("".join(gres))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
