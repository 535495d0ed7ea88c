"""Models of a user's own: what `--model` and `models.toml` name becomes a model that a run can measure."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.errors import UsageError, field_error
from harness.measure import given_inputs
from harness.measure.own_models import KERAS_FILE, PYTHON_FILE, SAVED_MODEL, OwnModel
from harness.measure.own_models import Asked as AskedInput
from harness.models import families
from harness.planning.model_inputs import (
    fixed_batch,
    require_examples,
    settled_inputs,
    shape_note,
    whole_inputs,
    with_features,
)
from harness.savedmodel import warmup
from harness.savedmodel.content import digest
from harness.savedmodel.description import SavedModel, Signature
from harness.savedmodel.places import read_file, require_fetched
from harness.savedmodel.reading import read
from harness.savedmodel.wire import MalformedError
from harness.worker import random_inputs

FILE = "models.toml"
DIGITS = 8
"""Of a digest, in a model's name."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_KINDS = {".keras": KERAS_FILE, ".h5": KERAS_FILE, ".hdf5": KERAS_FILE, ".py": PYTHON_FILE}
_HDF5 = b"\x89HDF\r\n\x1a\n"
RANDOM = f"random, seed {random_inputs.SEED}"


@dataclass(frozen=True, slots=True)
class Called:
    """How a model of a user's own is to be called; what is left out follows from the model itself.

    `shapes` and `ranges` are by input; `inputs` is a file of their values.
    """

    signature: str | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    inputs: Path | None = None
    batches: tuple[int, ...] = ()
    tolerance: float | None = None
    timeout_s: float | None = None
    packages: tuple[str, ...] = ()
    trust: bool = False  # may code of its own run: of a Keras file or a Python file


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that was asked for, before it is read."""

    name: str  # what people call it
    path: Path
    size: str  # of a Python file's model
    called: Called
    is_registered: bool = False  # in models.toml, under its name


_Count = Annotated[int, msgspec.Meta(ge=1)]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One `[[model]]` of models.toml."""

    name: str
    path: str
    signature: str | None = None
    shape: dict[str, tuple[_Count, ...]] = {}
    range: dict[str, tuple[float, float]] = {}
    inputs: str | None = None
    batches: tuple[_Count, ...] = ()
    tolerance: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    packages: tuple[str, ...] = ()
    trust: bool = False
    size: str = ""


def registered(root: Path) -> dict[str, Asked]:
    """Return the models of `models.toml` in the project's root by name; none where there is no such file.

    Raises:
        UsageError: the file is malformed; the text names the entry and the field.
    """
    file = root / FILE
    if not file.is_file():
        return {}
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not a TOML file that can be read: {error}.") from error
    entries = table.get("model", [])
    if set(table) - {"model"} or not isinstance(entries, list):
        raise UsageError(f"{file} may hold [[model]] entries and nothing else; README shows one.")
    found: dict[str, Asked] = {}
    for number, entry in enumerate(entries, 1):
        try:
            listed = msgspec.convert(entry, _Entry)
        except msgspec.ValidationError as error:
            raise UsageError(f"{file}: entry {number}: {field_error(error, entry)}.") from error
        if not _NAME.fullmatch(listed.name) or listed.name in found or listed.name in families.names():
            raise UsageError(
                f"{file}: entry {number}: {listed.name!r} cannot be a model's name: use letters, digits, '.', '_' and "
                "'-', at most 80, each name once, and none of the harness's own models."
            )
        found[listed.name] = Asked(
            listed.name,
            root / listed.path,
            listed.size,
            Called(
                signature=listed.signature,
                shapes=listed.shape,
                ranges=listed.range,
                inputs=None if listed.inputs is None else root / listed.inputs,
                batches=listed.batches,
                tolerance=listed.tolerance,
                timeout_s=listed.timeout_s,
                packages=listed.packages,
                trust=listed.trust,
            ),
            is_registered=True,
        )
    return found


def split_models(root: Path, text: str | None, called: Called) -> tuple[str | None, tuple[Asked, ...]]:
    """Return the globs of the zoo's models, and the models of the user's own, that `--model` names.

    A path has a slash, ends like a file of a model, or is a folder that is there; a name of `models.toml`, or a glob
    that matches some, means these; everything else is a glob, and so is one that matches models of both kinds.

    Args:
        root: of the project.
        text: what was given, with commas between; None where nothing was.
        called: how the models that are given by a path are to be called.

    Raises:
        UsageError: models.toml is malformed, two paths would have one name, or options are given that no path uses.
    """
    globs: list[str] = []
    own: dict[str, Asked] = {}
    known: dict[str, Asked] | None = None
    for word in [word.strip() for word in (text or "").split(",") if word.strip()]:
        if _is_path(word):
            asked = _asked(word, called)
            _add(own, [asked])
            continue
        known = registered(root) if known is None else known
        matching = [one for name, one in known.items() if fnmatchcase(name, word.partition("@")[0])]
        _add(own, [_with_packages(one, called.packages) for one in matching])
        if not matching and "@" in word:
            raise UsageError(
                f"{word} is a model that was given by its path: enter it in {FILE} under that name, or give its path."
            )
        if not matching or any(fnmatchcase(name, word) for name in families.names()):
            globs.append(word)
    if replace(called, packages=()) != Called() and not any(one.called == called for one in own.values()):
        raise UsageError(
            "--signature, --shape, --range, --inputs, --tolerance and --trust are for models that are given by a path: "
            f"name one with --model PATH, or write them into {FILE}."
        )
    if called.packages and not own:
        raise UsageError("--with is for models of your own: name one with --model PATH.")
    return (",".join(globs) or None if text is not None else None), tuple(own.values())


def _with_packages(asked: Asked, more: tuple[str, ...]) -> Asked:
    packages = tuple(dict.fromkeys([*asked.called.packages, *more]))
    return replace(asked, called=replace(asked.called, packages=packages))


def _add(own: dict[str, Asked], more: Sequence[Asked]) -> None:
    for asked in more:
        if own.setdefault(asked.name, asked) != asked:
            raise UsageError(
                f"{own[asked.name].path} and {asked.path} would have the same name, {asked.name}: give them names in "
                f"{FILE}."
            )


def _is_path(word: str) -> bool:
    path = Path(word.rpartition(":")[0] if ".py:" in word else word)
    return "/" in word or path.suffix.lower() in _KINDS or path.is_dir()


def _asked(word: str, called: Called) -> Asked:
    path, size = Path(word).expanduser(), ""
    if ".py:" in word:
        text, _, size = word.rpartition(":")
        path = Path(text).expanduser()
    stem = path.absolute().name if path.suffix.lower() not in _KINDS else path.stem
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem + (f"-{size}" if size else "")).strip("-._")[:80] or "model"
    return Asked(name, path, size, called)


def read_model(asked: Asked) -> OwnModel:
    """Return a model as a run measures it: its files are read, its inputs settled, its content hashed.

    Raises:
        UsageError: it is no model that can be measured, code of its own would have to run and may not, or an input
            cannot be made; the text says what to do.
    """
    path, called = Path(os.path.normpath(asked.path.absolute())), asked.called
    if path.is_dir():
        path = path.resolve()  # links inside a folder lead on from where it really is
    if not path.exists():
        raise UsageError(f"There is no model at {asked.path}: give the path of a SavedModel directory or of a file.")
    kind = SAVED_MODEL if path.is_dir() else _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            f"{asked.path} is no model that can be measured: give a SavedModel directory, a .keras or .h5 file, or a "
            "Python file with `build` and `inputs`."
        )
    if kind == KERAS_FILE:
        _require_whole(path)
    if kind != SAVED_MODEL and not called.trust:
        runs = "is Python code" if kind == PYTHON_FILE else "can hold Python code, which Keras runs when it loads it"
        raise UsageError(f"{asked.path} {runs}: add --trust (or `trust = true` in {FILE}) if you know who wrote it.")
    if kind == SAVED_MODEL:
        model = _saved_model(asked, path)
    else:
        given: dict[str, object] = {"--signature": called.signature, "--inputs": called.inputs}
        if kind == PYTHON_FILE:
            given |= {"--shape": called.shapes, "--range": called.ranges}
        refused = [name for name, value in given.items() if value]
        if refused:
            raise UsageError(f"{', '.join(refused)} cannot be used with {asked.path}: it is no SavedModel directory.")
        wanted = tuple(
            AskedInput(name, called.shapes.get(name), *called.ranges.get(name, (None, None)))
            for name in dict.fromkeys([*called.shapes, *called.ranges])
        )
        notes = [shape_note(one.name, one.shape, has_batch=True) for one in wanted if one.shape is not None]
        notes += [f"{one.name} from {one.low:g} to {one.high:g}" for one in wanted if one.low is not None]
        told = "from its code" if kind == PYTHON_FILE else "; ".join([RANDOM, *notes])
        model = OwnModel(
            name=asked.name, kind=kind, path=str(path), size_bytes=path.stat().st_size,
            digest=given_inputs.file_digest(path),
            inputs=(), inputs_told=told, size=asked.size, asked=wanted,
        )  # fmt: skip
    model = replace(
        model,
        own_batches=called.batches,
        tolerance=called.tolerance,
        timeout_s=called.timeout_s,
        packages=called.packages,
    )
    return replace(model, name=f"{asked.name}@{_identity(model)[:DIGITS]}")


def _require_whole(path: Path) -> None:
    """Refuse a file in place of what Keras wrote: a zip archive or HDF5."""
    start = read_file(path, 1024)
    require_fetched(path, start)
    if not start.startswith(_HDF5) and not zipfile.is_zipfile(path):
        raise UsageError(f"{path} is damaged, or no file that Keras wrote: copy it again.")


def _identity(model: OwnModel) -> str:
    """Return the digest of a model's content, and of how it is called where that is not what follows from it."""
    special = [model.signature or "serving_default", model.inputs_told, model.size]
    if special in (["serving_default", RANDOM, ""], ["serving_default", "from its code", ""]):
        return model.digest
    return hashlib.sha256(json.dumps([model.digest, *special]).encode()).hexdigest()


def _saved_model(asked: Asked, path: Path) -> OwnModel:
    called = asked.called
    saved = read(path)
    tags, name, signature = chosen_signature(saved, called.signature, asked.path)
    values: dict[str, Any] = {}
    file = called.inputs.absolute() if called.inputs is not None else _requests(path, name, called)
    if file is not None:
        values = given_inputs.read(file, whole_inputs(signature.inputs), name)
        told = f"{file.name}, SHA-256 {given_inputs.file_digest(file)[:16]}"
    inputs, notes = settled_inputs(signature.inputs, called.shapes, called.ranges, values, asked.path)
    if file is not None:
        require_examples(inputs, values, file)
    else:
        inputs = tuple(with_features(one, signature.inputs, path, notes) for one in inputs)
        told = "; ".join([RANDOM, *notes]) if inputs else "none"
    return OwnModel(
        name=asked.name,
        kind=SAVED_MODEL,
        path=str(path),
        digest=digest(path),
        size_bytes=sum(one.bytes for one in saved.files),
        inputs=inputs,
        inputs_told=told,
        signature=name,
        tags=tags,
        inputs_file=None if file is None else str(file),
        fixed_batch=fixed_batch(inputs),
    )


def _requests(path: Path, signature: str, called: Called) -> Path | None:
    """Return the file of requests that a model carries for a signature; None where it has none, or others are asked."""
    file = warmup.requests_path(path)
    if file is None or called.shapes or called.ranges:
        return None
    try:
        return None if warmup.read_request(file, signature) is None else file
    except MalformedError:
        return None


def chosen_signature(
    saved: SavedModel, wanted: str | None, path: Path
) -> tuple[tuple[str, ...] | None, str, Signature]:
    """Return the tags of a meta graph, where it must be named, and the name and content of a signature.

    It is the one that is wanted, else `serving_default`, else the only one.

    Raises:
        UsageError: it is not there, or one has to be chosen; the text lists those that there are.
    """
    graphs = saved.meta_graphs
    graph = next((one for one in graphs if set(one.tags) == {"serve"}), graphs[0])
    tags = None if len(graphs) == 1 and set(graph.tags) == {"serve"} else tuple(graph.tags)
    usable = {name: one for name, one in graph.signatures.items() if one.outputs and one.is_for_users}
    listed = ", ".join(sorted(usable)) or "none that can be called"
    if wanted is not None and wanted not in usable:
        raise UsageError(f"{path} has no signature {wanted!r}: it has {listed}.")
    name = wanted or ("serving_default" if "serving_default" in usable else None)
    if name is None:
        if len(usable) != 1:
            choose = "choose one with --signature NAME" if usable else "it cannot be measured"
            raise UsageError(f"{path} has no signature 'serving_default': it has {listed}; {choose}.")
        (name,) = usable
    return tags, name, usable[name]
