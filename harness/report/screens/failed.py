"""What failed, on one screen: the first two, cut to about two lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.answers.measured import Failure
from harness.report.document import Section, items
from harness.report.names import shortened
from harness.report.sections import failure_groups, failure_text

_MOST = 2
_LONGEST = 150


def failed_section(failures: Sequence[Failure]) -> Iterator[Section]:
    """Yield what failed, nothing where nothing did; what a release does not support is no failure."""
    groups = failure_groups(failure for failure in failures if failure.status == "failed")
    if not groups:
        return
    texts = [shortened(failure_text(group), _LONGEST) for group in groups[:_MOST]]
    if len(groups) > _MOST:
        texts.append(f"and {len(groups) - _MOST} more")
    yield Section("Failed", (items(texts, "failure"),))
