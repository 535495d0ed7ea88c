"""The figures of docs/trust.md: drawn from points as the simulation and the real runs give them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.trust.figures import MARGINS, SPREADS, planted_figure, planted_points, power_figure, power_points
from tests.trust.scores import RULES, RowScore, RunScore

SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> set[str]:
    return {element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")}


@pytest.mark.slow
def test_power_has_a_panel_a_margin_and_a_line_a_spread(tmp_path: Path) -> None:
    points = pd.DataFrame(power_points(200))
    # More blocks never show less, but for the simulation's own noise.
    course = points[(points["spread"] == "2 %") & (points["margin"] == "margin 2 %")]["power"]
    assert course.iloc[-1] > 0.95 > course.iloc[0]
    power_figure(points).save(tmp_path / "power.svg")
    shown = texts(tmp_path / "power.svg")
    assert {f"margin {100 * margin:.0f} %" for margin in MARGINS} <= shown
    assert {f"{100 * spread:.0f} %" for spread in SPREADS} <= shown


def test_every_planted_time_is_drawn_with_what_became_of_it(tmp_path: Path) -> None:
    def row(metric: str, role: str, call: int) -> RowScore:
        calls: dict[str, int | None] = dict.fromkeys(RULES, call)
        place = ("cpu", "mlp-s", "tf-module/tf-load", role, "regression", "beyond-margin")
        return RowScore(metric, *place, 1.3, 1.2, 1.4, 0.01, calls)

    rows = (row("load_warm_s", "planted", 1), row("load_cold_s", "planted", 0), row("build_s", "other", 0))
    score = RunScore(3, "load-spins-30", "r", "desk", 8, 100.0, 0, None, 1, 5, rows)
    points = pd.DataFrame(planted_points([score]))
    assert points["verdict"].tolist() == ["called a regression", "not called"]
    planted_figure(points).save(tmp_path / "planted.svg")
    assert {"load-spins-30", "3: load_warm_s mlp-s", "3: load_cold_s mlp-s"} <= texts(tmp_path / "planted.svg")
