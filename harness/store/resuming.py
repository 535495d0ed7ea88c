"""Which unfinished run can go on, and in words why another cannot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.store.runs import UNFINISHED, Facts, RunDirectory, fingerprint, runs_of


def find_resumable(root: Path, machine: str, wanted: str, *, states: Iterable[str] = UNFINISHED) -> RunDirectory | None:
    """Return the newest run of a fingerprint that can be continued, None where there is none.

    Args:
        root: the project root.
        machine: the machine's name.
        wanted: the fingerprint of the run to be made.
        states: which states qualify; add "complete" to add blocks to a run that ended.
    """
    accepted = set(states)
    runs, _ = runs_of(root, machine)
    for run in reversed(runs):
        if run.facts["fingerprint"] == wanted and run.facts["state"] in accepted:
            return run
    return None


def why_not_resumable(
    root: Path, machine: str, kind: str, preset: str, parts: Mapping[str, Any], *, states: Iterable[str] = UNFINISHED
) -> str | None:
    """Say why the newest run that a user may have meant to go on with cannot be continued.

    Args:
        root: the project root.
        machine: the machine's name.
        kind: the kind of the run to be made.
        preset: the name of its preset.
        parts: what its fingerprint is made of; `parts["subjects"]` holds the subjects' names.
        states: which states qualify, as for `find_resumable`.

    Returns:
        A sentence that names every fingerprint part that differs, as in "Run 2026… cannot be continued: seed was 1
        and is 2."; None where no run of this kind, these subjects and this preset is in such a state, or the newest
        one can be continued.
    """
    meant = (kind, list(parts["subjects"]), preset)
    accepted = set(states)
    runs, _ = runs_of(root, machine)
    for run in reversed(runs):
        if _meant(run.facts) != meant or run.facts["state"] not in accepted:
            continue
        if run.facts["fingerprint"] == fingerprint(parts):
            return None
        before = run.facts.get("fingerprint_parts", {})
        names = {*before, *parts}
        if before.get("environments") != parts.get("environments"):
            names.discard("locks")  # another environment has another lock
        changes = [_change(name, before.get(name), parts.get(name)) for name in sorted(names)]
        named = "; ".join(change for change in changes if change)
        return f"Run {run.run} cannot be continued: {named or 'it does not say what it measured'}."
    return None


def _meant(facts: Facts) -> tuple[str, list[str], Any]:
    """Return what a user names to get a run: its kind, the subjects and the preset."""
    preset = facts.get("preset")
    subjects = [str(subject["name"]) for subject in facts["subjects"]]
    return facts["kind"], subjects, preset.get("name") if isinstance(preset, dict) else None


_OF_A_SUBJECT = {
    "subjects": "the release called",
    "locks": "the lock of",
    "profiles": "the profile of",
    "installed TensorFlow": "the TensorFlow installed for",
    "installed Keras": "the Keras installed for",
    "installed Python": "the Python of the interpreter of",
    "wrappers": "the script that starts",
}
"""Parts that hold something for each subject, and how a sentence names it."""

_TELLING_NOTHING = {
    "preset": "the preset's contents differ (its file, or --device, --model, --operation or --repeats)",
    "boot": "the machine has been started anew",
    "estimator": "its interim analyses took differences by another estimator",
}
"""Parts whose values are mere digests and ids, and what it means that they differ."""


def _change(name: str, old: Any, new: Any) -> str | None:
    """Return how one part differs, short enough for a sentence; None where it does not."""
    old, new = json.loads(json.dumps(old)), json.loads(json.dumps(new))
    if old == new:
        return None
    if name in _TELLING_NOTHING:
        return _TELLING_NOTHING[name]
    if name in _OF_A_SUBJECT:
        return _change_of_subjects(_OF_A_SUBJECT[name], old, new)
    if name == "environments" and isinstance(old, dict) and isinstance(new, dict):
        told = [f"{one} was in {old.get(one)} and is in {new.get(one)}" for one in new if old.get(one) != new.get(one)]
        return "; ".join(told)
    if isinstance(old, dict) and isinstance(new, dict):
        differing = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return f"{name} changed ({', '.join(differing)})"
    if isinstance(old, list) and isinstance(new, list):
        old, new = ", ".join(map(str, old)), ", ".join(map(str, new))
    shown = f"{name} was {old} and is {new}"
    return shown if len(shown) <= 160 else f"{name} changed"


def _change_of_subjects(what: str, old: Any, new: Any) -> str:
    """Return for which subjects something differs: "the lock of v2.21.0 has changed"."""
    before, after = (part if isinstance(part, dict) else dict.fromkeys(part or ()) for part in (old, new))
    told = []
    for subject in sorted({*before, *after}):
        if subject not in before:
            told.append(f"{what} {subject} was not recorded")
        elif before[subject] != after.get(subject):
            told.append(f"{what} {subject} has changed")
    return "; ".join(told)
