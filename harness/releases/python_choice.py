"""Which Python releases are measured under: the same one for all that is compared.

TensorFlow's wheels are for one Python minor each; which a release has wheels for, `releases.toml` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import ReleaseError
from harness.releases.pythons import OLDEST, fetchable_pythons, found_pythons, number, what_helps
from harness.releases.release import Release


@dataclass(frozen=True, slots=True)
class Choice:
    """The Python that releases are measured under."""

    minor: str
    is_fetched: bool = False  # uv has to fetch it first


def range_of(releases: Iterable[Release]) -> tuple[str, str | None]:
    """Return the oldest and the newest Python that has wheels for all of these releases.

    The newest is None where none of them states it; where the oldest is beyond it, no Python has wheels for all.
    """
    known = list(releases)
    oldest = max((release.oldest_python or OLDEST for release in known), key=number, default=OLDEST)
    newest = min((one.newest_python for one in known if one.newest_python), key=number, default=None)
    return oldest, newest


def has_wheels(release: Release, minor: str) -> bool:
    """Whether a release has wheels for a Python minor, as far as `releases.toml` says."""
    oldest, newest = range_of([release])
    return number(oldest) <= number(minor) <= number(newest or minor)


def choose_python(
    releases: Sequence[Release],
    *,
    asked: str | None = None,
    bound: Mapping[str, str] | None = None,
    may_fetch: bool = True,
) -> Choice | None:
    """Return the Python that all these releases are measured under.

    It is the newest that has wheels for all of them and that the machine has, and where it has none, the newest that uv
    can fetch.

    Args:
        releases: what gets an environment of its own.
        asked: the minor that the user asked for.
        bound: the minor of each interpreter that is measured beside them, by name; it cannot be chosen.
        may_fetch: whether uv may be asked what it could fetch.

    Returns:
        None where there is nothing to choose: all are interpreters, and none of them tells its Python.

    Raises:
        ReleaseError: there is none; one sentence.
    """
    fixed = dict(bound or {})
    if len(set(fixed.values())) > 1:
        told = " and ".join(f"{name} has Python {minor}" for name, minor in fixed.items())
        raise ReleaseError(f"{told}, and what is compared needs the same: give interpreters of one Python.")
    if fixed and asked is not None and asked not in fixed.values():
        name, minor = next(iter(fixed.items()))
        raise ReleaseError(f"{name} has Python {minor}: leave `--python {asked}` out, or measure other releases.")
    asked = next(iter(fixed.values()), asked)
    if not releases:
        return None if asked is None else Choice(asked)
    for release in releases:
        if number(release.newest_python or OLDEST) < number(OLDEST):
            has = f"has wheels up to Python {release.newest_python} only"
            raise ReleaseError(f"{release.name} {has}, and workers need {OLDEST} or later: use a newer release.")
    oldest, newest = range_of(releases)
    if newest is not None and number(oldest) > number(newest):
        told = ", ".join(f"{release.name} ({_range_text(*range_of([release]))})" for release in releases)
        raise ReleaseError(f"No Python has wheels for all of {told}: choose releases that share one.")
    if asked is not None:
        _refuse_without_wheels(releases, asked, fixed)
        oldest = newest = asked
    here = _newest_within(found_pythons(), oldest, newest)
    if here is not None:
        return Choice(here)
    fetched = _newest_within(fetchable_pythons(), oldest, newest) if may_fetch else None
    if fetched is not None:
        return Choice(fetched, is_fetched=True)
    raise ReleaseError(_nothing_fits(releases, oldest, newest))


def common_python(releases: Sequence[Release]) -> str:
    """Return the Python minor that releases with environments of their own, one or more, are measured under together.

    Raises:
        ReleaseError: there is none; one sentence.
    """
    choice = choose_python(releases)
    assert choice is not None
    return choice.minor


def group_by_python(releases: Sequence[Release]) -> dict[str, tuple[Release, ...]]:
    """Return releases by the Python that they are measured under, with as few Pythons as this machine allows.

    The Python that has wheels for most of them comes first, the newest of those that have as many; nothing is fetched.
    Releases for which the machine has no Python are in no group.
    """
    groups: dict[str, tuple[Release, ...]] = {}
    left = list(releases)
    while left:
        reach = {minor: tuple(one for one in left if has_wheels(one, minor)) for minor in found_pythons()}
        minor = max(reach, key=lambda each: (len(reach[each]), number(each)), default=None)
        if minor is None or not reach[minor]:
            break
        groups[minor] = reach[minor]
        left = [one for one in left if one not in reach[minor]]
    return groups


def _newest_within(minors: Iterable[str], oldest: str, newest: str | None) -> str | None:
    fitting = [one for one in minors if number(oldest) <= number(one) <= number(newest or one)]
    return max(fitting, key=number, default=None)


def _refuse_without_wheels(releases: Sequence[Release], asked: str, fixed: Mapping[str, str]) -> None:
    for release in releases:
        if not has_wheels(release, asked):
            has = _range_text(*range_of([release]))
            why = f", which {next(iter(fixed))} has" if fixed else ""
            other = "compare it with another release" if fixed else "choose one of these, or leave --python out"
            raise ReleaseError(f"{release.name} has no wheels for Python {asked}{why}, only for {has}: {other}.")


def _nothing_fits(releases: Sequence[Release], oldest: str, newest: str | None) -> str:
    names = [release.name for release in releases]
    needs = "needs" if len(names) == 1 else "need"
    here = ", ".join(found_pythons()) or "none that TensorFlow has wheels for"
    told = " and ".join(names) if len(names) < 3 else ", ".join(names)
    wanted = _range_text(oldest, newest)
    return f"{told} {needs} {wanted}, and this machine has {here}: {what_helps(newest or oldest)}."


def _range_text(oldest: str, newest: str | None) -> str:
    if newest is None:
        return f"Python {oldest} or later"
    return f"Python {newest}" if newest == oldest else f"Python {oldest} to {newest}"
