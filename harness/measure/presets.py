"""Presets: the plan of a run as data (harness/presets.toml or a user's own file of that form)."""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.errors import UsageError, field_error
from harness.formats.registry import READERS, WRITERS
from harness.measure.own_models import AS_IS, KERAS_FILE, OwnModel
from harness.measure.passes import ORIGINS, PASSES
from harness.models.families import names as model_names

SHIPPED = Path(__file__).parent.parent / "presets.toml"
DEVICES = ("cpu", "gpu")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one repeat measures under a subject."""

    device: str
    model: str
    writer: str
    reader: str

    @property
    def artifact(self) -> str:
        """The variant of rows about the artifact as it is read."""
        return f"{self.writer}/{self.reader}"


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that are measured alike: how many repeats of what, in how many of the run's blocks."""

    cells: tuple[Cell, ...]
    repeats: Mapping[str, int]  # by pass, a cell, subject and block
    later_saves: int
    durable_saves: int
    batches: tuple[int, ...]
    window_s: float
    blocks: int | None
    exact_only: bool

    def is_in(self, block: int) -> bool:
        """Whether block number `block` (from 0) measures this group."""
        return self.blocks is None or block < self.blocks

    def with_repeats(self, **counts: int) -> Group:
        """Return the group with other numbers of repeats for some passes."""
        return replace(self, repeats={**self.repeats, **counts})

    @property
    def repeats_in_all(self) -> int:
        """Repeats a cell, subject and block."""
        return sum(self.repeats.values())


@dataclass(frozen=True, slots=True)
class Preset:
    """A plan: groups of cells, the number of blocks, and the change in time that matters."""

    name: str
    title: str
    time_margin: float
    blocks: int
    timeout_s: float
    memory_limit_gib: float | None
    groups: tuple[Group, ...]
    margins: Mapping[str, float] = field(default_factory=dict)
    """Other margins, by pattern (harness/verdict/margins.py)."""
    models: tuple[OwnModel, ...] = ()
    """Those of its cells that are not of the zoo."""
    work: bool = False
    """Whether work is counted beside the blocks (harness/measure/work.py)."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, in the order in which a block measures them."""
        return tuple(cell for group in self.groups for cell in group.cells)

    def with_cells(self, cells: Iterable[Mapping[str, str]] | None) -> Preset:
        """Return the plan with only these cells (as `asdict` gives them), all where None; emptied groups stay."""
        if cells is None:
            return self
        kept = {Cell(**cell) for cell in cells}
        groups = (replace(group, cells=tuple(cell for cell in group.cells if cell in kept)) for group in self.groups)
        return replace(self, groups=tuple(groups))

    def as_dict(self) -> dict[str, Any]:
        """Return the whole plan as plain data for run.json; models and counted work only where it has some."""
        plan = asdict(self)
        return {name: value for name, value in plan.items() if value or name not in ("models", "work")}

    def own_model(self, cell: Cell) -> OwnModel | None:
        """Return the model of a cell where it is not one of the zoo."""
        return next((model for model in self.models if model.name == cell.model), None)

    def digest(self) -> str:
        """Return a hash of everything that must be equal for two runs' blocks to be pooled (not their number).

        Work is counted beside the blocks, which are the same without it.
        """
        plan = dict(replace(self, work=False).as_dict(), blocks=None)
        for model in plan.get("models", ()):
            del model["path"]  # the same content elsewhere is the same model
        return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def shipped_names() -> tuple[str, ...]:
    """Return the names of the presets that come with the harness."""
    return tuple(_parse(SHIPPED))


def read_preset(text: str, registered: Collection[str] = ()) -> Preset:
    """Return the shipped preset called `text`, or the one in a TOML file given as `path[#name]`.

    Its groups may name models of the zoo and those of `registered`.
    """
    path, _, name = text.partition("#")
    if path.endswith(".toml"):
        file = Path(path)
        if not file.is_file():
            raise UsageError(
                f"There is no file {file}: give the path of a TOML file, or one of {', '.join(shipped_names())}."
            )
        tables = _parse(file)
        if not tables:
            raise UsageError(f"{file} has no test plan: add a table with groups, as in harness/presets.toml.")
        if not name and len(tables) != 1:
            raise UsageError(f"{file} has {len(tables)} test plans: choose one with {file}#NAME ({', '.join(tables)}).")
        name = name or next(iter(tables))
    else:
        file, name = SHIPPED, text
        tables = _parse(SHIPPED)
    if name not in tables:
        raise UsageError(f"There is no test plan {name!r} in {file.name}: choose one of {', '.join(tables)}.")
    return _preset(name, tables[name], file, registered)


def narrow(
    preset: Preset,
    *,
    devices: Sequence[str] | None = None,
    models: str | None = None,
    operations: Sequence[str] | None = None,
    blocks: int | None = None,
    repeats: int | None = None,
) -> Preset:
    """Return the preset limited to devices, models (globs with commas between) and operations, with other numbers.

    Without save there still is one save a cell and block: the load repeats need its artifact. Groups that have none of
    the operations are left out.
    Raises UsageError where nothing is left to measure, a glob matches no model of the preset, or one of the operations
    is not among what is left.
    """
    for glob in _globs(models):
        if not any(matches(cell.model, glob) for cell in preset.cells):
            raise UsageError(f"Test plan {preset.name!r} has no model that matches {glob!r}: it has {_models(preset)}.")
    groups = []
    for group in preset.groups:
        cells = tuple(
            cell for cell in group.cells if (devices is None or cell.device in devices) and matches(cell.model, models)
        )
        if not cells:
            continue
        group = replace(group, cells=cells)
        if repeats is not None:
            group = group.with_repeats(**{name: repeats for name, count in group.repeats.items() if count})
        groups.append(group)
    if not groups:
        raise UsageError(
            f"Test plan {preset.name!r} has nothing that matches --device and --model: it has {_models(preset)}."
        )
    if operations is not None:
        lacking = [name for name in operations if name not in _operations(groups)]
        if lacking:
            is_elsewhere = set(lacking) <= _operations(preset.groups)
            raise UsageError(_lacks(preset.name, lacking, is_elsewhere, _presets_with(operations, devices, models)))
        groups = [_limit_operations(group, operations) for group in groups if _operations([group]) & set(operations)]
    counts = preset.work and (operations is None or bool({"save", "load"} & set(operations)))
    return replace(preset, groups=tuple(groups), blocks=blocks or preset.blocks, work=counts)


def without_pass(preset: Preset, name: str) -> Preset:
    """Return the preset without one of its passes; a group that has no other keeps its save."""
    groups = (
        replace(group, repeats={each: count for each, count in group.repeats.items() if each != name})
        for group in preset.groups
    )
    return replace(preset, groups=tuple(groups))


def matches(model: str, globs: str | None) -> bool:
    """Return whether a model's name matches one of the globs with commas between; all do where None.

    What people call a model that is not of the zoo matches, too: `basic-pitch` is `basic-pitch@3fa91c2b`.
    """
    names = (model, model.partition("@")[0])
    return globs is None or any(fnmatchcase(name, glob) for glob in _globs(globs) for name in names)


def with_own_models(preset: Preset, models: Sequence[OwnModel], *, alone: bool) -> Preset:
    """Return a preset that measures models of a user's own as it measures the zoo's, with what fits each.

    What is saved as the harness saves it has the cells of the preset's writers and readers. An artifact is read by the
    preset's readers; in place of each save, what was loaded is saved again.

    Args:
        preset: the plan.
        models: the models.
        alone: whether they take the place of the preset's own models.

    Raises:
        UsageError: nothing that the preset measures fits one of them.
    """
    groups: list[Group] = [] if alone else list(preset.groups)
    for model in models:
        found = [own for group in preset.groups for own in _own_groups(group, model)]
        if not found:
            raise UsageError(
                f"Test plan {preset.name!r} measures nothing that fits {model.called}, which is "
                f"{'a file that Keras wrote' if model.kind == KERAS_FILE else 'not built by the harness'}: "
                "it trains or saves; choose another test plan, for example quick or full."
            )
        groups += _without_repetition(found)
    return replace(preset, groups=tuple(groups), models=tuple(dict.fromkeys([*preset.models, *models])))


def with_registered_models(preset: Preset, models: Mapping[str, OwnModel]) -> Preset:
    """Return a preset whose own groups name models of a user's own, with what fits each in their place.

    Args:
        preset: as `read_preset` gives it.
        models: all that it names, by that name.
    """
    groups: list[Group] = []
    for group in preset.groups:
        rest = tuple(cell for cell in group.cells if cell.model not in models)
        groups += [replace(group, cells=rest)] if rest else []
        for name, model in models.items():
            own = tuple(cell for cell in group.cells if cell.model == name)
            groups += _own_groups(replace(group, cells=own), model) if own else []
    return replace(preset, groups=tuple(groups), models=tuple(models.values()))


_OF_OWN = ("cold", "warm", "reload", "infer", "slices", "first_result", "calls", "memory", "profile", "floor")
"""The passes that an artifact of somebody else fits."""


def _own_groups(group: Group, model: OwnModel) -> list[Group]:
    """Return what a group measures of a model that is not of the zoo; none where nothing of it fits."""
    group = replace(group, batches=model.batches(group.batches))
    if model.is_built:
        repeats = {name: count for name, count in group.repeats.items() if name != "custom_code"}
        cells = tuple(dict.fromkeys(replace(cell, model=model.name) for cell in group.cells))
        return [replace(group, cells=cells, repeats=repeats)]
    is_file = model.kind == KERAS_FILE
    repeats = {
        name: count
        for name, count in group.repeats.items()
        if name in _OF_OWN and count and not (is_file and name == "calls")
    }
    if not repeats:
        return []
    places = dict.fromkeys((cell.device, "keras-load" if is_file else cell.reader) for cell in group.cells)
    cells = tuple(Cell(device, model.name, AS_IS, reader) for device, reader in places)
    read = replace(group, cells=cells, repeats={"answer": 1, **repeats}, later_saves=0, durable_saves=0)
    if not group.repeats.get("save"):
        return [read]
    # What is saved again was loaded by `tf-load`.
    saved = tuple(cell for cell in cells if cell.reader == "tf-load")
    parts = (
        replace(read.with_repeats(resave=1), cells=saved),
        replace(read, cells=tuple(cell for cell in cells if cell not in saved)),
    )
    return [part for part in parts if part.cells]


def _without_repetition(groups: Sequence[Group]) -> list[Group]:
    """Return groups in which each cell stands once, in the group that measures the most passes of it."""
    kept: list[Group] = []
    seen: set[Cell] = set()
    for group in sorted(groups, key=lambda one: (-len(one.repeats), -one.repeats_in_all)):
        cells = tuple(cell for cell in group.cells if cell not in seen)
        if cells:
            kept.append(replace(group, cells=cells))
            seen.update(cells)
    return kept


def _globs(text: str | None) -> list[str]:
    return [glob.strip() for glob in (text or "").split(",") if glob.strip()]


def _models(preset: Preset) -> str:
    return ", ".join(dict.fromkeys(cell.model for cell in preset.cells))


_REPEATS = {f"{name}_repeats": name for name in PASSES if name != "answer"}

_Names = str | list[str]  # globs
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=sys.float_info.max)]
_Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]

_GroupTable = msgspec.defstruct(
    "_GroupTable",
    [
        ("devices", _Names),
        ("models", _Names),
        ("writer", _Names),
        ("reader", _Names),
        *((field, _Count, 0) for field in _REPEATS),
        ("later_saves", _Count, 0),
        ("durable_saves", _Count, 0),
        ("batches", tuple[_Positive, ...], (1, 32)),
        ("window_s", _Seconds, 0.8),
        ("blocks", _Positive | None, None),
        ("exact_only", bool, False),
    ],
    forbid_unknown_fields=True,
)


class _PresetTable(msgspec.Struct, forbid_unknown_fields=True):
    """One table of a file of presets, as it is written there."""

    time_margin: _Fraction
    blocks: _Positive
    timeout_s: _Seconds
    groups: list[_GroupTable]  # type: ignore[valid-type]
    title: str | None = None
    memory_limit_gib: _Seconds | None = None
    work: bool = False
    margins: dict[str, float] = {}  # `margin_table` refuses one that is no fraction


def _operations(groups: Iterable[Group]) -> set[str]:
    return {PASSES[name].operation for group in groups for name, count in group.repeats.items() if count}


def _presets_with(operations: Iterable[str], devices: Sequence[str] | None, models: str | None) -> list[str]:
    """Return the shipped presets that measure all these operations on such devices and models."""
    found = []
    for name, table in _parse(SHIPPED).items():
        try:
            left = narrow(_preset(name, table, SHIPPED), devices=devices, models=models)
        except UsageError:
            continue
        if set(operations) <= _operations(left.groups):
            found.append(name)
    return found


def _lacks(name: str, lacking: Sequence[str], is_elsewhere: bool, others: Sequence[str]) -> str:
    what = f"the operation{'' if len(lacking) == 1 else 's'} {', '.join(lacking)}"
    where = " on the devices and models that are left" if is_elsewhere else ""
    instead = f"these do: {', '.join(others)}" if others else "no test plan of this project measures all of that"
    return f"Test plan {name!r} does not measure {what}{where}; {instead}."


def _limit_operations(group: Group, operations: Sequence[str]) -> Group:
    counts = {name: count for name, count in group.repeats.items() if PASSES[name].operation in operations}
    if "save" in operations and counts.get("save"):
        return replace(group, repeats=counts)
    # Whatever reads needs an artifact, or an answer to compare with.
    origins = {name: 1 for name in ORIGINS if name in group.repeats}
    return replace(group, repeats={**origins, **counts}, later_saves=0, durable_saves=0)


def _parse(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not a TOML file that can be read: {error}.") from error
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _preset(name: str, table: dict[str, Any], file: Path, registered: Collection[str] = ()) -> Preset:
    where = f"{file.name}: test plan {name!r}"
    try:
        read = msgspec.convert(table, _PresetTable)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {field_error(error, table)}; harness/presets.toml explains the fields.") from error
    return Preset(
        name=name,
        title=read.title or name,
        time_margin=read.time_margin,
        blocks=read.blocks,
        timeout_s=read.timeout_s,
        memory_limit_gib=read.memory_limit_gib,
        groups=tuple(_group(group, where, registered) for group in read.groups),
        margins=read.margins,
        work=read.work,
    )


def _group(table: Any, where: str, registered: Collection[str]) -> Group:
    cells = tuple(
        Cell(device, model, writer, reader)
        for device in _chosen(table.devices, DEVICES, f"{where}: devices")
        for model in _chosen(table.models, [*model_names(), *registered], f"{where}: models")
        for writer in _chosen(table.writer, WRITERS, f"{where}: writer")
        for reader in _chosen(table.reader, READERS, f"{where}: reader")
    )
    counts = {name: getattr(table, field) for field, name in _REPEATS.items()}
    return Group(
        cells=cells,
        repeats={"save": 1} | {name: count for name, count in counts.items() if count},
        later_saves=table.later_saves,
        durable_saves=table.durable_saves,
        batches=table.batches,
        window_s=table.window_s,
        blocks=table.blocks,
        exact_only=table.exact_only,
    )


def _chosen(patterns: str | Sequence[str], known: Iterable[str], where: str) -> list[str]:
    """Return the known names that match the patterns, in the patterns' order; UsageError for one without a match."""
    known = list(known)
    chosen: dict[str, None] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches:
            raise UsageError(f"{where}: {pattern!r} matches nothing; known are {', '.join(known)}.")
        chosen.update(dict.fromkeys(matches))
    return list(chosen)
