"""What failed, on one screen: the first two, cut to about two lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.answers.measured import Failure
from harness.report.document import Section, items
from harness.report.names import CUT, one_line
from harness.report.sections import failure_groups, failure_text

_MOST = 2
_LONGEST = 110
"""Characters of a reason, of which the beginning tells most."""


def failed_section(failures: Sequence[Failure]) -> Iterator[Section]:
    """Yield what failed, nothing where nothing did; what a release does not support is no failure."""
    groups = failure_groups(failure for failure in failures if failure.status == "failed")
    if not groups:
        return
    texts = [failure_text(replace(group, example=_cut(group.example))) for group in groups[:_MOST]]
    texts = [beginning(text, 2 * _LONGEST) for text in texts]
    if len(groups) > _MOST:
        texts.append(f"and {len(groups) - _MOST} more")
    yield Section("Failed", (items(texts, "failure"),))


def beginning(text: str, longest: int) -> str:
    """Return a message on one line of at most `longest` characters: its beginning, and "…" where it goes on."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + CUT


def _cut(failure: Failure) -> Failure:
    return replace(failure, reason=beginning(failure.reason, _LONGEST))
