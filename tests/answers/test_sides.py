"""In what else than TensorFlow two sides differ, and the words for it."""

from __future__ import annotations

from harness.answers.notes import LocksDiffer, SidesDiffer
from harness.answers.sides import SubjectFacts, differences
from harness.report.notes import notes_text

BUILT = {"compiler": "Clang 18.1.8", "git": "v1-2-gabc", "flags": ["-O2"], "made_for": {"is_cuda_build": "False"}}


def side(name: str, *, built: object = BUILT, locked: object = None, **facts: object) -> SubjectFacts:
    return SubjectFacts.of({"name": name, "built": built, "locked": locked, **facts})


def texts(old: SubjectFacts, new: SubjectFacts) -> list[str]:
    return list(notes_text(differences(old, new)))


def test_sides_that_are_alike_say_nothing():
    assert texts(side("a", locked={"numpy": "2.0"}), side("b", locked={"numpy": "2.0"})) == []


def test_compiler_and_build_flags_are_told_without_what_both_have():
    new = {**BUILT, "compiler": "Clang 20.1.0", "flags": ["-O2", "-mavx2"], "made_for": {"is_cuda_build": "True"}}
    assert list(differences(side("a"), side("b", built=new))) == [
        SidesDiffer("compiler", "Clang 18.1.8", "Clang 20.1.0"),
        SidesDiffer("build flags", "is_cuda_build=False", "-mavx2, is_cuda_build=True"),
    ]


def test_one_compiler_by_two_names_is_one_compiler():
    vendor = {**BUILT, "compiler": "Ubuntu Clang 18.1.8 (++20240731024944+3b5b5c1ec4a3-1~exp1~20240731145000.144)"}
    assert texts(side("a"), side("b", built=vendor)) == []
    gcc = {**BUILT, "compiler": "9.3.1 20200408"}
    assert "compiler (Clang 18.1.8 and GCC 9.3.1)" in texts(side("a"), side("b", built=gcc))[0]


def test_what_is_not_known_of_one_side_is_no_difference():
    assert texts(side("a"), side("b", built=None)) == []
    assert texts(side("a", locked={"numpy": "2.0"}), side("b")) == []


def test_dependencies_that_differ_are_three_lines_and_tensorflow_is_none_of_them():
    old = {"tensorflow-cpu": "2.21.0", "keras": "3.15.1", "numpy": "2.0", **{f"p{n}": "1" for n in range(8)}}
    new = {"tf-nightly": "2.22.0", "keras-nightly": "3.16", "numpy": "2.1", **{f"p{n}": "2" for n in range(8)}}
    (note,) = [one for one in differences(side("a", locked=old), side("b", locked=new)) if isinstance(one, LocksDiffer)]
    assert (note.added, note.removed) == ((("keras-nightly", "3.16"),), (("keras", "3.15.1"),))
    assert len(note.changed) == 9
    assert list(notes_text([note])) == [
        "Dependencies that only b has: keras-nightly 3.16.",
        "Dependencies that only a has: keras 3.15.1.",
        "Dependencies of other versions: numpy (2.0 and 2.1), p0 (1 and 2), p1 (1 and 2), p2 (1 and 2), p3 (1 and 2), "
        "p4 (1 and 2) and 3 more; each may be the cause of a change.",
    ]
