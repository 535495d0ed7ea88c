"""In what else than TensorFlow two sides differ: Keras, build, dependencies, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.answers.notes import LocksDiffer, Note, OwnInterpreters, OwnWheel, SidesDiffer
from harness.releases.locks import TENSORFLOWS


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """What identifies one side. Fields are None or empty where the run did not record them."""

    name: str
    release: str | None = None
    tensorflow: str | None = None
    keras: str | None = None
    policy: str | None = None
    wheel: str | None = None
    python: str | None = None
    lock_digest: str | None = None
    profile: str | None = None
    is_bound: bool = False  # to an interpreter of its own, which has neither lock nor kind of wheel
    compiler: str | None = None
    git: str | None = None  # what TensorFlow says of its source
    flags: tuple[str, ...] = ()  # of compiling and linking, and what it was built for: "is_cuda_build=True"
    locked: Mapping[str, str] = field(default_factory=dict)  # versions of all packages
    build: Mapping[str, Any] | None = None  # of a nightly or a wheel that has no entry in releases.toml

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> SubjectFacts:
        """Return the facts of one entry of run.json's `subjects`; `python` becomes the minor version ("3.11")."""
        minor = re.match(r"\d+\.\d+", str(facts.get("python_minor") or facts.get("python") or ""))
        built = facts.get("built") or {}
        names = ("release", "tensorflow", "keras", "policy", "wheel", "lock_digest", "profile", "compiler", "git")
        text = {name: facts.get(name) or built.get(name) for name in names}
        known = {name: str(value) for name, value in text.items() if value is not None}
        made_for = (f"{name}={value}" for name, value in (built.get("made_for") or {}).items())
        return cls(
            name=str(facts["name"]),
            python=minor.group() if minor else None,
            is_bound=facts.get("installation") is not None,
            flags=(*built.get("flags", ()), *made_for),
            locked=dict(facts.get("locked") or {}),
            build=facts.get("build"),
            **known,
        )


def differences(old: SubjectFacts, new: SubjectFacts) -> Iterator[Note]:
    """Yield in what else than TensorFlow the sides differ; an interpreter of its own has neither lock nor wheel."""
    for side in dict.fromkeys((old.name, new.name)):
        yield from _own_wheel(old if side == old.name else new)
    bound = tuple(side.name for side in (old, new) if side.is_bound)
    if bound:
        yield OwnInterpreters(bound)
    compared = (
        ("Keras", old.keras, new.keras),
        *(() if bound else (("lock policy", old.policy, new.policy), ("wheel", old.wheel, new.wheel))),
        ("Python", old.python, new.python),
        *_build(old, new),
        ("profile", old.profile or "none", new.profile or "none"),
    )
    yield from (SidesDiffer(what, before, after) for what, before, after in compared if before != after)
    yield from _locks(old, new)


def _own_wheel(side: SubjectFacts) -> Iterator[OwnWheel]:
    build = side.build or {}
    if build.get("sha256"):
        yield OwnWheel(side.name, str(build.get("label") or build.get("file")), str(build["package"]), build["sha256"])


def _build(old: SubjectFacts, new: SubjectFacts) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield compiler and build flags as they are told, where both sides are known to have some."""
    if old.compiler and new.compiler:
        yield "compiler", _compiler(old.compiler), _compiler(new.compiler)
    if old.flags and new.flags:
        only = (", ".join(one for one in side if one not in other) for side, other in _both(old.flags, new.flags))
        before, after = only
        yield "build flags", before or "none of these", after or "none of these"


def _both(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    return (old, new), (new, old)


def _compiler(said: str) -> str:
    """Return name and version of a compiler: "Clang 18.1.8" for "Ubuntu Clang 18.1.8 (++2024…)"."""
    found = re.search(r"(?:([A-Za-z+]+)[ -])?(\d+(?:\.\d+)+)", said)
    return said if found is None else f"{found[1] or 'GCC'} {found[2]}"


def _locks(old: SubjectFacts, new: SubjectFacts) -> Iterator[LocksDiffer]:
    before, after = (
        {name: version for name, version in side.locked.items() if name not in TENSORFLOWS} for side in (old, new)
    )
    if before and after and before != after:
        both = ((name, before[name], after[name]) for name in before if name in after)
        yield LocksDiffer(
            old.name,
            new.name,
            tuple((name, version) for name, version in after.items() if name not in before),
            tuple((name, version) for name, version in before.items() if name not in after),
            tuple((name, one, other) for name, one, other in both if one != other),
        )
