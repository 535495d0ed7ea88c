"""Sentences that a run keeps about itself, in today's words: the ones stored stay as they are, for programs."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.report.numbers import count
from harness.store.taints import described


def retold(sentence: str) -> str:
    """Return a stored sentence, without its full stop, in the words that reports use; an unknown one as it is."""
    for pattern, say in _SENTENCES:
        found = pattern.fullmatch(sentence)
        if found:
            return say(found)
    return sentence


def is_disturbance(sentence: str) -> bool:
    """Return whether a sentence that a run keeps, or its retelling, says that the machine was disturbed."""
    return "some rows have no " in sentence


def is_about_gpu(sentence: str) -> bool:
    """Return whether a sentence that a run keeps, or its retelling, says that no GPU was measured."""
    return sentence.startswith(("GPU cells: n/a", "GPU tests "))


def _disturbed(found: re.Match[str]) -> str:
    """Return what disturbances cost a run: "In 1 block some rows have no usable measurement, because …"."""
    causes = " and ".join(described(kind) for kind in found["kinds"].split(", "))
    told = [f"In {count(int(found['blocks']), 'block')} some rows have no usable measurement, because {causes}"]
    if found["again"]:
        again = int(found["again"])
        told.append(f"{count(again, 'replacement block')} {'was' if again == 1 else 'were'} measured")
    if found["left"]:
        told.append(f"{count(int(found['left']), 'block')} could not be replaced by an undisturbed one")
    return ". ".join(told)


_SENTENCES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(
            r"(?P<blocks>\d+) blocks? (?:was|were) disturbed so much that some rows have no "
            r"(?:calm repeat|undisturbed measurement) there \((?P<kinds>[^)]*)\)"
            r"(?:; (?P<again>\d+) measured once more)?(?:; (?P<left>\d+) without a calm second try)?"
        ),
        _disturbed,
    ),
    (
        re.compile(r"GPU cells: n/a: [\w-]+ \((?P<why>.*)\)"),
        lambda found: f"GPU tests were skipped: {found['why']}",
    ),
)
"""As `measure.retries` and earlier versions of this project wrote them into run.json."""
