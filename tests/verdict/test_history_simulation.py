"""Change points over simulated histories whose truth is known. Seeds are fixed: these tests never flicker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.verdict.course import Change, Course, Shape, group_changes
from harness.verdict.history import course_changes, find_changes

pytestmark = pytest.mark.slow

NIGHTS, RELEASES = 60, 12


def course(logs: Sequence[float] | np.ndarray, row: str = "a", group: tuple[str, ...] = ("desk", "load")) -> Course:
    values = tuple(float(value) for value in np.exp(logs))
    return Course(group=group, row=row, unit="seconds", places=tuple(range(len(values))), values=values)


def normal(random: np.random.Generator, count: int) -> np.ndarray:
    return random.normal(0, 0.03, count)


def heavy(random: np.random.Generator, count: int) -> np.ndarray:
    return 0.02 * random.standard_t(3, count)


def bimodal(random: np.random.Generator, count: int) -> np.ndarray:
    return random.normal(0, 0.01, count) + 0.05 * random.integers(0, 2, count)


def correlated(random: np.random.Generator, count: int) -> np.ndarray:
    noise = random.normal(0, 0.03, count)
    for at in range(1, count):
        noise[at] = 0.5 * noise[at - 1] + noise[at] * 0.87
    return noise


def with_outliers(random: np.random.Generator, count: int) -> np.ndarray:
    noise = random.normal(0, 0.02, count)
    noise[random.choice(count, max(1, count // 20), replace=False)] += 0.7
    return noise


NOISES: list[Callable[[np.random.Generator, int], np.ndarray]] = [normal, heavy, bimodal, correlated, with_outliers]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("length", [RELEASES, NIGHTS])
def test_histories_in_which_nothing_changed_rarely_have_a_finding(
    noise: Callable[[np.random.Generator, int], np.ndarray], length: int
) -> None:
    random = np.random.default_rng(20_260)
    histories = 20
    wrong = 0
    for _ in range(histories):
        courses = [course(noise(random, length), row=str(row)) for row in range(20)]
        wrong += bool(find_changes(courses))
    assert wrong <= 2  # a rate of 5 % gives three or more in one of 13 such tests; docs/trust.md has the rate itself


@pytest.mark.parametrize("noise", NOISES)
def test_a_step_is_found_where_it_is_and_as_large_as_it_is(
    noise: Callable[[np.random.Generator, int], np.ndarray],
) -> None:
    random = np.random.default_rng(7)
    near: list[Change] = []
    others = 0
    for _ in range(20):
        logs = noise(random, NIGHTS)
        logs[40:] += np.log(1.3)
        for change in course_changes(course(logs)):
            if change.shape is Shape.STEP and abs(change.since - 40) <= 1:
                near.append(change)
            else:
                others += 1
    assert len(near) >= 18
    assert others <= 2
    assert np.median([change.ratio for change in near]) == pytest.approx(1.3, abs=0.03)


@pytest.mark.parametrize("change", [0.7, 1.15, 2.0, 10.0])
def test_a_step_between_releases_is_found_from_two_releases_on(change: float) -> None:
    random = np.random.default_rng(3)
    logs = random.normal(0, 0.01, RELEASES)
    logs[-2:] += np.log(change)
    (found,) = course_changes(course(logs))
    assert (found.shape, found.since, found.previous, found.until) == (Shape.STEP, RELEASES - 2, RELEASES - 3, 11)
    assert found.ratio == pytest.approx(change, rel=0.03)


@pytest.mark.parametrize("place", [0, 5, 30, NIGHTS - 1])
@pytest.mark.parametrize("size", [-1.0, 0.3, 3.0])
def test_a_single_outlier_is_no_change_wherever_it_is(place: int, size: float) -> None:
    random = np.random.default_rng(11)
    for _ in range(5):
        logs = random.normal(0, 0.02, NIGHTS)
        logs[place] += size
        assert course_changes(course(logs)) == []


def test_an_outlier_beside_a_step_hides_nothing() -> None:
    random = np.random.default_rng(12)
    logs = random.normal(0, 0.02, NIGHTS)
    logs[30:] += 0.2
    logs[[10, 31, 50]] += 1.5
    (found,) = course_changes(course(logs))
    assert (found.shape, found.since) == (Shape.STEP, 30)


def test_seventy_percent_over_eight_releases_with_no_step_above_ten_percent_is_a_trend() -> None:
    random = np.random.default_rng(13)
    trends = 0
    assert np.exp(np.diff(np.linspace(0, np.log(1.7), 8))).max() < 1.10
    for _ in range(20):
        logs = np.linspace(0, np.log(1.7), 8) + random.normal(0, 0.01, 8)
        found = find_changes([course(logs), *(course(random.normal(0, 0.01, 8), row=str(row)) for row in range(20))])
        trends += [change.shape for change in found] == [Shape.TREND]
        if found:
            assert found[0].ratio == pytest.approx(1.7, rel=0.1)
    assert trends >= 19


def test_a_slow_trend_over_many_nights_is_one_trend_not_a_staircase() -> None:
    random = np.random.default_rng(14)
    found = course_changes(course(np.linspace(0, 0.3, 400) + random.normal(0, 0.05, 400)))
    assert [change.shape for change in found] == [Shape.TREND]


def test_a_drift_below_the_margin_is_no_finding() -> None:
    random = np.random.default_rng(15)
    assert course_changes(course(np.linspace(0, 0.04, NIGHTS) + random.normal(0, 0.005, NIGHTS))) == []


def test_sizes_that_never_vary_between_their_steps_are_found_exactly() -> None:
    (found,) = course_changes(course(np.log([1000.0] * 6 + [2000.0] * 3)))
    assert (found.since, found.p, found.before, found.after) == (6, 0.0, pytest.approx(1000), pytest.approx(2000))
    assert course_changes(course(np.log([1000.0] * 6 + [1001.0] * 3))) == []


@pytest.mark.parametrize("place", [1234, 4990])
def test_in_a_course_of_thousands_a_step_is_found_at_its_place(place: int) -> None:
    random = np.random.default_rng(17)
    logs = random.normal(0, 0.02, 5000)
    logs[random.choice(5000, 50, replace=False)] += 1.0
    logs[place:] += 0.1
    found = course_changes(course(logs))
    assert [change.shape for change in found] == [Shape.STEP]
    assert abs(found[0].since - place) <= 1


def test_two_steps_are_two_changes() -> None:
    random = np.random.default_rng(16)
    logs = random.normal(0, 0.02, NIGHTS)
    logs[20:] += 0.3
    logs[40:] -= 0.2
    assert [change.since for change in course_changes(course(logs))] == [20, 40]


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0, 1.0, 2.0), (0.0,) * 20, (float("nan"),) * 20, (-1.0,) * 9])
def test_what_is_too_short_or_no_positive_number_has_no_change(values: tuple[float, ...]) -> None:
    assert course_changes(Course(("m",), "a", "seconds", tuple(range(len(values))), values)) == []
    assert find_changes([]) == ()


def test_missing_places_keep_their_labels() -> None:
    values = (1.0,) * 6 + (float("nan"),) + (2.0,) * 4
    places = tuple(range(3, 14))
    (found,) = course_changes(Course(("m",), "a", "bytes", places, values))
    assert (found.previous, found.since, found.until) == (8, 10, 13)


def changed(row: str, since: int, ratio: float, metric: str = "load", shape: Shape = Shape.STEP) -> Change:
    made = course(np.zeros(5), row=row, group=("desk", metric))
    return Change(made, shape, since, since - 1, 20, 1.0, ratio, 0.0, 0.0)


def test_rows_that_change_together_are_one_finding() -> None:
    changes = [
        changed("a", 10, 1.2), changed("b", 11, 1.4), changed("c", 10, 1.3), changed("d", 10, 0.8),
        changed("e", 14, 1.2), changed("f", 10, 1.2, metric="save"), changed("g", 5, 1.1, shape=Shape.TREND),
    ]  # fmt: skip
    findings = group_changes(changes)
    described = {("".join(change.course.row for change in finding.changes), finding.since) for finding in findings}
    assert described == {("bca", 10), ("d", 10), ("e", 14), ("f", 10), ("g", 5)}
    (load,) = (finding for finding in findings if len(finding.changes) == 3)
    assert load.ratio == pytest.approx((1.2 * 1.3 * 1.4) ** (1 / 3))
    assert load.previous == 9
    assert [finding.since for finding in findings] == sorted((f.since for f in findings), reverse=True)
