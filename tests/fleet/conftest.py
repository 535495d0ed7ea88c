"""A Slurm for the tests: simulated, or a real one that all tests of a session share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import fake_slurm
import pytest
from real_slurm import Slurm, running_slurm

import harness.fleet.work as working


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a simulated Slurm, which is first on PATH."""
    folder = tmp_path / "slurm"
    fake_slurm.install(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def by_hand(fake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A simulated Slurm that keeps jobs waiting; looking at the machine takes no time."""
    (fake / "manual").touch()
    monkeypatch.setattr(working, "host_findings", list)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield fake
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def session_slurm() -> Iterator[Slurm]:
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture
def real(session_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """A real Slurm with the nodes n1 (h100) and n2 (a100)."""
    monkeypatch.setenv("SLURM_CONF", str(session_slurm.folder / "slurm.conf"))
    return session_slurm


@pytest.fixture(params=["simulated", "real"])
def slurm(request: pytest.FixtureRequest) -> Path | Slurm:
    """Either of them: what holds for one has to hold for the other."""
    found: Path | Slurm = request.getfixturevalue("fake" if request.param == "simulated" else "real")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Jobs are processes: nothing with them is fast."""
    for item in items:
        if Path(__file__).parent in item.path.parents and {"slurm", "real"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
