"""Saving, loading and running SavedModels: the asv benchmarks, made from `harness.metrics`.

asv starts a process for every metric and parameter. The first metric of a parameter runs the worker, which measures
everything about that model at once, and leaves its records in the folder that asv gives all benchmarks of this file;
the later ones read them there. TensorFlow lives in the worker alone and is never imported here.

The grid is fixed, whatever the machine has: what cannot be measured is n/a, so results of different machines and
nights line up. Choose parts of it with `asv run -b 'track_load.*mlp-s'`.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from harness.machine.gpu.presence import Presence, gpu_presence
from harness.metrics import METRICS, Kind, Metric, Scope
from harness.worker import WORKER_VERSION

# What a number means changes with the worker's version: asv then asks for new runs instead of mixing old and new.
VERSION = str(WORKER_VERSION)

DEVICES = ["cpu", "gpu"]
MODELS = ["mlp-xs", "mlp-s", "mlp-m", "conv-s", "transformer-s"]
WRITER = "tf-module"
READER = "tf-load"
BATCHES = [1, 32]
# What the preset `asv` measures. The grid has to stay small: the other passes are `savedmodel-bench run --preset full`.
OPERATIONS = ("import", "save", "load", "infer")
LEFT_OUT = ("save_durable_s",)
# SavedModels in models.toml have benchmarks of their own: `asv run -b track_own`.
OWN_WRITER, OWN_PREFIX, OWN_OPERATIONS = "as-is", "own_", ("load", "infer")
# Shown, not judged, and yet worth a graph. CPU seconds are left to the records: the grid has to stay small.
ALSO_SHOWN = ("device_footprint_bytes", "infer_p90_s")


def setup_cache() -> None:
    """Give all benchmarks of this file one working folder; returning nothing adds no parameter to them."""


def own_models() -> list[str]:
    """Return the names of the SavedModels in models.toml as results have them, content included.

    One that cannot be read is left out, and said: the others are measured all the same.
    """
    root = Path(os.environ.get("ASV_CONF_DIR") or Path(__file__).parent.parent)
    file = root / "models.toml"
    if not file.exists() or not tomllib.loads(file.read_text(encoding="utf-8-sig")).get("model"):
        return []
    from harness.errors import UsageError
    from harness.measure.own_models import SAVED_MODEL
    from harness.planning.own_models import read_model, registered

    found = []
    for asked in registered(root).values():
        try:
            model = read_model(asked)
        except UsageError as error:
            print(f"models.toml: {asked.name} is left out: {error}", file=sys.stderr)
            continue
        if model.kind == SAVED_MODEL:
            found.append(model.name)
    return found


def grid(metric: Metric, models: list[str], writer: str) -> dict[str, list[str]]:
    """Return the parameters of a metric, named as in the rows of the project's own tables."""
    if metric.scope is Scope.SUBJECT:
        return {}
    if metric.kind is Kind.ALLOCATOR or metric.name.startswith("device_footprint"):
        devices = ["gpu"]
    else:
        # What is written to disk is the same from every device.
        devices = ["cpu"] if metric.kind is Kind.EXACT else DEVICES
    if metric.scope is Scope.DEVICE:
        return {"device": devices}
    pair = f"{writer}/{READER}"
    variants = {
        Scope.MODEL: ["-"],
        Scope.WRITER: [writer],
        Scope.READER: [pair],
        Scope.CALL: [f"{pair} b{batch}" for batch in BATCHES],
    }
    return {"device": devices, "model": models, "variant": variants[metric.scope]}


def samples_of(metric: Metric, device: str, model: str | None, variant: str) -> list[float]:
    """Return the metric's samples, one a block, from the records of one model on one device.

    A sample is the median of the block's untainted repeats. Only where every repeat is tainted do tainted ones stand
    in: asv knows no "inconclusive", and would call the benchmark failed.

    Raises:
        NotImplementedError: it does not exist here (no GPU, an API that the release lacks): asv shows n/a.
        RuntimeError: it should exist and does not (a GPU that does not answer, or want of room, too): asv shows a
            failure, and ends with 2.
    """
    if device == "gpu":
        require_gpu()
    records = [record for record in measured(device, model) if concerns(record, metric, device, model)]
    batch = int(variant.rpartition(" b")[2]) if metric.scope is Scope.CALL else None
    clean: dict[int, list[float]] = {}
    tainted: dict[int, list[float]] = {}
    for record in records:
        for entry in record.get("metrics", []):
            if entry["metric"] == metric.name and entry.get("batch") == batch and entry.get("value") is not None:
                found = tainted if record.get("taints") else clean
                found.setdefault(int(record["block"]), []).append(float(entry["value"]))
    if clean or tainted:
        return [median(values) for _, values in sorted((clean or tainted).items())]
    errors: dict[str, type[Exception]] = {"failed": RuntimeError, "unsupported": NotImplementedError}
    for status, error in errors.items():
        for record in records:
            if record.get("status") == status:
                reason = str(record.get("reason"))
                raise (RuntimeError if lacks_room(reason) else error)(f"{record.get('operation')}: {reason}")
    for record in records:
        for entry in record.get("absent", []):
            if entry["metric"] == metric.name:
                raise NotImplementedError(entry["reason"])
    raise RuntimeError(f"the worker reported no {metric.name} for {model or 'the import'} on {device}")


def require_gpu() -> None:
    """Raise what makes asv show a failure where a GPU is there and does not answer, n/a where none can be measured."""
    gpu = gpu_presence(os.environ)
    if gpu.is_broken:
        raise RuntimeError(f"{gpu.text}. {gpu.remedy}")
    if gpu.state is not Presence.ANSWERING:
        raise NotImplementedError("no-gpu" if gpu.state is Presence.NONE else gpu.text)


def lacks_room(reason: str) -> bool:
    """Whether a record says that there was no room: the grid's models are small, so it is the machine that is full."""
    from harness.measure.room import TOO_LARGE  # here, since it brings numpy, which no other process of asv's needs

    return reason.startswith(TOO_LARGE)


def concerns(record: dict[str, Any], metric: Metric, device: str, model: str | None) -> bool:
    """Whether a record can hold the metric: the record of an import, or one of this model, writer and reader."""
    if record.get("type") != "repeat":
        return False
    cell = record.get("cell")
    if metric.scope is Scope.SUBJECT:
        return cell is None
    if (
        cell is None
        or cell.get("device") != device
        or cell.get("model") != model
        or cell.get("writer") not in (WRITER, OWN_WRITER)
    ):
        return False
    return cell.get("reader") in (None, READER)


def measured(device: str, model: str | None) -> list[dict[str, Any]]:
    """Return the records of a model on a device: from this run's folder, else from the worker."""
    stored = Path(f"{device}-{model or 'import'}.json")
    if stored.exists():
        document = json.loads(stored.read_text(encoding="utf-8"))
    else:
        document = measure(device, model)
        stored.write_text(json.dumps(document), encoding="utf-8")
    if document["error"] is not None:
        raise RuntimeError(document["error"])
    return list(document["records"])


def measure(device: str, model: str | None) -> dict[str, Any]:
    """Measure once; a failure is kept like a result, so that the other metrics need not run into it again."""
    from harness.asv.bridge import measure_cell

    python = os.environ.get("ASV_RELEASE_PYTHON")
    name = os.environ.get("ASV_RELEASE_NAME")
    try:
        if not python or not name:
            raise RuntimeError(
                "asv has not said which release this is: run it in the folder of asv.conf.json, without -E"
            )
        minor = os.environ.get("ASV_RELEASE_PYTHON_MINOR")
        records = measure_cell(Path(os.environ["ASV_CONF_DIR"]), name, Path(python), device, model, minor)
    except Exception as error:  # whatever it is, it is this parameter's failure and is shown as such
        return {"error": f"{type(error).__name__}: {error}", "records": []}
    return {"error": None, "records": records}


def benchmark(metric: Metric, models: list[str], writer: str) -> Callable[..., dict[str, Any]]:
    """Return the `track_` function of one metric, of models that are saved by this writer."""

    def read(parameters: tuple[str, ...]) -> list[float]:
        device, model, variant = (*parameters, *("cpu", None, "-")[len(parameters) :])
        if metric.scope is Scope.DEVICE:
            model = models[0]
        return samples_of(metric, str(device), model, str(variant))

    # asv takes NotImplementedError for n/a in `setup` alone; hence the measuring happens there. asv_runner also calls
    # a setup that needs no argument before `setup_cache`, where a failure would fail this whole file: need one.
    def setup(device: str, *others: str) -> None:
        read((device, *others))

    def track(*parameters: str) -> dict[str, Any]:
        # A dictionary of just this form makes asv 0.6.6 treat the samples as it treats those of its own timings.
        return {"samples": read(parameters), "number": 1}

    parameters = grid(metric, models, writer)
    track.__name__ = f"track_{OWN_PREFIX if writer == OWN_WRITER else ''}{metric.name}"
    track.__doc__ = metric.title
    if parameters:
        track.setup = setup  # type: ignore[attr-defined]
    track.unit = metric.unit  # type: ignore[attr-defined]
    track.version = VERSION  # type: ignore[attr-defined]
    track.timeout = 1800  # type: ignore[attr-defined]
    track.rounds = 1  # type: ignore[attr-defined]
    track.params = list(parameters.values())  # type: ignore[attr-defined]
    track.param_names = list(parameters)  # type: ignore[attr-defined]
    track.pretty_source = f"{metric.name}: {metric.title} [{metric.unit}]"  # type: ignore[attr-defined]
    return track


_own = own_models()
for _metric in METRICS.values():
    _shown = _metric.judged or _metric.name in ALSO_SHOWN
    if _shown and _metric.operation in OPERATIONS and _metric.name not in LEFT_OUT:
        globals()[f"track_{_metric.name}"] = benchmark(_metric, MODELS, WRITER)
        if _own and _metric.scope in (Scope.READER, Scope.CALL) and _metric.operation in OWN_OPERATIONS:
            globals()[f"track_{OWN_PREFIX}{_metric.name}"] = benchmark(_metric, _own, OWN_WRITER)
del _metric, _shown, _own
