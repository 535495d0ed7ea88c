"""Noise of two tight modes is no change: whole directories in which only the mode changes, and real steps."""

from __future__ import annotations

import numpy as np
import pytest

from harness.verdict.course import Course, Shape
from harness.verdict.history import course_changes, find_changes, search_changes
from tests.trust.modes import APART, SHARES, STREAKS, course, found, mixed, noisy, planted


@pytest.mark.parametrize("streak", [None, 4])
def test_a_directory_of_two_modes_has_no_finding(streak: float | None) -> None:
    assert find_changes(noisy(np.random.default_rng(1), 60, 50, 0.4, streak)) == ()


def test_releases_that_fall_into_a_mode_by_chance_have_no_finding() -> None:
    random = np.random.default_rng(2)
    assert [find_changes(noisy(random, 12, 30, 0.3, None)) for _ in range(2)] == [(), ()]


@pytest.mark.parametrize("modes", [0, 6])
def test_real_steps_are_found_beside_courses_with_modes(modes: int) -> None:
    random = np.random.default_rng(3)
    assert [found(*planted(random, 60, 2, modes, None)) for _ in range(2)] == [2, 2]


def quiet(random: np.random.Generator, places: list[int | None], length: int = 12) -> list[Course]:
    """Return a directory of quiet series; those with a place are 30 % slower from there on."""
    steps = [0.262 * (np.arange(length) >= (length if place is None else place)) for place in places]
    return [course(random.normal(0, 0.01, length) + step, number) for number, step in enumerate(steps)]


def test_streaks_that_fill_short_series_are_named_and_not_found() -> None:
    """Of 24 series of twelve values, ten per cent are in the slow mode, for ten values in the mean."""
    random = np.random.default_rng(7)
    searches = [search_changes(noisy(random, 12, apart, 0.1, 10)) for apart in APART for _ in range(5)]
    assert sum(bool(search.changes) for search in searches) <= 10  # without asking for streaks: 17
    assert sum(bool(search.untold) for search in searches) >= 5


@pytest.mark.parametrize("places", [[8], [3, 6, 4, 9, 7], [5] * 6])
def test_steps_in_short_quiet_series_are_found(places: list[int | None]) -> None:
    search = search_changes(quiet(np.random.default_rng(8), [*places, *[None] * (24 - len(places))]))
    assert [change.since for change in search.changes] == places
    assert search.untold == ()


def test_steps_are_found_in_a_directory_of_all_kinds_of_noise() -> None:
    courses, places = mixed(np.random.default_rng(10), 150, 80)
    changes = find_changes(courses)
    assert found(courses, places) >= len(places) - 1
    assert {change.course.group[-1] for change in changes} <= places.keys()


def test_a_course_that_was_better_for_a_week_has_both_steps() -> None:
    """Fifty courses that left their level together and came back together have one cause, not two modes."""
    random = np.random.default_rng(4)
    week = np.zeros(60)
    week[30:40] = -0.3
    changes = find_changes([course(random.normal(0, 0.01, 60) + week, number) for number in range(50)])
    assert sorted({change.since for change in changes}) == [30, 40]
    assert len(changes) == 100


def test_a_change_that_makes_a_course_stay_in_its_slow_mode_is_a_step() -> None:
    random = np.random.default_rng(5)
    slow = np.where(np.arange(60) < 30, random.random(60) < 0.2, True)
    changes = course_changes(course(random.normal(0, 0.005, 60) + 0.26 * slow, 1))
    assert [change.shape for change in changes] == [Shape.STEP]
    assert abs(changes[0].since - 30) <= 2


def test_counts_that_flip_between_two_values_have_no_change() -> None:
    values = tuple(float(value) for value in [3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 3, 3, 3, 3, 4, 4, 4, 3, 4, 4, 4, 3, 3, 3])
    assert course_changes(Course(("m", "x"), "a", "files", tuple(range(len(values))), values)) == []


@pytest.mark.slow
def test_at_most_one_directory_in_twenty_has_a_finding() -> None:
    """Over modes 5 to 60 standard deviations apart, 10 to 50 % slow values, each by itself or in streaks."""
    random = np.random.default_rng(6)
    wrong = [
        bool(find_changes(noisy(random, 60, apart, share, streak)))
        for apart in APART for share in SHARES for streak in STREAKS for _ in range(3)
    ]  # fmt: skip
    assert sum(wrong) <= len(wrong) / 20  # before modes were asked for: four in five
