"""Records as pandas tables: one row a (record, metric), then one row a (block, subject, row key)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from harness.metrics import CELL_FAILED, METRICS, Kind, Metric, Scope, split_batch
from harness.store.records import IN_TURN, Problem, Record, complete_blocks
from harness.store.runs import RunDirectory, load_run
from harness.store.taints import concerning, kind_of

ROW_KEY = ["metric", "device", "model", "variant"]
"""The columns that name a row of every table and report; parts that a metric's scope leaves out read "-"."""

REPEATS_DTYPES = {
    "run": "string", "machine": "string", "block": "int64", "subject": "string", "device": "string",
    "model": "string", "variant": "string", "metric": "string", "unit": "string", "cell": "string",
    "operation": "string", "page_cache": "string", "repeat": "int64", "value": "float64", "tainted": "bool",
    "taints": "string", "status": "string", "reason": "string", "complete_block": "bool", "record": "int64",
    "partner": "string",
}  # fmt: skip
"""Columns of `repeats_frame`. `cell` is the whole cell that the repeat measured, "" for an import; `page_cache` is ""
where nothing is read. `value` is NaN unless status is "ok"; `taints` are the kinds of those that concern the metric,
joined by "; "; `reason` is "" where there is none; status is that of the record, or "absent" for a metric that the
record names as absent. A record that failed or is unsupported has one row with metric "-". `record` numbers the records
of a run; `partner` is the subject that the process worked in turn with, "" where it worked alone."""

SAMPLES_DTYPES = {
    "run": "string", "machine": "string", "block": "int64", "subject": "string", "metric": "string",
    "device": "string", "model": "string", "variant": "string", "unit": "string", "value": "float64",
    "n": "int64", "tainted": "int64",
}  # fmt: skip
"""Columns of `samples_frame`: `n` untainted repeats gave the median `value`; `tainted` more were left out."""

BLOCKS_DTYPES = {**SAMPLES_DTYPES, "taints": "string"}
"""Columns of `blocks_frame`: `taints` counts what the left-out repeats had, as in "foreign-load 2; steal 1"."""

FAILURES_DTYPES = {
    "run": "string", "machine": "string", "subject": "string", "device": "string", "model": "string",
    "variant": "string", "operation": "string", "status": "string", "reason": "string", "count": "int64",
}  # fmt: skip
"""Columns of `failures_frame`; `count` is the number of repeats."""

SLICES = "slices"
"""The operation whose values are of short slices, in turn with another subject's (harness/worker/slices.py)."""

_TAINTS_BETWEEN = "; "
_BLOCK_KEY = ["run", "machine", "block", "subject", *ROW_KEY, "unit"]


def row_key(
    metric: Metric, cell: Mapping[str, Any] | None, batch: int | None = None, way: str | None = None
) -> tuple[str, str, str]:
    """Return (device, model, variant) of a metric measured in a cell, "-" for what its scope leaves out.

    Example: an `infer_p50_s` at batch 32 gives ("cpu", "mlp-s", "tf-module/tf-load b32"); one that was measured for a
    way has that before the batch.
    """
    found = cell or {}
    device, model = found.get("device") or "-", found.get("model") or "-"
    variant = variant_of(found)
    match metric.scope:
        case Scope.SUBJECT:
            return "-", "-", "-"
        case Scope.DEVICE:
            return device, "-", "-"
        case Scope.MODEL:
            return device, model, "-"
        case Scope.WRITER:
            return device, model, _words(found.get("writer") or "-", way)
        case Scope.READER:
            return device, model, _words(variant, way)
        case Scope.CALL:
            return device, model, _words(variant, way, None if batch is None else f"b{batch}")


def repeats_frame(paths: Iterable[Path], problems: list[Problem] | None = None) -> pd.DataFrame:
    """Read runs into one table with a row for every metric of every repeat (columns: REPEATS_DTYPES).

    Args:
        paths: run directories.
        problems: what could not be read is appended here; unreadable parts are left out of the table.

    Of a block that was begun more than once only the attempt that completed is there; of a block that never
    completed, its last attempt, with `complete_block` False.
    """
    told = problems if problems is not None else []
    rows: list[dict[str, Any]] = []
    for path in paths:
        run = load_run(path)
        if isinstance(run, Problem):
            told.append(run)
            continue
        records, found = run.records(without=("phases",))
        told.extend(found)
        rows.extend(_run_rows(run, records))
    return _table(rows, REPEATS_DTYPES)


def repeats_of_run(run: RunDirectory, records: Iterable[Record]) -> pd.DataFrame:
    """Return the same table of one run whose records were read already."""
    return _table(list(_run_rows(run, list(records))), REPEATS_DTYPES)


def samples_frame(repeats: pd.DataFrame) -> pd.DataFrame:
    """Condense repeats into samples (columns: SAMPLES_DTYPES): one for each run, block, subject and row key.

    A sample is the median of the untainted repeats of a complete block. Where all repeats of a block are tainted
    there is no sample (`tainted_frame` counts them). Failures become samples of `cell_failed` (0 or 1), a
    metric that appears for a cell only if any subject of the run failed there in any complete block; blocks and
    subjects without a failure then have the value 0.
    """
    return _table(_grouped(repeats, "left"), SAMPLES_DTYPES)


def blocks_frame(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return the samples, and rows without a value (`n` 0) where all repeats of a block are tainted.

    Returns:
        Columns BLOCKS_DTYPES; `taints` is missing where no repeat was left out.
    """
    rows = _grouped(repeats, "outer")
    return _table(rows.merge(_taint_counts(repeats), on=_BLOCK_KEY, how="left"), BLOCKS_DTYPES)


def tainted_frame(repeats: pd.DataFrame) -> pd.DataFrame:
    """Count what taints cost, for each run, subject and row key that has any.

    Returns:
        Columns run, subject, the row key, `repeats` (tainted repeats in complete blocks), `blocks` (blocks that
        have no sample because all their repeats are tainted), `without_value` (whether no block has a sample) and
        `kinds` (of the taints, sorted, joined by ", ").
    """
    measured = _of_windows(repeats)
    key = ["run", "subject", *ROW_KEY]
    per_block = measured.groupby([*key, "block"])["tainted"].agg(["sum", "all"]).reset_index()
    counted = per_block.groupby(key).agg(repeats=("sum", "sum"), blocks=("all", "sum"), without_value=("all", "all"))
    kinds = _taints(measured).groupby(key)["kind"].agg(lambda found: ", ".join(sorted(set(found)))).rename("kinds")
    told = counted[counted["repeats"] > 0].join(kinds).reset_index()
    return told.astype({"repeats": "int64", "blocks": "int64", "without_value": "bool", "kinds": "string"})


def tainted_repeats(repeats: pd.DataFrame, subjects: Collection[str]) -> int:
    """Return how many repeats of some subjects, in complete blocks, are left out of any metric for a taint."""
    return len(_left_out(repeats, subjects)[["run", "record"]].drop_duplicates())


def taint_kinds(repeats: pd.DataFrame, subjects: Collection[str]) -> dict[str, int]:
    """Return how many of the repeats that `tainted_repeats` counts have each kind of taint, the most frequent first.

    A repeat with taints of two kinds counts for both.
    """
    each = _taints(_left_out(repeats, subjects))[["run", "record", "kind"]].drop_duplicates()
    counted = {str(kind): len(members) for kind, members in each.groupby("kind")}
    return dict(sorted(counted.items(), key=lambda entry: (-entry[1], entry[0])))


def failures_frame(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return what failed or is unsupported (columns: FAILURES_DTYPES), incomplete blocks included.

    The variant is the whole cell's ("tf-module/tf-load"), whatever the operation; of a way or a promise within a
    repeat that went well otherwise, the way's ("tf-module/tf-load xla").
    """
    bad = pd.concat([repeats[repeats["status"].isin(["failed", "unsupported"])], _failed_within(repeats)])
    group = [column for column in FAILURES_DTYPES if column != "count"]
    return _table(bad.groupby(group, sort=True).size().rename("count").reset_index(), FAILURES_DTYPES)


def _grouped(repeats: pd.DataFrame, how: Literal["left", "outer"]) -> pd.DataFrame:
    """Return a row for each block and row key, `how` the untainted repeats are joined by the tainted ones' counts."""
    complete = repeats[repeats["complete_block"]]
    measured = _of_windows(repeats)
    trusted = measured[~measured["tainted"]].groupby(_BLOCK_KEY)["value"].agg(["median", "size"]).reset_index()
    tainted = measured[measured["tainted"]].groupby(_BLOCK_KEY).size().rename("tainted").reset_index()
    rows = trusted.merge(tainted, on=_BLOCK_KEY, how=how).rename(columns={"median": "value", "size": "n"})
    rows = rows.fillna({"n": 0, "tainted": 0})
    failures = _failed_cells(complete)
    return pd.concat([rows, failures], ignore_index=True) if len(failures) else rows


def _of_windows(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return the values of complete blocks that samples are made of: what took turns is no sample, it has a pair."""
    return repeats[repeats["complete_block"] & (repeats["status"] == "ok") & ~is_in_turn(repeats["operation"])]


def is_in_turn(operations: pd.Series) -> pd.Series:
    """Return which operations two subjects' processes did in turn."""
    return (operations == SLICES) | operations.str.endswith(IN_TURN)


def _taint_counts(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return how many left-out repeats of each block had each kind of taint, the most frequent kind first."""
    measured = _of_windows(repeats)
    left_out = measured[measured["tainted"]]
    each = left_out[_BLOCK_KEY].assign(kind=left_out["taints"].str.split(_TAINTS_BETWEEN)).explode("kind")
    counted = each.groupby([*_BLOCK_KEY, "kind"]).size().rename("count").reset_index()
    counted = counted.sort_values(["count", "kind"], ascending=[False, True], kind="stable")
    counted["taints"] = counted["kind"].astype(str) + " " + counted["count"].astype(str)
    return counted.groupby(_BLOCK_KEY)["taints"].agg(_TAINTS_BETWEEN.join).reset_index()


def _failed_within(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each way that failed or is unsupported in a repeat, as its absent metrics tell."""
    absent = repeats[repeats["status"] == "absent"]
    status = absent["reason"].str.extract(r"^(failed|unsupported)\b", expand=False)
    ways = [split_batch(variant)[0] for variant in absent["variant"]]
    told = absent.assign(status=status, variant=ways)[status.notna()]
    return told.drop_duplicates(["run", "record", "variant", "reason"])


def _left_out(repeats: pd.DataFrame, subjects: Collection[str]) -> pd.DataFrame:
    """Return the rows of some subjects' repeats in complete blocks that a taint keeps out of the samples."""
    measured = _of_windows(repeats)
    tainted = measured[measured["tainted"]]
    return tainted[tainted["subject"].isin(list(subjects))]


def _taints(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each taint of the tainted ones among `rows`, its kind in the column `kind`."""
    tainted = rows[rows["tainted"]]
    each = tainted.assign(kind=tainted["taints"].astype(object).str.split(_TAINTS_BETWEEN)).explode("kind")
    return each.assign(kind=[kind_of(str(taint)) for taint in each["kind"]])


def _run_rows(run: RunDirectory, records: list[Record]) -> Iterable[dict[str, Any]]:
    completed = complete_blocks(records)
    last = {record["block"]: record.get("attempt", 0) for record in records}
    for number, record in enumerate(records):
        if record["type"] != "repeat":
            continue
        block, attempt = record["block"], record.get("attempt", 0)
        if attempt != completed.get(block, last[block]):
            continue
        shared = {
            "run": run.run,
            "machine": run.machine,
            "block": block,
            "subject": record["subject"],
            "cell": " ".join(str(part) for part in (record.get("cell") or {}).values()),
            "operation": record["operation"],
            "page_cache": record.get("page_cache") or "",
            "partner": record.get("partner") or "",
            "repeat": record.get("repeat", 0),
            "complete_block": block in completed,
            "record": number,
        }
        taints = record.get("taints") or []
        if record["status"] != "ok":
            yield {**shared, **_failed(record, taints)}
            continue
        for entry in record.get("metrics") or []:
            yield {**shared, **_measured(record, entry, taints)}
        for entry in record.get("absent") or []:
            metric = METRICS.get(entry["metric"])
            yield {**shared, **_named(record, entry, metric), **_outcome("absent", entry.get("reason"), taints)}


def _measured(record: Record, entry: Mapping[str, Any], taints: list[str]) -> dict[str, Any]:
    metric = METRICS.get(entry["metric"])
    outcome = _outcome("ok", None, concerning(taints, entry["metric"]))
    return {**_named(record, entry, metric), **outcome, "value": float(entry["value"])}


def _named(record: Record, entry: Mapping[str, Any], metric: Metric | None) -> dict[str, Any]:
    """Return the row key and unit; a metric of a newer harness keeps its whole cell as the key, and no unit."""
    known = metric or Metric(entry["metric"], "", Kind.TIME, Scope.CALL, record["operation"], False, entry["metric"])
    device, model, variant = row_key(known, record.get("cell"), entry.get("batch"), entry.get("way"))
    return {"metric": known.name, "unit": known.unit, "device": device, "model": model, "variant": variant}


def _failed(record: Record, taints: list[str]) -> dict[str, Any]:
    device, model, variant = row_key(CELL_FAILED, record.get("cell"))
    return {
        "metric": "-", "unit": "", "device": device, "model": model, "variant": variant,
        **_outcome(record["status"], record.get("reason"), taints),
    }  # fmt: skip


def _outcome(status: str, reason: str | None, taints: list[str]) -> dict[str, Any]:
    return {
        "status": status,
        "reason": reason or "",
        "tainted": bool(taints),
        "taints": _TAINTS_BETWEEN.join(dict.fromkeys(map(kind_of, taints))),
        "value": float("nan"),
    }


def variant_of(cell: Mapping[str, Any]) -> str:
    """Return writer and reader of a cell: "tf-module/tf-load", "-" where it has none."""
    writer, reader = cell.get("writer"), cell.get("reader")
    return "/".join(part for part in (writer, reader) if part) or "-"


def _words(*parts: str | None) -> str:
    return " ".join(filter(None, parts))


def _failed_cells(complete: pd.DataFrame) -> pd.DataFrame:
    """Return samples of `cell_failed`, 0 or 1, for every block and subject of the cells that failed anywhere.

    How many repeats of a cell failed says nothing: after the first one the others are not run.
    """
    failed = complete[complete["status"] == "failed"]
    if failed.empty:
        return _table([], SAMPLES_DTYPES)
    cell = ["run", "machine", "device", "model", "variant"]
    place = ["run", "machine", "device", "model", "writer"]
    measured = complete.assign(writer=_writers(complete))[[*place, "block"]].drop_duplicates()
    subjects = complete[["run", "machine", "subject"]].drop_duplicates()
    cells = failed[cell].drop_duplicates()
    # A preset may measure a cell in some of its blocks only: the others say nothing about it.
    wanted = cells.assign(writer=_writers(cells)).merge(measured, on=place).merge(subjects, on=["run", "machine"])
    # Who cannot do it at all has no failures to count: n/a is not 0.
    cannot = complete.loc[complete["status"] == "unsupported", [*cell, "subject"]].drop_duplicates()
    wanted = wanted.merge(cannot.assign(unsupported=True), on=[*cell, "subject"], how="left")
    wanted = wanted[wanted["unsupported"].isna()].drop(columns="unsupported")
    key = [*cell, "block", "subject"]
    rows = wanted.merge(failed[key].drop_duplicates().assign(value=1), on=key, how="left")
    rows["value"] = rows["value"].fillna(0)
    rows = rows.assign(metric=CELL_FAILED.name, unit=CELL_FAILED.unit, n=1, tainted=0)
    return _table(rows, SAMPLES_DTYPES)


def _writers(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the writer of each row's variant ("tf-module/tf-load b32" is by tf-module)."""
    return rows["variant"].str.partition("/")[0]


def _table(rows: pd.DataFrame | list[dict[str, Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with exactly these columns, in this order, also where it is empty."""
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=list(dtypes))
    return table[list(dtypes)].astype(dict(dtypes)).reset_index(drop=True)
