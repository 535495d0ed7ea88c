"""The workflows, rehearsed: the commands of their steps on a real git remote, with a stand-in for gh."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_index import MINOR, LocalIndex
from rehearsed_nights import make_rehearsed

PROJECT = Path(__file__).parents[2]
WORKFLOWS = PROJECT / ".github" / "workflows"
PINNED = {
    "actions/checkout": "11bd71901bbe5b1630ceea73d27597364c9af683",
    "actions/setup-python": "a26af69be951a213d495a4c3e4e4022e16d87065",
    "actions/upload-artifact": "ea165f8d65b6e75b540449e92b4886f43607fa02",
    "actions/download-artifact": "d3f86a106a0bac45b974a628896c90dbdf5c8093",
    "actions/github-script": "60a0d83039c74a4aee543508d2ffcb1c3799cdea",
    "actions/upload-pages-artifact": "56afc609e74202658d3ffba0e8f6dda462b719fa",
    "actions/deploy-pages": "d6db90164ac5ed86f2b6aed7e0febac5b3c0c03e",
}
ENTRY = f'[[release]]\nversion = "2.21.0"\ndate = 2026-03-06\nnewest_python = "{MINOR}"\noldest_python = "{MINOR}"\n'
GH = """
import json, os, sys
from pathlib import Path
state = Path(os.environ["GH_STATE"])
issues = json.loads(state.read_text()) if state.exists() else []
words = sys.argv[1:]
def value(name):
    return words[words.index(name) + 1]
match words[:2]:
    case ["issue", "list"]:
        print(json.dumps(issues))
    case ["issue", "create"]:
        issue = {"number": len(issues) + 1, "state": "OPEN", "title": value("--title"), "body": value("--body")}
        issues.append({**issue, "comments": []})
    case ["issue", "comment"]:
        issues[int(words[2]) - 1]["comments"].append({"body": value("--body")})
    case ["issue", "edit"]:
        issues[int(words[2]) - 1]["body"] = value("--body")
    case ["issue", "close"]:
        issues[int(words[2]) - 1]["state"] = "CLOSED"
    case ["issue", "reopen"]:
        issues[int(words[2]) - 1]["state"] = "OPEN"
    case ["api", *_]:
        with open(os.environ["GH_STATE"] + ".api", "a") as log:
            log.write(json.dumps(words + ([sys.stdin.read()] if "body=@-" in words else [])) + "\\n")
        answers = json.loads(os.environ["GH_ANSWERS"])
        print(json.dumps(next((found for place, found in answers.items() if any(place in word for word in words)), [])))
state.write_text(json.dumps(issues))
"""


def steps(name: str, job: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())
    return list(document["jobs"][job]["steps"])


def all_workflows() -> list[tuple[str, dict[str, Any]]]:
    return [(path.name, yaml.safe_load(path.read_text())) for path in sorted(WORKFLOWS.glob("*.yml"))]


def test_every_action_is_pinned_by_a_known_commit():
    used = [line for path in WORKFLOWS.glob("*.yml") for line in re.findall(r"uses: +(\S+)", path.read_text())]
    mine = [one for one in used if "OWNER" not in one]
    assert mine
    for one in mine:
        action, _, commit = one.partition("@")
        assert PINNED[action] == commit


@pytest.mark.parametrize(("name", "document"), all_workflows())
def test_a_workflow_may_do_nothing_that_a_job_does_not_say(name, document):
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        writes = [scope for scope, access in job["permissions"].items() if access == "write"]
        runs = " ".join(step.get("run", "") for step in job["steps"])
        measures = re.search(r"savedmodel-bench (nightly|compare)", runs) or "make " in runs
        assert not (measures and writes), name
        assert all("persist-credentials" in step["with"] for step in job["steps"] if "checkout" in step.get("uses", ""))


class Rehearsal:
    """A repository with its remote, a package index and a runner whose jobs begin in fresh clones."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.index = LocalIndex(folder / "index", monkeypatch)
        self.index.add("tensorflow-cpu", "2.21.0")
        self.index.add("tensorflow", "2.21.0")
        self.origin, seed, tools = folder / "origin.git", folder / "seed", folder / "bin"
        seed.mkdir()
        (seed / "releases.toml").write_text(ENTRY)
        (seed / ".gitignore").write_text(".venv\n.environments\n.builds\nresults\nnight.json\n*.json\n")
        make_rehearsed(seed)
        tools.mkdir()
        self._script(tools / "gh", GH)
        who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
        subprocess.run(["git", "init", "-q", "-b", "main", "--bare", self.origin], check=True)
        for words in (
            ("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-qm", "begin"),
            ("push", "-q", str(self.origin), "main"),
        ):  # fmt: skip
            subprocess.run(["git", *words], cwd=seed, check=True)
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "tests" / "builders"))),
            "GH_STATE": str(folder / "issues.json"),
            "GH_ANSWERS": "{}",
        }
        self.larger: dict[str, float] = {}

    def _script(self, path: Path, text: str) -> None:
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)

    def clone(self, name: str) -> Path:
        """Return a fresh clone with the command in its .venv, as the step `Install` leaves it."""
        place = self.folder / name
        subprocess.run(["git", "clone", "-q", self.origin, place], check=True)
        (place / ".venv" / "bin").mkdir(parents=True)
        (place / ".environments").mkdir()
        (place / "larger.json").write_text(json.dumps(self.larger))
        more = ["--preset", "rehearsed.toml", "--python", MINOR]
        text = (
            "import os, sys\n"
            "words = sys.argv[1:]\n"
            f"words += {more!r} + ['--night', os.environ['NIGHT']] if words[0] == 'nightly' else []\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'tests.builders.rehearsed_nights', *words])\n"
        )
        self._script(place / ".venv" / "bin" / "savedmodel-bench", text)
        return place

    def job(self, workflow: str, job: str, place: Path, night: str) -> int:
        """Run a job's own steps but its set-up, and return the exit code of the first that failed."""
        document = yaml.safe_load((WORKFLOWS / f"{workflow}.yml").read_text())
        environment = {**self.environment, **document.get("env", {}), "NIGHT": night}
        for step in steps(workflow, job):
            if "run" not in step or step["name"] == "Install":
                continue
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=place, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                assert "Traceback" not in done.stderr, done.stderr
                assert "gh" not in done.stderr or done.returncode in (0, 1), done.stderr
                return done.returncode
        return 0

    def night(self, number: int) -> dict[str, Any]:
        """Run a night's workflow and return its exit codes and JSON."""
        night = f"2026-09-0{number}"
        measuring = self.clone(f"measure{number}")
        codes = {"measure": self.job("nightly-cpu", "measure", measuring, night)}
        for job in ("keep", "tell", "page"):
            place = self.clone(f"{job}{number}")
            shutil.copy(measuring / "night.json", place)
            for part in ("nights", "runs"):
                shutil.copytree(measuring / "results" / part, place / "results" / part)
            codes[job] = self.job("nightly-cpu", job, place, night)
        assert (place / "site" / "index.html").read_text().startswith("<!")
        return {**codes, "night": json.loads((measuring / "night.json").read_text())}

    def issues(self) -> list[dict[str, Any]]:
        file = self.folder / "issues.json"
        return list(json.loads(file.read_text())) if file.exists() else []


@pytest.fixture
def rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    return Rehearsal(tmp_path, monkeypatch)


@pytest.mark.slow
def test_three_nights_told_once_confirmed_closed(rehearsal: Rehearsal) -> None:
    rehearsal.index.add("tf-nightly-cpu", "2.22.0.dev20260901")
    first = rehearsal.night(1)
    assert {first[job] for job in ("measure", "keep", "tell", "page")} == {0}
    assert rehearsal.issues() == []

    rehearsal.index.add("tf-nightly-cpu", "2.22.0.dev20260902")
    rehearsal.larger = {"dev20260902": 1.2}
    second = rehearsal.night(2)
    assert (second["measure"], second["keep"], second["tell"], second["page"]) == (0, 0, 1, 0)
    assert second["night"]["baselines"][0]["name"] == "v2.22.0.dev20260901"
    found = second["night"]["findings"]
    assert {(one["metric"], one["state"]) for one in found} == {("artifact_bytes", "new")}
    issues = rehearsal.issues()
    assert [one["state"] for one in issues] == ["OPEN"] * len(found)
    assert "Confirmed in the night of 2026-09-02" in issues[0]["body"]
    assert rehearsal.job("nightly-cpu", "tell", rehearsal.folder / "tell2", "2026-09-02") == 1
    assert rehearsal.issues() == issues

    rehearsal.index.add("tf-nightly-cpu", "2.22.0.dev20260903")
    third = rehearsal.night(3)
    assert {third[job] for job in ("measure", "keep", "tell", "page")} == {0}
    issues = rehearsal.issues()
    assert [one["state"] for one in issues] == ["CLOSED"] * len(found)
    assert "Gone in the night of 2026-09-03" in issues[0]["comments"][-1]["body"]
    log = subprocess.run(
        ["git", "log", "--format=%s", "benchmark-results"],
        cwd=rehearsal.origin,
        capture_output=True,
        text=True,
        check=True,
    )
    assert log.stdout.splitlines() == ["Results of a night"] * 3


COMMIT = "a" * 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pulls", "comments", "method"),
    [
        ([{"number": 7, "state": "open", "head": {"sha": COMMIT}}], [], "POST"),
        (
            [{"number": 7, "state": "open", "head": {"sha": COMMIT}}],
            [{"id": 5, "body": "<!-- savedmodel-bench comment -->\nolder"}],
            "PATCH",
        ),
        ([{"number": 7, "state": "open", "head": {"sha": "b" * 40}}], [], None),
    ],
)
def test_a_comment_goes_to_the_pull_request_of_the_commit_that_was_measured(
    rehearsal: Rehearsal, pulls: Any, comments: Any, method: str | None
) -> None:
    place = rehearsal.clone("comment")
    (place / "measured").mkdir()
    (place / "measured" / "report.md").write_text("all is well")
    rehearsal.environment |= {
        "GITHUB_REPOSITORY": "someone/project",
        "COMMIT": COMMIT,
        "GH_ANSWERS": json.dumps({"/comments": comments, "pulls": pulls}),
    }
    assert rehearsal.job("pull-request-comment", "comment", place, "-") == 0
    calls = [json.loads(line) for line in (rehearsal.folder / "issues.json.api").read_text().splitlines()]
    written = [call for call in calls if "--method" in call]
    assert [call[2] for call in written] == ([] if method is None else [method])
    if method:
        assert written[0][-1] == "<!-- savedmodel-bench comment -->\nall is well"
