"""What `check` says: its headline, its tables, what to do, its exit code, whatever names a model has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shown import as_json, as_markdown, as_table, rows_of, texts_of, tokens

from harness.answers.check import Advice, Cell, Check, CheckedModel, Error, State, Unread
from harness.measure.own_models import KERAS_FILE, SAVED_MODEL, OwnModel
from harness.report.check import report_check
from harness.report.document import Style
from harness.report.formats import render
from harness.report.screens.check import with_check_screen

OLD, NEW = "v2.15.1", "v2.21.0"
ADD_SLOT = Error("AttributeError", "'_UserObject' object has no attribute 'add_slot'")


def model(name: str = "pitch", **more: Any) -> OwnModel:
    facts: dict[str, Any] = {"kind": SAVED_MODEL, "path": f"/models/{name}", "signature": "serving_default", **more}
    return OwnModel(f"{name}@01234567", digest="0" * 64, size_bytes=1, inputs=(), inputs_told="random, seed 1", **facts)


def tried(state: State, release: str = NEW, *, reader: str = "tf-load", remedy: str | None = None, **more: Any) -> Cell:
    return Cell(release, reader, remedy, state, **more)


def checked(
    state: State, name: str = "pitch", *more: Cell, advice: tuple[Advice, ...] = (), **named: Any
) -> CheckedModel:
    cells = (tried(State.ANSWERS, OLD), tried(state, **named), *more)
    return CheckedModel(model(name), cells, advice)


def check(*models: CheckedModel, reader: str = "tf-load", unread: tuple[Unread, ...] = ()) -> Check:
    return Check((OLD, NEW), reader, models, unread)


def said(answer: Check) -> str:
    """Return the report as a very wide terminal shows it."""
    return as_table(report_check(answer), 4000)


@pytest.mark.parametrize(
    ("state", "headline", "code"),
    [
        (State.EQUAL, "pitch loads and answers the same in v2.21.0 by tf.saved_model.load.", 0),
        (State.CLOSE, "pitch loads and answers the same, but for rounding, in v2.21.0 by tf.saved_model.load.", 0),
        (State.ANSWERS, "pitch loads and answers in v2.21.0 by tf.saved_model.load; there is no other answer to "
                        "compare with.", 0),
        (State.NOT_DETERMINISTIC, "pitch loads in v2.21.0 by tf.saved_model.load; its outputs are random, so nothing "
                                  "was compared.", 0),
        (State.DIFFERS, "pitch answers differently in v2.21.0 by tf.saved_model.load.", 1),
        (State.REFUSED, "pitch does not load or cannot be called in v2.21.0 by tf.saved_model.load.", 1),
        (State.CRASHED, "pitch crashes in v2.21.0 by tf.saved_model.load.", 1),
        (State.TIMEOUT, "pitch does not answer in time in v2.21.0 by tf.saved_model.load.", 1),
        (State.UNSUPPORTED, "pitch cannot be read in v2.21.0 by tf.saved_model.load, which this release does not have.",
         1),
    ],
)  # fmt: skip
def test_the_first_sentence_is_the_answer(state: State, headline: str, code: int) -> None:
    answer = check(checked(state))
    assert said(answer).splitlines()[0] == headline
    assert report_check(answer).exit_code == as_json(report_check(answer))["exit_code"] == code


def test_the_newest_release_and_the_reader_decide() -> None:
    older = CheckedModel(model(), (tried(State.REFUSED, OLD, error=ADD_SLOT), tried(State.ANSWERS)), ())
    assert check(older).exit_code == 0
    layer = tried(State.UNSUPPORTED, reader="tfsm-layer", error=Error("AttributeError", "no TFSMLayer"))
    assert check(checked(State.EQUAL, "pitch", layer)).exit_code == 0
    assert check(checked(State.EQUAL, "pitch", layer), reader="tfsm-layer").exit_code == 1


def test_of_a_file_that_keras_wrote_keras_decides() -> None:
    cells = (tried(State.ANSWERS, OLD, reader="keras-load"), tried(State.REFUSED, reader="keras-load", error=ADD_SLOT))
    answer = check(CheckedModel(model("net", kind=KERAS_FILE, signature=None), cells, ()))
    assert answer.exit_code == 1
    assert said(answer).startswith("net does not load or cannot be called in v2.21.0.\n")


def test_several_models_are_one_table_and_a_section_each_that_fails() -> None:
    answer = check(checked(State.EQUAL, "fine"), checked(State.REFUSED, "old", error=ADD_SLOT))
    assert said(answer).startswith("1 of 2 models fail or answer differently in v2.21.0 by tf.saved_model.load: old.\n")
    table = rows_of(as_markdown(report_check(answer)))
    assert table[:3] == [["model", OLD, NEW], ["fine", "answers", "equal"], ["old", "answers", "refused"]]
    assert "fine, signature" not in said(answer)
    assert "old, signature serving_default; inputs: random, seed 1" in said(answer)
    fine = check(checked(State.EQUAL, "a"), checked(State.CLOSE, "b", relative=3e-7))
    assert said(fine).startswith("All 2 models load and answer the same in v2.21.0 by tf.saved_model.load.\n")
    alone = check(checked(State.EQUAL, "a"), checked(State.NOT_DETERMINISTIC, "b"))
    assert said(alone).startswith(
        "All 2 models load in v2.21.0 by tf.saved_model.load; with nothing to compare with: b.\n"
    )


def test_a_path_that_could_not_be_tried_is_told_and_is_exit_code_3() -> None:
    unread = (Unread("/models/lfs", "/models/lfs/saved_model.pb is a Git LFS pointer, not the file itself."),)
    answer = check(checked(State.EQUAL), unread=unread)
    assert answer.exit_code == 3
    assert "/models/lfs/saved_model.pb is a Git LFS pointer" in said(answer)
    assert as_json(report_check(answer))["not_tried"] == [{"path": "/models/lfs", "reason": unread[0].reason}]
    assert check(checked(State.DIFFERS), unread=unread).exit_code == 1


def test_an_error_is_told_once_with_all_that_had_it() -> None:
    answer = check(checked(
        State.REFUSED, "pitch", tried(State.REFUSED, reader="tfsm-layer", error=ADD_SLOT), error=ADD_SLOT,
    ))  # fmt: skip
    line = f"v2.21.0, tf.saved_model.load and keras.layers.TFSMLayer: AttributeError: {ADD_SLOT.message}"
    assert said(answer).count("add_slot") == 1
    assert line in said(answer)


ADVICE = (
    Advice(NEW, "v1-session", False, "load it by the TensorFlow 1 loader", "tf.compat.v1.saved_model.load(…)"),
    Advice(NEW, "tf-keras-first", True, "install tf_keras and import it first", "pip install tf_keras==2.21.0"),
)


def test_only_what_worked_is_advised_and_what_did_not_is_told_apart() -> None:
    remedies = (tried(State.EQUAL, remedy="tf-keras-first"), tried(State.EQUAL, remedy="rewritten-in-v2.15.1"))
    answer = check(checked(State.REFUSED, "pitch", *remedies, error=ADD_SLOT, advice=ADVICE))
    text = said(answer)
    works, _, fails = text.partition("Tried without success: ")
    assert "What works in v2.21.0, tried on this model:" in works
    assert "install tf_keras and import it first" in works
    assert "pip install tf_keras==2.21.0" in works
    assert fails.startswith("load it by the TensorFlow 1 loader (v2.21.0).")
    assert "tf.compat.v1" not in text
    assert "tf.saved_model.load after `import tf_keras`" in text
    assert "tf.saved_model.load of a copy written in v2.15.1" in text


@pytest.mark.parametrize(
    ("op", "told"),
    [
        ("TFText>RougeL", "It has ops of tensorflow-text: add --with tensorflow-text to try it with that."),
        ("TRTEngineOp", None),  # no package brings it
        ("Unheard", None),
    ],
)
def test_a_package_that_brings_a_missing_op_is_named_with_how_to_try_it(op: str, told: str | None) -> None:
    missing = Error("NotFoundError", f"Op type not registered '{op}': this release has no such op")
    report = with_check_screen(report_check(answer := check(checked(State.REFUSED, error=missing))), answer)
    for text in (as_table(report, 4000), said(answer)):
        assert ("--with" in text) is (told is not None)
        assert told is None or told in text


def test_differences_are_shares_of_the_largest_value() -> None:
    answer = check(checked(State.DIFFERS, max_abs_difference=3.0, relative=0.25, reference_release=OLD))
    assert ["tf.saved_model.load", "answers", "differs 2e-01"] in rows_of(as_markdown(report_check(answer)))
    odd = check(checked(State.DIFFERS, error=Error(None, "shape (2,) after load, (3,) before")))
    assert "shape (2,) after load, (3,) before" in said(odd)


def test_a_program_reads_every_try() -> None:
    answer = check(checked(
        State.DIFFERS, "pitch", tried(State.REFUSED, reader="tfsm-layer", error=ADD_SLOT),
        max_abs_difference=3.0, relative=0.25, reference_release=OLD, advice=ADVICE,
    ))  # fmt: skip
    data = as_json(report_check(answer))
    assert data["releases"] == [OLD, NEW]
    (one,) = data["models"]
    assert {key: one[key] for key in ("name", "path", "digest", "signature", "inputs")} == {
        "name": "pitch", "path": "/models/pitch", "digest": "0" * 64, "signature": "serving_default",
        "inputs": "random, seed 1",
    }  # fmt: skip
    assert one["cells"] == [
        {"release": OLD, "reader": "tf-load", "remedy": None, "state": "answers", "error": None,
         "reference_release": None, "max_abs_difference": None, "relative_difference": None},
        {"release": NEW, "reader": "tf-load", "remedy": None, "state": "differs", "error": None,
         "reference_release": OLD, "max_abs_difference": 3.0, "relative_difference": 0.25},
        {"release": NEW, "reader": "tfsm-layer", "remedy": None, "state": "refused",
         "error": {"class": "AttributeError", "message": ADD_SLOT.message},
         "reference_release": None, "max_abs_difference": None, "relative_difference": None},
    ]  # fmt: skip
    assert one["advice"][1] == {
        "release": NEW, "remedy": "tf-keras-first", "works": True, "text": ADVICE[1].text, "command": ADVICE[1].command,
    }  # fmt: skip


HOSTILE = [
    "\x1b[31mred", "two\nlines", "tab\there", "a|b|c", "[click](javascript:x)", "<script>alert(1)</script>",
    "`code`", "*bold* _it_ ~~gone~~", "\u202eesrever", "x" * 200, "# heading", "- item", "\x00nul",
]  # fmt: skip


def hostile_answer(text: str) -> Check:
    """Return an answer in which a stranger chose every text."""
    named = replace(model(), path=text, signature=text, inputs_told=text)
    cells = (
        tried(State.ANSWERS, OLD),
        tried(State.REFUSED, error=Error(text, text)),
        tried(State.DIFFERS, reader="v1-session", error=Error(None, text)),
    )
    advice = (Advice(NEW, "v1-session", True, text, text), Advice(NEW, "tf-keras-first", False, text, text))
    return check(CheckedModel(named, cells, advice), unread=(Unread(text, text),))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_no_name_breaks_a_format(text: str) -> None:
    report, plain = report_check(hostile_answer(text)), report_check(hostile_answer("plain"))
    for width in (20, 80):
        shown = as_table(report, width)
        assert not {"\x1b", "\x00", "\t", "\r", "\u202e"} & set(shown)
    markdown = as_markdown(report)
    assert [len(row) for row in rows_of(markdown)] == [len(row) for row in rows_of(as_markdown(plain))]
    assert len(texts_of(markdown)) == len(texts_of(as_markdown(plain)))
    parts = [part for token in tokens(markdown) for part in (token, *(token.children or ()))]
    assert not any(part.type in ("html_block", "link_open") or "script" in part.content for part in parts
                   if part.type.startswith(("html", "link")))  # fmt: skip
    assert "<script>alert" not in render(report, "html", Style())
    assert as_json(report)["models"][0]["path"] == text
