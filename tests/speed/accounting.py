"""Where the seconds of a run went: every phase of its records, summed; what no phase names is left over.

Pure: records in, an account out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CLOCK_SLACK_S = 0.002
"""Phases are timed by three processes' readings of one clock; more than this over the whole is a mistake."""

LOST = "sample, lost"
"""Kind of a sample's clock whose reading was not stored, because its repeat failed or is unsupported."""

IMPORT_KIND = "import"
"""Kind of everything in the record of an import, and of the start and import of a spawned repeat."""


@dataclass(frozen=True, slots=True)
class Line:
    """One named phase of one operation, summed over the run."""

    operation: str  # command, block, import, save, load cold, load warm or infer
    phase: str
    kind: str  # import, sample, warm-up, check, evict, set-up, process, host; LOST
    count: int
    wall_s: float


@dataclass(frozen=True, slots=True)
class Account:
    """Where the wall time of a run went."""

    total_s: float
    lines: tuple[Line, ...]
    unnamed: Mapping[str, float]  # seconds by operation; "command" holds what lies outside the blocks

    @property
    def unnamed_s(self) -> float:
        """Seconds that no phase names."""
        return sum(self.unnamed.values())

    @property
    def unnamed_share(self) -> float:
        """Share of all seconds that no phase names, 0 to 1."""
        return self.unnamed_s / self.total_s

    @property
    def without_imports_s(self) -> float:
        """All seconds but those of imports."""
        return self.total_s - self.of_kind(IMPORT_KIND)

    @property
    def sample_share(self) -> float:
        """Share of the seconds without imports that lies inside clocks whose reading became a stored sample."""
        return self.of_kind("sample") / self.without_imports_s

    def of_kind(self, kind: str) -> float:
        """Return the seconds of all phases of a kind."""
        return sum(line.wall_s for line in self.lines if line.kind == kind)

    def by_kind(self) -> dict[str, float]:
        """Return seconds by kind, largest first, the unnamed ones last."""
        sums: Counter[str] = Counter()
        for line in self.lines:
            sums[line.kind] += line.wall_s
        return {**dict(sums.most_common()), "unnamed": self.unnamed_s}


def account(records: Iterable[Mapping[str, Any]], command: Sequence[Mapping[str, Any]], total_s: float) -> Account:
    """Attribute every second of a run.

    Args:
        records: the run's records, as in records.jsonl; all of one sitting.
        command: the phases of the command around the blocks.
        total_s: wall seconds of the whole command.

    Raises:
        ValueError: the phases of a record are longer than the record: they overlap, and the account would be wrong.
    """
    seconds: Counter[tuple[str, str, str]] = Counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    unnamed: dict[str, float] = {}
    blocks_s = repeats_s = 0.0

    def add(
        operation: str, phases: Iterable[Mapping[str, Any]], whole_s: float, stored: bool, kind: str | None
    ) -> None:
        named_s = 0.0
        for phase in phases:
            key = (operation, str(phase["name"]), kind or _kind(str(phase["kind"]), stored))
            seconds[key] += phase["wall_s"]
            counts[key] += 1
            named_s += phase["wall_s"]
        if named_s > whole_s + CLOCK_SLACK_S:
            raise ValueError(f"the phases of {operation} sum to {named_s:.4f} s in a stretch of {whole_s:.4f} s")
        unnamed[operation] = unnamed.get(operation, 0.0) + whole_s - named_s

    block_phases: list[Mapping[str, Any]] = []
    for record in records:
        if record["type"] == "block":
            blocks_s += record["duration_s"]
            block_phases += record["phases"]
            continue
        repeats_s += record["wall_s"]
        imports = record["operation"] == "import"
        stored = record["status"] == "ok"
        add(_operation(record), record["phases"], record["wall_s"], stored, IMPORT_KIND if imports else None)
    add("block", block_phases, blocks_s - repeats_s, True, None)
    add("command", command, total_s - blocks_s, True, None)
    lines = [Line(*key, counts[key], wall_s) for key, wall_s in seconds.most_common()]
    return Account(total_s, tuple(lines), unnamed)


def _kind(kind: str, stored: bool) -> str:
    return LOST if kind == "sample" and not stored else kind


def _operation(record: Mapping[str, Any]) -> str:
    page_cache = record.get("page_cache")
    return f"load {page_cache}" if record["operation"] == "load" else str(record["operation"])
