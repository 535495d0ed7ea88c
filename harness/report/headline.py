"""A comparison's answer in words: what got worse or better, and how much of it is not known, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.answers.comparison import Comparison
from harness.answers.sides import SubjectFacts
from harness.report.names import LONGEST, shortened
from harness.report.numbers import count, percent
from harness.report.pages.finding_words import answer_sentences, family
from harness.report.wording import Places
from harness.report.work import more_work_text
from harness.verdict.rows import Reason, Row, Verdict

_NOISY = ("is too noisy to tell here", "are too noisy to tell here")
_CLOSE = ("changed by about the margin, too close to call", "changed by about the margin, too close to call")
_WHY: Mapping[Reason, tuple[str, str]] = {
    Reason.TOO_NOISY: _NOISY,
    Reason.NEAR_MARGIN: _CLOSE,
    Reason.MULTIPLICITY: _NOISY,
    Reason.TOO_FEW_BLOCKS: ("has too few blocks to tell", "have too few blocks to tell"),
    Reason.TOO_FEW_SAMPLES: ("has too few samples to tell", "have too few samples to tell"),
    Reason.ALL_TAINTED: ("was disturbed by other load", "were disturbed by other load"),
    Reason.FAILED: ("fails on both sides", "fail on both sides"),
}
_OTHERS = ("is inconclusive", "are inconclusive")
_TIMES = {
    "importing TensorFlow": "import times", "building models": "build times", "saving": "save times",
    "loading": "load times", "the first inference": "first inferences", "inference": "inference times",
}  # fmt: skip
_CHANGES = ((Verdict.REGRESSION, "got worse"), (Verdict.IMPROVEMENT, "got better"))


def headline(comparison: Comparison, *, is_here: bool) -> tuple[str, ...]:
    """Return the answer in a sentence, and what it consists of in a few more, the worst first.

    Example: "2.21.0 against 2.20.0 on this machine: nothing got slower by more than 10 %, or grew, in 59 of 90
    comparisons; 31 are too noisy to tell here (mostly save times)."

    Args:
        comparison: what was measured and judged; its shortfall is not told.
        is_here: whether this machine measured it just now.
    """
    judged = [row for row in comparison.rows if row.judged]
    where = "this machine" if is_here else shortened(str(comparison.machine.get("name", "another machine")), LONGEST)
    about = f"{side_name(comparison.new)} against {side_name(comparison.old)} on {where}"
    is_worse = any(row.verdict is Verdict.REGRESSION for row in judged)
    answer, rest = answer_of(comparison), list(answer_sentences(comparison))
    rest = rest if is_worse else rest[1:]  # whose first says that nothing got worse
    more_work = more_work_text(comparison)
    return (f"{about}: {answer}", *rest, *([more_work] if more_work else []))


def side_name(side: SubjectFacts) -> str:
    """Return what a side is called in a sentence: "2.21.0" of the release v2.21.0."""
    return shortened(side.name.removeprefix("v") if side.tensorflow else side.name, LONGEST)


def answer_of(comparison: Comparison) -> str:
    """Return how many comparisons got worse or better, or that nothing got worse, and how many are not known."""
    judged = [row for row in comparison.rows if row.judged]
    opened = [row for row in judged if row.verdict is Verdict.INCONCLUSIVE]
    verdicts, known = Counter(row.verdict for row in judged), len(judged) - len(opened)
    all_of, within = (
        count(len(judged), "comparison"),
        f"got slower by more than {percent(comparison.margin)}, or grew",
    )
    if not judged:
        return "only work was compared, no times or sizes." if comparison.work else "nothing could be compared."
    if verdicts[Verdict.REGRESSION]:
        told = [f"{verdicts[verdict]} {words}" for verdict, words in _CHANGES if verdicts[verdict]]
        same = verdicts[Verdict.SAME]
        told += [f"{same} {'is' if same == 1 else 'are'} unchanged"] if same else []
        told += [_open_text(opened)] if opened else []
        return f"of {all_of}, {told[0] if len(told) == 1 else ', '.join(told[:-1]) + ' and ' + told[-1]}."
    if not known:
        return f"no verdict yet. Of {all_of} {_open_text(opened)}."
    if len(opened) > known:
        return f"mostly not known. Of {all_of} {_open_text(opened)}; in the other {known} nothing {within}."
    rest = f"; {_open_text(opened)}" if opened else ""
    return f"nothing {within}, in {known} of {all_of}{rest}."


def _open_text(rows: Sequence[Row]) -> str:
    """Return how many rows are inconclusive and why: "31 are too noisy to tell here (mostly save times)"."""
    words, number = Counter(_WHY.get(row.reason, _OTHERS) for row in rows).most_common(1)[0]
    most = _most_of_them(rows) if words in (_NOISY, _CLOSE) else ""
    if number == len(rows) or words == _OTHERS:
        return f"{len(rows)} {words[len(rows) > 1]}{most}"
    return f"{len(rows)} {_OTHERS[len(rows) > 1]} ({number} of them {words[number > 1]}{most})"


def _most_of_them(rows: Sequence[Row]) -> str:
    """Return " (mostly save times)": the one or two families that most rows are of; "" where there are none."""
    places = Places.of(rows)
    families = Counter(family(row.metric, places) for row in rows)
    for most, fewest_rows in ((1, 3), (2, 10)):
        common = families.most_common(most)
        if len(rows) >= fewest_rows and len(families) > most and 2 * sum(n for _, n in common) > len(rows):
            return f" (mostly {' and '.join(_TIMES.get(name, name) for name, _ in common)})"
    return ""
