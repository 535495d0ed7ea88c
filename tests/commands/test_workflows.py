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
from local_index import MINOR, LocalIndex, tensorflow_wheel
from rehearsed_nights import make_rehearsed

from harness.cli import main

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


class Runners:
    """Runners of measure-fleet.yml, each with the caller's repository in a workspace of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.index = folder, LocalIndex(folder / "index", monkeypatch)
        self.caller = folder / "caller"
        self.caller.mkdir()
        make_rehearsed(self.caller)
        for version in ("2.20.0", "2.21.0"):
            tensorflow_wheel(self.caller, "tensorflow-cpu", version)
        old, new = sorted(path.name for path in self.caller.glob("*.whl"))
        (self.caller / "fleet.toml").write_text("[fast]\n[slow]\nnodes = 2\n")
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "tests" / "builders"))),
            "RUNNERS": '{"fast": "ubuntu-24.04", "slow": ["self-hosted", "old"]}',
            "FLEET": "fleet.toml", "MODEL": "", "OLD": old, "NEW": new, "PRESET": "../caller/rehearsed.toml",
        }  # fmt: skip

    def job(self, job: str, place: str, larger: dict[str, float] | None = None, **variables: str) -> tuple[Path, int]:
        """Run a job's own steps in a new workspace; return it and the exit code of the first step that failed."""
        workspace = self.folder / place
        shutil.copytree(self.caller, workspace / "caller")
        command = workspace / ".venv" / "bin" / "savedmodel-bench"
        command.parent.mkdir(parents=True)
        command.write_text(
            f"#!{sys.executable}\nimport os, sys\nfrom pathlib import Path\n"
            f"if sys.argv[1] == 'compare':\n    Path('larger.json').write_text({json.dumps(larger or {})!r})\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'tests.builders.rehearsed_nights', *sys.argv[1:]])\n"
        )
        command.chmod(0o755)
        environment = {**self.environment, "GITHUB_OUTPUT": str(workspace / "outputs"), **variables}
        for step in steps("measure-fleet", job):
            if "run" in step and step["name"] != "Install":
                done = subprocess.run(
                    ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                    cwd=workspace, env=environment, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert "Traceback" not in done.stderr, done.stderr
                if done.returncode:
                    print(done.stdout, done.stderr)
                    return workspace, done.returncode
        return workspace, 0


@pytest.mark.slow
def test_several_runners_measure_and_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runners = Runners(tmp_path, monkeypatch)
    planned, code = runners.job("plan", "planned")
    assert code == 0
    matrix = json.loads((planned / "outputs").read_text().removeprefix("matrix="))["include"]
    assert sorted(entry["type"] for entry in matrix) == ["fast", "slow", "slow"]
    artifacts = tmp_path / "artifacts"
    (artifacts / "plan").mkdir(parents=True)
    shutil.copy(planned / "plan.json", artifacts / "plan")
    for entry in matrix:
        larger = {"2.21": 1.5} if entry["type"] == "slow" else {}
        measured, code = runners.job("measure", entry["job"], larger, COMMAND=entry["command"])
        assert code == 0
        shutil.copytree(measured / "bench" / "results" / "runs", artifacts / entry["job"])

    def answer(place: str) -> tuple[str, int]:
        (tmp_path / place).mkdir()
        shutil.copytree(artifacts, tmp_path / place / "artifacts")
        answered, code = runners.job("answer", place)
        return (answered / "report.md").read_text(), code

    report, code = answer("answered")
    assert code == 1
    assert "only on slow" in report
    assert "fast 100" in report
    assert "slow 100" in report
    monkeypatch.chdir(tmp_path / "answered" / "bench")
    assert main(["fleet", "report", "--nights", "3"]) == 0
    assert "(regression) since" in " ".join(capsys.readouterr().out.split())

    shutil.rmtree(artifacts / next(entry["job"] for entry in matrix if entry["type"] == "fast"))
    report, code = answer("lacking")
    assert code == 1
    assert "its runner left no results" in report
