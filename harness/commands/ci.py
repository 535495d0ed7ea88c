"""`savedmodel-bench ci`: what the workflows do beside measuring: results on a branch, an issue a finding, a comment."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.releases.project import find_root
from harness.store.runs import results_path

HELP = "keep results on a branch, tell findings as issues, comment a pull request (for workflows; uses git and gh)"

LABEL = "savedmodel-bench"
_MARK = "<!-- savedmodel-bench {} -->"
_COMMENT = _MARK.format("comment")
_LONGEST = 60_000
"""Characters of a comment or an issue; GitHub takes 65,536."""
_KEPT = ("nights", "runs")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=text)

    for name, text in (
        ("restore", "put the results of a branch into results/; nothing where there is no such branch yet"),
        ("keep", "commit results/ to a branch of their own and push it"),
    ):
        keeping = action(name, text)
        keeping.add_argument("--branch", default="benchmark-results", metavar="NAME", help="(default: %(default)s)")
        keeping.add_argument("--remote", default="origin", metavar="NAME", help="(default: %(default)s)")
    telling = action(
        "issues", "open an issue for each new finding of a night, and close those of findings that are gone"
    )
    telling.add_argument("night", type=Path, metavar="FILE", help="what `nightly --format json` wrote")
    ending = action("verdict", "end with the exit code of a night, so that the job is red when the night is")
    ending.add_argument("night", type=Path, metavar="FILE", help="what `nightly --format json` wrote")
    commenting = action("comment", "write a report below a pull request, in place of the one that was written before")
    commenting.add_argument("report", type=Path, metavar="FILE", help="the report, in Markdown")
    commenting.add_argument(
        "--commit", required=True, metavar="SHA", help="the commit that was measured: the newest of it"
    )


def run(options: argparse.Namespace) -> int:
    """Do it, and return 0, or the night's exit code."""
    match options.action:
        case "restore":
            restore(find_root(), options.branch, options.remote)
        case "keep":
            keep(find_root(), options.branch, options.remote)
        case "issues":
            tell_issues(_night(options.night))
        case "verdict":
            return int(_night(options.night)["exit_code"])
        case _:
            comment(options.report, options.commit)
    return 0


def restore(root: Path, branch: str, remote: str) -> None:
    """Fetch a branch and put its files into the results; without such a branch there is nothing to do."""
    known = _git(root, "ls-remote", "--heads", remote, branch)
    if not known.strip():
        print(f"There is no branch {branch} yet, so this is the first night.", file=sys.stderr)
        return
    _git(root, "fetch", "--quiet", "--depth=1", remote, branch)
    archive = subprocess.run(["git", "archive", "FETCH_HEAD"], cwd=root, capture_output=True, check=True).stdout
    folder = results_path(root)
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)


def keep(root: Path, branch: str, remote: str) -> None:
    """Commit nights and runs to a branch that holds nothing else, and push it."""
    index = {
        **os.environ,
        "GIT_INDEX_FILE": str(results_path(root) / ".index"),
        "GIT_WORK_TREE": str(results_path(root)),
    }
    folder = _git(root, "rev-parse", "--absolute-git-dir").strip()
    there = [name for name in _KEPT if (results_path(root) / name).is_dir()]
    if not there:
        raise UsageError("There are no results to keep: measure a night first.")
    known = _git(root, "ls-remote", "--heads", remote, branch).split()
    parents: Sequence[str] = ()
    if known:
        _git(root, "fetch", "--quiet", "--depth=1", remote, branch)
        parents = ("-p", known[0])
        _git(root, "--git-dir", folder, "read-tree", "FETCH_HEAD", variables=index)
    _git(root, "--git-dir", folder, "add", "--force", "--", *there, variables=index)
    tree = _git(root, "--git-dir", folder, "write-tree", variables=index).strip()
    who = ("-c", f"user.name={LABEL}", "-c", f"user.email={LABEL}@users.noreply.github.com")
    commit = _git(root, *who, "commit-tree", tree, *parents, "-m", "Results of a night").strip()
    _git(root, "push", "--quiet", remote, f"{commit}:refs/heads/{branch}")
    (results_path(root) / ".index").unlink(missing_ok=True)


def tell_issues(night: dict[str, Any]) -> None:
    """Open, update and close issues: one a finding, known by a mark in its text; told twice it changes nothing."""
    findings = night["findings"]
    if not findings:
        print("There are no findings to tell.", file=sys.stderr)
        return
    _gh("label", "create", LABEL, "--force", "--description", "A performance regression that a night confirmed")
    listed = _gh(
        "issue", "list", "--label", LABEL, "--state", "all", "--limit", "500", "--json", "number,state,body,comments"
    )
    issues = {_marked(one["body"]): one for one in json.loads(listed or "[]")}
    for one in findings:
        issue = issues.get(one["id"])
        if issue is None:
            if one["state"] != "gone":
                _gh("issue", "create", "--label", LABEL, "--title", _title(one), "--body", _body(one, night))
            continue
        number, is_open = str(issue["number"]), issue["state"].upper() == "OPEN"
        told = _told(one, night)
        if any(told in comment["body"] for comment in issue["comments"]) or told in issue["body"]:
            continue
        if one["state"] == "gone":
            if is_open:
                _gh("issue", "comment", number, "--body", told)
                _gh("issue", "close", number, "--reason", "completed")
        elif one["state"] == "new":
            if not is_open:
                _gh("issue", "reopen", number)
            _gh("issue", "comment", number, "--body", told)
        elif is_open:
            _gh("issue", "edit", number, "--body", _body(one, night))


def comment(report: Path, commit: str) -> None:
    """Write a report below the open pull request whose newest commit was measured; without one nothing is written."""
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise UsageError(f"{commit!r} is no commit: give its 40 digits.")
    text = _read(report)
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UsageError("GITHUB_REPOSITORY does not name a repository: run this in a workflow.")
    found = json.loads(_gh("api", f"repos/{repository}/commits/{commit}/pulls") or "[]")
    numbers = [one["number"] for one in found if one["state"] == "open" and one["head"]["sha"] == commit]
    if not numbers:
        # Of a fork's commit the repository lists no pull request; an open one that has it as its head is looked for.
        pulls = json.loads(_gh("api", f"repos/{repository}/pulls?state=open&per_page=100") or "[]")
        numbers = [one["number"] for one in pulls if one["head"]["sha"] == commit]
    if not numbers:
        print(f"No open pull request has {commit[:12]} as its newest commit, so nothing is commented.", file=sys.stderr)
        return
    body = f"{_COMMENT}\n{text[:_LONGEST]}"
    comments = json.loads(_gh("api", f"repos/{repository}/issues/{numbers[0]}/comments?per_page=100") or "[]")
    mine = [one["id"] for one in comments if one["body"].startswith(_COMMENT)]
    place = (
        f"repos/{repository}/issues/comments/{mine[0]}" if mine else f"repos/{repository}/issues/{numbers[0]}/comments"
    )
    _gh("api", "--method", "PATCH" if mine else "POST", place, "--field", "body=@-", stdin=body)


def _night(path: Path) -> dict[str, Any]:
    try:
        night = json.loads(_read(path))
        known = {"night", "findings", "exit_code", "build"} <= night.keys()
    except (ValueError, AttributeError):
        known = False
    if not known:
        raise UsageError(f"{path} does not hold a night: give what `savedmodel-bench nightly --format json` wrote.")
    return dict(night)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): give the file that the night wrote.") from None


def _marked(body: str) -> str | None:
    found = re.search(_MARK.format(r"finding ([0-9a-f]+)"), body or "")
    return None if found is None else found[1]


def _title(one: dict[str, Any]) -> str:
    return f"{one['metric']} of {one['model']} on {one['device']} is worse since {one['build']}"


def _told(one: dict[str, Any], night: dict[str, Any]) -> str:
    words = {"new": "Confirmed", "gone": "Gone", "open": "Still there", "accepted": "Accepted"}
    return f"{words[one['state']]} in the night of {night['night']} ({night['build']['name']})."


def _body(one: dict[str, Any], night: dict[str, Any]) -> str:
    accept = f"savedmodel-bench nightly accept {one['id']} --until DATE --why TEXT"
    return "\n\n".join(
        (
            _MARK.format(f"finding {one['id']}"),
            one["text"],
            _told(one, night),
            f"If it is known and nobody needs to hear of it: `{accept}`. This issue is closed when it is gone.",
        )
    )[:_LONGEST]


def _git(root: Path, *words: str, variables: dict[str, str] | None = None) -> str:
    return _run(["git", *words], cwd=root, variables=variables)


def _gh(*words: str, stdin: str | None = None) -> str:
    return _run(["gh", *words], stdin=stdin)


def _run(
    words: Sequence[str], cwd: Path | None = None, variables: dict[str, str] | None = None, stdin: str | None = None
) -> str:
    if shutil.which(words[0]) is None:
        raise UsageError(f"{words[0]} is not installed here: install it, or run this in a workflow.")
    done = subprocess.run(words, cwd=cwd, env=variables, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UsageError(f"`{' '.join(words[:3])}` failed with {done.returncode}: {last}")
    return done.stdout
