"""One continuous stretch of a run: block after block until the plan, the time or a look ends it."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.machine.gpu.memory import baseline
from harness.machine.gpu.nvml import Reading
from harness.measure.block import Block
from harness.measure.conditions import Conditions, Subject
from harness.measure.failures import FailureCount
from harness.measure.limits import Limits
from harness.measure.memory_limit import memory_limit_bytes
from harness.measure.plan import Plan, compared
from harness.measure.presets import Preset
from harness.measure.progress import Progress
from harness.measure.retries import disturbance_text, next_retry, spoilt_blocks, stands_for
from harness.measure.work import count_work
from harness.store.records import Record, RecordWriter, complete_blocks, next_attempt, records_of_complete_blocks
from harness.store.runs import RunDirectory
from harness.store.taints import described

MOST_BLOCKS = 100
"""No budget buys more: the t distribution has long stopped changing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    run: RunDirectory
    blocks: int  # complete ones, in all
    blocks_before: int  # of these, those measured in earlier sittings
    blocks_planned: int
    interrupted: bool
    stopped_by: str | None  # why fewer blocks than planned were measured


class _Durations:
    """How long blocks take: seconds of the imports, and of a cell of each group, as the last block that had it told."""

    def __init__(self) -> None:
        self.import_s: float | None = None  # None before any block was measured
        self._cell_s: dict[int, float] = {}  # by the group's number

    def learn(self, parts_s: list[float], preset: Preset, number: int) -> None:
        """Take in what block `number` of a preset took: `parts_s` are the imports and each group that was in it."""
        self.import_s, *groups_s = parts_s
        within = [(index, group) for index, group in enumerate(preset.groups) if group.is_in(number)]
        for seconds, (index, group) in zip(groups_s, within, strict=True):
            if group.cells:
                self._cell_s[index] = seconds / len(group.cells)

    def expected_s(self, preset: Preset, number: int) -> float:
        """Return the seconds that block `number` of a preset will take; 0 before any block was measured."""
        groups = ((index, group) for index, group in enumerate(preset.groups) if group.is_in(number))
        return (self.import_s or 0.0) + sum(self._cell_s.get(index, 0.0) * len(group.cells) for index, group in groups)


class Sitting:
    """One continuous stretch of a run."""

    def __init__(
        self,
        root: Path,
        plan: Plan,
        limits: Limits,
        progress: Progress,
        run: RunDirectory,
        records: list[Record],
        gpu: Reading[str],
    ) -> None:
        """Prepare a stretch of `run`, whose `records` are those so far; `gpu` is the UUID of the GPU it uses."""
        self._root = root
        self._plan = plan
        self._limits = limits
        self._progress = progress
        self._run = run
        self._records = records
        self._look_back()
        self._done = set(complete_blocks(records))
        self._before = len(self._done)
        # Who adds blocks to a run that ended may have mended what failed in it: one more try tells.
        self._failures = FailureCount([] if limits.extend else records_of_complete_blocks(records))
        ordinary = self._before - len(self._further)
        extra = ordinary if limits.extend and ordinary >= plan.preset.blocks else 0
        self._planned = plan.looks[-1] if plan.looks else plan.preset.blocks + extra
        self._preset = plan.preset.with_cells(run.facts.get("open_cells"))
        self._durations = _Durations()
        self._started = time.monotonic()
        self._deadline = limits.deadline
        if plan.looks and limits.budget_s is not None:
            self._deadline = min(self._started + limits.budget_s, limits.deadline or math.inf)
        self._gpu = gpu
        if gpu.value is None and plan.on_gpu:
            progress.say(f"GPU memory of the process and disturbances of the GPU are not recorded: {gpu.reason}.")
        memory = baseline(gpu.value).value if gpu.value else None
        self._device_memory_bytes = None if memory is None else memory.total_bytes

    def measure(self) -> Outcome:
        """Measure until the plan is complete or something ends it; every complete block is on disk by then."""
        stopped_by = None
        interrupted = False
        try:
            count_work(self._root, self._run, self._plan, self._progress, self._left_s())
            with self._run.writer() as writer:
                while len(self._done) - len(self._further) < self._planned:
                    number = self._free_number()
                    stopped_by = self._cannot_end_in_time(number, self._preset)
                    if stopped_by:
                        break
                    self._measure_block(number, number, writer, self._allotted(number))
                    if len(self._done) in self._plan.looks and not self._goes_on_after_look():
                        stopped_by = "no further block would settle another row"
                        break
                if not self._plan.looks:
                    self._measure_again(writer)
            self._last_look()
        except KeyboardInterrupt:
            interrupted = True
        whole = len(self._done) - len(self._further) >= self._planned or stopped_by is not None
        state = "interrupted" if interrupted or not self._done else "complete" if whole else "interrupted"
        disturbed = disturbance_text(self._spoilt, self._further)
        self._run = self._run.updated(
            state=state,
            blocks_planned=self._planned,
            blocks=len(self._done),
            disturbed=disturbed,
            gpu={"uuid": self._gpu.value, "reason": self._gpu.reason},
        )
        return Outcome(self._run, len(self._done), self._before, self._planned, interrupted, stopped_by)

    def _left_s(self) -> float | None:
        """Return the seconds that a time limit leaves this sitting; None where there is none."""
        until = [] if self._deadline is None else [self._deadline - time.monotonic()]
        budget = [] if self._limits.budget_s is None else [self._limits.budget_s - self._spent_s()]
        return min([*until, *budget], default=None)

    def _look_back(self) -> None:
        """Read from the records which blocks were disturbed and which took another's place."""
        records = self._run.records()[0]
        self._spoilt, self._further = spoilt_blocks(records), stands_for(records)

    def _measure_again(self, writer: RecordWriter) -> None:
        """Measure disturbed blocks once more, while their budget and the time allow."""
        while (original := next_retry(self._spoilt, self._further, self._planned)) is not None:
            number = self._free_number()
            why = self._spoilt[original]
            lacking = "1 operation has" if why.places == 1 else f"{why.places} operations have"
            said = f"Block {original + 1}: {lacking} no usable measurement ({described(why.reason)})"
            again = self._preset.with_cells(why.cells)
            if self._cannot_end_in_time(original, again) or self._over_budget(original, again):
                self._progress.say(f"{said}; no time is left to measure it once more.")
                return
            cells = "the test case is" if len(why.cells) == 1 else f"the {len(why.cells)} test cases are"
            self._progress.say(f"{said}; {cells} measured once more.")
            self._measure_block(number, original, writer, again)

    def _allotted(self, number: int) -> Preset:
        """Return the test plan with the repeats of a block."""
        allot = self._limits.allot
        return self._preset if allot is None else allot(self._run, number, self._preset)

    def _free_number(self) -> int:
        return next(block for block in range(len(self._done) + 1) if block not in self._done)

    def _over_budget(self, original: int, preset: Preset) -> bool:
        """Whether a block like block `original` of this preset would go beyond the time that was given."""
        budget_s = self._limits.budget_s
        return budget_s is not None and self._spent_s() + self._durations.expected_s(preset, original) > budget_s

    def _spent_s(self) -> float:
        return time.monotonic() - self._started

    def _measure_block(self, number: int, original: int, writer: RecordWriter, preset: Preset) -> None:
        """Measure block `number` of a preset, in the place of block `original` where that is another one."""
        plan = self._plan
        conditions = Conditions(
            preset=preset,
            subjects=tuple(
                Subject(name, environment.python, environment.variables) for name, environment in plan.subjects.items()
            ),
            isolation=plan.isolation,
            seed=plan.seed,
            memory_limit_bytes=memory_limit_bytes(plan.preset),
            folder=self._run.path,
            compared=tuple(compared(list(plan.subjects), against_first=plan.against_first)),
            gpu_uuid=self._gpu.value,
            gpu_missing=self._gpu.reason,
            device_memory_bytes=self._device_memory_bytes,
        )
        attempt = next_attempt(self._records, number)
        blocks = max(self._planned, number + 1)
        block = Block(conditions, number, attempt, writer, self._failures, self._progress, blocks, original)
        parts_s = block.measure()
        self._done.add(number)
        self._look_back()
        if number == original:
            # What is measured once more has some cells of a group only, which need not be like the others.
            self._durations.learn(parts_s, preset, number)
            if self._limits.budget_s is not None and not plan.looks:
                self._planned = self._affordable(self._limits.budget_s - self._spent_s())

    def _affordable(self, left_s: float) -> int:
        """Return how many blocks there will be with those that begin and end within so many seconds."""
        blocks = len(self._done) - len(self._further)
        while blocks < MOST_BLOCKS and (left_s := left_s - self._durations.expected_s(self._preset, blocks)) >= 0:
            blocks += 1
        return blocks

    def _goes_on_after_look(self) -> bool:
        """Note a look, ask what needs more blocks, and narrow the run to that."""
        self._note_look()
        if self._limits.review is None or len(self._done) >= self._planned:
            return True
        left_s = math.inf if self._deadline is None else self._deadline - time.monotonic()
        cells = self._limits.review(self._run, left_s)
        if cells is None:
            return False
        stay = [cell for cell in self._preset.cells if cell in cells]
        self._run = self._run.updated(open_cells=[asdict(cell) for cell in stay])
        self._preset = self._plan.preset.with_cells(self._run.facts["open_cells"])
        return True

    def _last_look(self) -> None:
        """Let the end of the budget take the place of the next look: what is measured is also judged."""
        looks = self._run.facts.get("looks", [])
        if self._plan.looks and self._done and len(self._done) > max(looks, default=0):
            self._note_look()

    def _note_look(self) -> None:
        self._run = self._run.updated(looks=[*self._run.facts.get("looks", []), len(self._done)])

    def _cannot_end_in_time(self, number: int, preset: Preset) -> str | None:
        """Say why a block of this preset with the groups of block `number` must not start."""
        if self._deadline is None or self._durations.import_s is None:
            return None
        expected_s = 1.1 * self._durations.expected_s(preset, number)
        left_s = self._deadline - time.monotonic()
        if expected_s <= left_s:
            return None
        return f"the next block would take about {expected_s:.0f} s and {max(0.0, left_s):.0f} s are left"
