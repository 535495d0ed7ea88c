"""Presets as files: harness/presets.toml, or a user's own of that form."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.errors import UsageError, field_error
from harness.formats.registry import READERS, WRITERS
from harness.measure.passes import PASSES
from harness.measure.presets import DEVICES, Cell, Group, Preset
from harness.models.families import names as model_names

SHIPPED = Path(__file__).parent.parent / "presets.toml"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the presets that come with the harness."""
    return tuple(_tables_of(SHIPPED))


def shipped() -> list[Preset]:
    """Return the presets that come with the harness."""
    return [_preset_of(name, table, SHIPPED) for name, table in _tables_of(SHIPPED).items()]


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
        tables = _tables_of(file)
        if not tables:
            raise UsageError(f"{file} has no test plan: add a table with groups, as in harness/presets.toml.")
        if not name and len(tables) != 1:
            raise UsageError(f"{file} has {len(tables)} test plans: choose one with {file}#NAME ({', '.join(tables)}).")
        name = name or next(iter(tables))
    else:
        file, name = SHIPPED, text
        tables = _tables_of(SHIPPED)
    if name not in tables:
        raise UsageError(f"There is no test plan {name!r} in {file.name}: choose one of {', '.join(tables)}.")
    return _preset_of(name, tables[name], file, registered)


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
    import_turns: _Count = 0
    margins: dict[str, float] = {}  # `margin_table` refuses one that is no fraction


def _tables_of(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not a TOML file that can be read: {error}.") from error
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _preset_of(name: str, table: dict[str, Any], file: Path, registered: Collection[str] = ()) -> Preset:
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
        import_turns=read.import_turns,
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
