"""Counting a plan's work: how many processes, what is kept, and what is said of what could not be counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stored_runs import PROJECT, project_root, store_run

from harness.measure.plan import Plan, name_subjects
from harness.measure.presets import Cell, Group, Preset
from harness.measure.progress import Silent
from harness.measure.work import count_work
from harness.releases.environments import Environment
from harness.releases.manifest import read_manifest
from harness.store.runs import RunDirectory
from harness.store.work import Counted, read_work

# Speaks the worker's protocol; what it counts stands in a file, a number for each of its processes.
WORKER = """#!{python}
import json, os, socket, sys, time
if sys.argv[1] == "-I":
    print("3.11.7")
    sys.exit()
folder = {folder!r}
asked = json.load(open(folder + "/counts.json"))
number = len(os.listdir(folder + "/started"))
open(folder + "/started/%d" % number, "w").write(json.dumps([sys.argv[3:], dict(os.environ)]))
stream = socket.socket(fileno=int(sys.argv[2])).makefile("rw")
def counted(name):
    calls = asked[name]
    calls = calls[min(number, len(calls) - 1)] if isinstance(calls, list) else calls
    return {{"calls": calls, "by_module": {{"re": calls}}, "other_threads": asked.get("threads", 0)}}
def say(**message):
    stream.write(json.dumps(message) + "\\n")
    stream.flush()
rest = {{"phases": [], "taints": [], "metrics": [], "absent": []}}
say(hello=dict(rest, evidence={{"work": {{"import": counted("import")}}}}, provenance={{"python": "3.11.7"}},
               began=time.monotonic()))
for line in stream:
    request = json.loads(line)
    operation = request["operation"]
    open(folder + "/asked", "a").write(operation + "\\n")
    if asked.get("dies") == operation:
        sys.exit(1)
    status = "failed" if asked.get("fails") == operation else "unsupported" if asked.get("lacks") == operation else "ok"
    names = {{"save": ["save_first", "save_later"], "load": ["load", "load_again", "first_call"]}}
    work = {{name: counted(name) for name in names[operation]}}
    say(done=dict(rest, status=status, reason=None if status == "ok" else "raised: no",
                  evidence={{"work": work}}))
"""

CELL = Cell("cpu", "mlp-s", "tf-module", "tf-load")
GROUP = Group((CELL, replace(CELL, device="gpu")), {"save": 1, "warm": 2}, 1, 0, (1,), 0.1, None, False)
SAVE, LOAD = "save_first/cpu/mlp-s/tf-module", "load_warm/cpu/mlp-s/tf-module/tf-load"
EXACT = {
    "import": 1000, "save_first": 200, "save_later": 100, "load": 50, "load_again": 40, "first_call": 5,
}  # fmt: skip


class Counting:
    """A project with one release whose worker is played, and runs that count its work."""

    def __init__(self, folder: Path) -> None:
        self.root = project_root(folder / "project")
        self.folder = folder / "worker"
        (self.folder / "started").mkdir(parents=True)
        python = self.folder / "python"
        python.write_text(WORKER.format(python=sys.executable, folder=str(self.folder)))
        python.chmod(0o755)
        release = read_manifest(PROJECT / "releases.toml").find("v2.21.0")
        self.environment = Environment(
            "tf-2.21.0-cpu-today-py311", release, python, "cpu", "today", "3.11", "sha256:one", "3.15.1", True
        )

    def run(
        self, counts: Mapping[str, Any], *, kind: str = "compare", work: bool = True, budget_s: float | None = None,
        into: RunDirectory | None = None, **changed: Any,
    ) -> dict[str, Counted]:  # fmt: skip
        """Count in a new run, or in one that there is, and return what it holds of the release."""
        (self.folder / "counts.json").write_text(json.dumps(counts))
        environment = replace(self.environment, **changed)
        preset = Preset("tiny", "tiny", 0.1, 2, 10.0, 4.0, (GROUP,), work=work)
        machine: Any = None  # which counting does not ask for
        plan = Plan(kind, preset, name_subjects([environment, environment]), machine, 1, "fork")
        self.last = into or store_run(self.root, [])
        count_work(self.root, self.last, plan, Silent(), budget_s)
        subjects = read_work(self.last)[0]
        assert subjects.get("v2.21.0") == subjects.get("v2.21.0#2")
        return subjects["v2.21.0"].counts if subjects else {}

    @property
    def processes(self) -> int:
        """How many workers were started so far."""
        return len(list((self.folder / "started").iterdir()))

    def started_with(self) -> tuple[list[str], dict[str, str]]:
        """Return the last arguments of the first worker and its variables."""
        arguments, variables = json.loads((self.folder / "started" / "0").read_text())
        return arguments, variables


@pytest.fixture(name="counting")
def _counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def test_what_does_not_vary_is_counted_twice_and_then_kept(counting: Counting) -> None:
    first = counting.run(EXACT)
    assert (first["import"].calls, first[SAVE].calls, first[LOAD].calls) == ((1000, 1000), (200, 200), (50, 50))
    assert set(first) == {
        "import", SAVE, SAVE.replace("first", "later"), LOAD,
        *(f"{name}/cpu/mlp-s/tf-module/tf-load" for name in ("load_again", "first_call")),
    }  # fmt: skip
    assert counting.processes == 2
    assert counting.run(EXACT) == first
    assert counting.processes == 2


def test_a_counting_worker_is_told_so_and_has_fixed_conditions(counting: Counting) -> None:
    counting.run(EXACT)
    arguments, variables = counting.started_with()
    assert arguments == ["null", "count"]
    pinned = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": "-1"}
    assert pinned.items() <= variables.items()


def test_what_varies_is_counted_a_third_time_and_nothing_else(counting: Counting) -> None:
    found = counting.run({**EXACT, "save_first": [200, 202, 201]})
    assert (found[SAVE].calls, found[SAVE].middle, found[LOAD].calls) == ((200, 202, 201), 201, (50, 50))
    assert (counting.folder / "asked").read_text().split() == ["save", "load", "save", "load", "save"]


def test_a_single_call_in_a_hundred_thousand_is_not_worth_a_third_process(counting: Counting) -> None:
    assert counting.run({**EXACT, "save_first": [100_000, 100_001, 7]})[SAVE].calls == (100_000, 100_001)
    assert counting.processes == 2


def test_another_lock_is_counted_anew(counting: Counting) -> None:
    counting.run(EXACT)
    before = counting.processes
    assert counting.run({**EXACT, "import": 2000}, lock_digest="sha256:two")["import"].calls == (2000, 2000)
    assert counting.processes > before


def test_an_interpreter_of_ones_own_is_counted_in_every_run_but_once_in_each(counting: Counting) -> None:
    counting.run(EXACT, lock_digest=None)
    run = counting.last
    assert counting.run({**EXACT, "import": 2000}, lock_digest=None)["import"].calls == (2000, 2000)
    assert counting.run({**EXACT, "import": 3000}, lock_digest=None, into=run)["import"].calls == (1000, 1000)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"fails": "save"}, "raised: no"),
        ({"dies": "save"}, "crashed: exit status 1"),
        ({"threads": 1}, "other-threads"),
    ],
)
def test_what_cannot_be_counted_says_why_and_is_not_kept(
    counting: Counting, trouble: dict[str, Any], reason: str
) -> None:
    found = counting.run({**EXACT, **trouble})
    for key in (SAVE, LOAD):
        assert found[key].calls == ()
        assert str(found[key].reason).startswith(reason)
    assert counting.run(EXACT)[SAVE].calls == (200, 200)


def test_a_release_that_fails_to_load_keeps_what_was_counted_of_its_save(counting: Counting) -> None:
    found = counting.run({**EXACT, "fails": "load"})
    assert (found[SAVE].calls, found[LOAD].reason) == ((200, 200), "raised: no")


def test_what_a_release_cannot_do_is_not_tried_in_every_run(counting: Counting) -> None:
    found = counting.run({**EXACT, "lacks": "save"})
    assert (found[SAVE].reason, found[LOAD].reason) == ("unsupported: raised: no", "unsupported: raised: no")
    before = counting.processes
    assert counting.run(EXACT) == found
    assert counting.processes == before


def test_counting_takes_a_tenth_of_a_time_limit_at_most(counting: Counting) -> None:
    assert counting.run(EXACT, budget_s=1e-6)["import"].reason == ("no-time: the time limit left no room to count it")
    assert counting.processes == 0


@pytest.mark.parametrize("plan", [{"work": False}, {"kind": "calibrate"}, {"kind": "asv"}])
def test_nothing_is_counted_where_nobody_asks(counting: Counting, plan: dict[str, Any]) -> None:
    assert counting.run(EXACT, **plan) == {}
    assert counting.processes == 0
