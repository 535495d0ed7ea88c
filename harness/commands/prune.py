"""`savedmodel-bench prune`: old runs made small, nothing lost."""

from __future__ import annotations

import argparse

from harness.errors import UsageError
from harness.releases.commands import find_root
from harness.report.numbers import count
from harness.store.pruning import pack, prunable
from harness.store.runs import ResultsLock


def prune(options: argparse.Namespace) -> int:
    """Say which runs would be packed, or pack them where `--apply` was given."""
    root = find_root()
    runs = prunable(root, options.older_than)
    before = sum(run.records_path.stat().st_size for run in runs)
    if not options.apply:
        for run in runs:
            print(f"{run.path.relative_to(root)}: {run.records_path.stat().st_size / 2**20:.1f} MiB")
        print(
            f"{count(len(runs), 'run')} of more than {options.older_than:g} days, {before / 2**20:.1f} MiB of records: "
            "--apply packs them, to about an eighth; every record stays and everything reads them as before."
        )
        return 0
    after = 0
    with ResultsLock(root):
        for run in runs:
            try:
                after += pack(run)[1]
            except OSError as error:
                raise UsageError(f"{run.path} could not be packed ({error}); it is as it was.") from error
    print(f"{count(len(runs), 'run')} packed: {before / 2**20:.1f} MiB became {after / 2**20:.1f} MiB.")
    return 0
