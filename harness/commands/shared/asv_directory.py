"""`--results DIR`: the result directory of any asv project, in place of the project's own records."""

from __future__ import annotations

from pathlib import Path

from harness.answers.comparison import Comparison
from harness.asv.commits import hash_of_name
from harness.asv.comparison import compare_commits, find_commit
from harness.asv.directory import AsvHistory, read_asv_directory
from harness.commands.shared.cores import on_all_cores
from harness.commands.shared.output import say_all
from harness.errors import UsageError
from harness.report.names import one_line
from harness.verdict.margins import Asked, margin_table

MARGIN = 0.10
"""The change in time that matters where nothing else is said: asv's own `--factor 1.1`."""

_MOST_PROBLEMS = 10


def read_results(path: Path) -> AsvHistory:
    """Read a result directory, and name what was skipped.

    Raises:
        UsageError: it holds no asv result.
    """
    history = read_asv_directory(path, each=on_all_cores("Reading results"))
    say_all(one_line(str(problem)) for problem in history.problems[:_MOST_PROBLEMS])
    if len(history.problems) > _MOST_PROBLEMS:
        say_all([f"… and {len(history.problems) - _MOST_PROBLEMS} more like these."])
    return history


def compare_commits_of(path: Path, old: str, new: str, *, margins: Asked | None, machine: str | None) -> Comparison:
    """Judge two commits of a result directory, named by hash, tag or branch.

    Raises:
        UsageError: it holds no asv result, or none of such a commit; a margin's pattern matches no benchmark.
    """
    history = read_results(path)
    commits = [find_commit(history, name, elsewhere=hash_of_name(history.path, name)) for name in (old, new)]
    table = margin_table(MARGIN, asked=margins)
    comparison = compare_commits(history, *commits, margins=table, machine=machine)
    for pattern, _ in margins or ():
        if pattern is not None and not any(table.matches(pattern, *row.key) for row in comparison.rows):
            raise UsageError(
                f"No benchmark matches the margin's pattern {pattern!r}: see `summary --results` for them."
            )
    return comparison
