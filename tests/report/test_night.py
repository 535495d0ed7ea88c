"""A night in words: what stands first, and what is said of nights that say nothing."""

from __future__ import annotations

from dataclasses import replace

from harness.answers.night import AlarmRecord, Canary, Changed, Night
from harness.report.document import Style
from harness.report.formats import render
from harness.report.night import night_data, record_text, report_night
from harness.verdict.nights import Concluded, Finding, Role, State

NIGHT = Night(
    night="2026-11-28",
    machine="calm",
    build={"id": "ab12", "name": "v2.22.0.dev20261127", "version": "2.22.0.dev20261127", "git_version": None},
    baselines=(("v2.22.0.dev20261126", Role.LAST_GOOD, "cd34"), ("v2.21.0", Role.STABLE, "ef56")),
    record=AlarmRecord(41, 3690, 0, 6, 6),
)
FINDING = Finding(
    "3fa91c2b", ("load_warm_s", "cpu", "mlp-s", "tf-module/tf-load"), "v2.22.0.dev20261126", "v2.22.0.dev20261127",
    State.NEW, 1.2, 1.18, 1.22, 0.001, 1.22, "2026-11-28", "2026-11-28",
)  # fmt: skip
RED = replace(NIGHT, concluded=Concluded((FINDING,), {}, (), ()))


def shown(night: Night) -> str:
    return " ".join(render(report_night(night), "table", Style(width=120)).split())


def test_the_alarms_record_is_one_sentence():
    assert record_text(NIGHT.record) == "41 nights: 0 of 3,690 A/A rows called, 6 of 6 canaries found."


def test_what_else_changed_is_told_before_a_regression():
    text = shown(replace(RED, changed=(Changed("kernel", "6.1", "6.8"),), silent_since="2026-11-20"))
    changed = text.index("Not as in the last night: kernel (6.1 before, 6.8 now).")
    assert changed < text.index("Result: 1 regression newly confirmed.") < text.index("3fa91c2b")
    assert "No night ran between 2026-11-20 and 2026-11-28." in text


def test_exit_codes():
    assert report_night(RED).exit_code == 1
    assert report_night(replace(NIGHT, concluded=Concluded((), {}, (), ()))).exit_code == 0
    assert report_night(replace(NIGHT, idle=True)).exit_code == 0
    assert report_night(replace(NIGHT, shortfall="the index has nothing")).exit_code == 3
    quiet = replace(NIGHT, concluded=Concluded((), {}, (), ()))
    assert report_night(replace(quiet, canary=Canary("x@canary", False, 1.02, 6))).exit_code == 3
    unmeasured = report_night(replace(quiet, canary=Canary("x@canary", None, None, 6)))
    assert unmeasured.exit_code == 0
    assert "could not be measured undisturbed tonight" in unmeasured.notes[0]


def test_a_night_that_measured_too_little_does_not_say_that_nothing_is_new():
    short = replace(NIGHT, concluded=Concluded((), {}, (), ()), shortfall="9 of 9 operations could not be compared")
    text = shown(short)
    assert (
        "Result: too little was measured to say that nothing is new (9 of 9 operations could not be compared)." in text
    )
    assert "Result: nothing new." in shown(replace(short, shortfall=None))


def test_json_has_what_programs_read():
    data = night_data(RED)
    assert data["baselines"][0] == {"id": "cd34", "role": "last-good", "name": "v2.22.0.dev20261126"}
    assert data["aa"] == {"judged": 0, "called": 0}
    (finding,) = data["findings"]
    wanted = {
        "id",
        "state",
        "confirmed",
        "metric",
        "device",
        "model",
        "variant",
        "ratio",
        "low",
        "high",
        "q",
        "first_seen",
    }
    assert wanted <= finding.keys()
    assert finding["state"] == "new"
    assert finding["text"].startswith("load, warm page cache: cpu mlp-s (tf-module, tf-load): +20.0 %")


def test_every_format_takes_a_night():
    for form in ("table", "markdown", "json", "html"):
        assert "3fa91c2b" in render(report_night(RED), form, Style())
