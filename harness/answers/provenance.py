"""Where the numbers of a report come from: the machine, its runs and how many blocks they give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a report on one machine's runs was made of."""

    machine: str
    is_reference: bool  # committed reference runs, not made in this project's folder
    asked: str | None  # the machine whose own runs were looked at first; None where a run was named
    runs: tuple[tuple[str, int], ...]  # id and number of blocks, oldest first; empty where nothing was found
    others: tuple[str, ...] = ()  # machines that have runs in the results too, which were not read
    is_spawned: bool = False  # of runs with `--isolation spawn`, else of forked ones: never of both
    disturbed: tuple[tuple[str, str], ...] = ()  # id and what the machine's disturbances cost, of these runs
    left_out: tuple[str, ...] = ()  # this machine's spawned runs, which were not read beside the forked ones
    worker_version: int | None = None  # of these runs, which have one in common; None where they do not say it
    older: tuple[str, ...] = ()  # this machine's runs of older worker versions, which were not read beside these
    is_older: bool = False  # there are runs of a newer worker version, which have nothing of this kind

    @property
    def blocks(self) -> int:
        """All blocks, added up."""
        return sum(blocks for _, blocks in self.runs)
