"""Facts about the packages of interpreter releases: mixed files, versions that contradict each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields

from harness.answers.notes import Note, Said
from harness.releases.installation import Installation
from harness.store.records import Record, versions_said
from harness.store.runs import RunDirectory


def installation_notes(run: RunDirectory, records: Iterable[Record], subjects: Collection[str]) -> list[Note]:
    """Return a note for each thing that is wrong there.

    Args:
        run: the run, whose facts hold what was installed.
        records: of the run; they hold which version TensorFlow said it was.
        subjects: names; others are left out.
    """
    said = versions_said(records)
    notes = []
    for facts in run.facts["subjects"]:
        stored = facts.get("installation")
        if stored is None or facts["name"] not in subjects:
            continue
        known = {field.name: stored[field.name] for field in fields(Installation) if field.name in stored}
        version = said.get(facts["name"], {}).get("tensorflow")
        notes += [f"{facts['name']}: {sentence}" for sentence in Installation(**known).warnings(version)]
    return [Said(sentence) for sentence in dict.fromkeys(notes)]
