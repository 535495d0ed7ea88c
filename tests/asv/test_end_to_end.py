"""Every asv command of the README on real TensorFlow releases, on the smallest model; asserts what each one did."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.asv.repo import ReleaseRepo
from harness.releases.pythons import running_python_minor

ROOT = Path(__file__).resolve().parents[2]
IMPORT = "track_import_s"
LOAD = "track_load_warm_s"
SAVE = "track_save_first_s"
GRAPH = "track_graph_nodes"
MINOR = running_python_minor()
CELL = r"\('cpu', 'mlp-xs'"
# One release that no Python of the harness can install, one that does not exist, and the two that are measured.
RELEASES = """\
[[release]]
version = "2.9.1"
date = 2022-05-01
newest_python = "3.10"

[[release]]
version = "2.19.9"
date = 2025-08-12

[[release]]
version = "2.20.0"
date = 2025-08-13
newest_python = "3.13"

[[release]]
version = "2.21.0"
date = 2026-03-06
newest_python = "3.13"
"""


class Checkout:
    """A copy of what asv needs of the project; environments are those of the project itself."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "releases.toml").write_text(RELEASES)
        shutil.copy(ROOT / "asv.conf.json", root)
        for folder in ("benchmarks", "locks", "results/reference"):
            if (ROOT / folder).exists():
                shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        (ROOT / ".environments").mkdir(exist_ok=True)
        (root / ".environments").symlink_to(ROOT / ".environments")
        (root / "home").mkdir()

    def asv(self, *arguments: str, code: int = 0) -> str:
        """Run asv with an empty HOME and return all that it said; its exit code has to be `code`."""
        # The harness's own Python alone: each that runs the tests is tried.
        here = {"HOME": str(self.root / "home"), "UV_PYTHON_SEARCH_PATH": "/nowhere"}
        environ = dict(os.environ, SAVEDMODEL_BENCH_WHEEL="cpu", **here)
        # uv's cache stays where it is, so that environments are linked from it.
        environ.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
        done = subprocess.run(
            [sys.executable, "-m", "asv", *arguments],
            cwd=self.root,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, f"asv {' '.join(arguments)}\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def stored(self, name: str) -> dict[str, Any] | None:
        """Return asv's result file of a release, None where there is none."""
        ident = ReleaseRepo(str(self.root / "releases.toml")).get_hash_from_name(name)
        found = list((self.root / "results" / "asv").glob(f"*/{ident[:8]}-*.json"))
        assert len(found) <= 1
        return json.loads(found[0].read_text()) if found else None

    def value(self, name: str, benchmark: str) -> float | None:
        """Return a release's value for the cell that is measured here; None for n/a, failed or not there."""
        stored = self.stored(name)
        entry = (stored or {"results": {}})["results"].get(f"savedmodel.{benchmark}")
        value = entry[0][0] if entry and entry[0] else None
        return None if value is None or math.isnan(value) else value

    def started(self, name: str, benchmark: str) -> float:
        stored = self.stored(name)
        assert stored is not None
        columns = stored["result_columns"]
        return stored["results"][f"savedmodel.{benchmark}"][columns.index("started_at")]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_command_does_what_it_is_for(tmp_path):
    project = Checkout(tmp_path)
    project.asv("machine", "--yes")

    # The newest release alone; import needs no model, so it is what is measured wherever any value will do.
    project.asv("run", "-b", "import_s")
    imported = project.value("v2.21.0", IMPORT)
    assert imported is not None
    assert 0.5 < imported < 120
    assert project.stored("v2.20.0") is None

    # One release alone, by benchmark and parameter; what was there stays.
    project.asv("run", "v2.21.0", "-b", f"{LOAD}{CELL}", "-b", f"{SAVE}{CELL}", "-b", f"{GRAPH}{CELL}")
    assert project.value("v2.21.0", IMPORT) == imported
    loaded = project.value("v2.21.0", LOAD)
    assert loaded is not None
    assert 0.001 < loaded < 30
    nodes = project.value("v2.21.0", GRAPH)
    assert nodes is not None
    assert nodes > 10
    assert nodes == int(nodes)
    assert project.stored("v2.20.0") is None
    saved = project.value("v2.21.0", SAVE)

    # Both ends of a range; a part replaces its own values and no others.
    said = project.asv("run", "v2.20.0..v2.21.0", "-b", "import_s")
    assert "v2.20.0..v2.21.0 has both its ends: 2 releases" in said
    assert project.value("v2.20.0", IMPORT) is not None
    assert project.value("v2.20.0", SAVE) is None
    assert project.value("v2.21.0", IMPORT) != imported
    assert project.value("v2.21.0", LOAD) == loaded
    assert project.value("v2.21.0", SAVE) == saved
    assert project.value("v2.21.0", GRAPH) == nodes

    # Nothing is newer than the newest; without its results, it is what is new.
    assert "No commit hashes selected" in project.asv("run", "NEW", "-b", "import_s", code=1)
    ident = ReleaseRepo(str(project.root / "releases.toml")).get_hash_from_name("v2.21.0")
    for path in (project.root / "results" / "asv").glob(f"*/{ident[:8]}-*.json"):
        path.unlink()
    before = project.started("v2.20.0", IMPORT)
    project.asv("run", "NEW", "-b", "import_s")
    assert project.value("v2.21.0", IMPORT) is not None
    assert project.started("v2.20.0", IMPORT) == before

    # All: the two that cannot be installed get a sentence each, the others go on.
    said = project.asv("run", "ALL", "-b", f"{LOAD}{CELL}", code=2)
    assert "v2.9.1 needs Python 3.9 to 3.10, and this machine has " in said
    assert "v2.19.9 cannot be installed as cpu wheel under policy today" in said
    assert f"Python {MINOR}: v2.19.9, v2.20.0, v2.21.0" in said
    assert project.stored("v2.9.1") is None
    assert project.value("v2.19.9", LOAD) is None
    assert project.value("v2.20.0", LOAD) is not None
    assert project.value("v2.21.0", LOAD) is not None

    said = project.asv("continuous", "v2.20.0", "v2.21.0", "--factor", "100", "-b", "import_s")
    assert "BENCHMARKS NOT SIGNIFICANTLY CHANGED" in said
    assert "`savedmodel-bench compare OLD NEW`" in said
    assert project.started("v2.20.0", IMPORT) > before

    said = project.asv("compare", "v2.20.0", "v2.21.0")
    assert f"{LOAD}('cpu', 'mlp-xs', 'tf-module/tf-load')" in said
    assert "<v2.20.0>" in said
    assert "`savedmodel-bench compare OLD NEW`" in said

    said = project.asv("show", "v2.21.0")
    assert f"savedmodel.{LOAD}" in said
    assert "Commit: v2.21.0" in said

    said = project.asv("find", "v2.20.0..v2.21.0", "import_s")
    assert "2 releases" in said
    assert "<v2.21.0>" in said

    project.asv("publish")
    html = project.root / "results" / "html"
    index = json.loads((html / "index.json").read_text())
    assert index["tags"] == {"v2.9.1": 0, "v2.19.9": 1, "v2.20.0": 2, "v2.21.0": 3}
    assert index["revision_to_date"]["3"] == 1772755200000
    assert "regressions" in json.loads((html / "regressions.json").read_text())
    assert (html / "index.html").exists()
    # One graph per metric, its x-axis the releases.
    (graph,) = [path for path in html.glob(f"graphs/**/savedmodel.{LOAD}.json") if "summary" not in path.parts]
    points = dict(json.loads(graph.read_text()))
    assert {2, 3} <= points.keys()
    assert isinstance(points[3][0], float)

    # Unknown releases and -j: one sentence, nothing run.
    assert "There is no release 'v9.9'" in project.asv("run", "v9.9", code=1)
    assert "-j is not supported" in project.asv("run", "v2.21.0", "-j", "2", code=1)
