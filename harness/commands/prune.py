"""`savedmodel-bench prune`: old runs made small, nothing lost."""

from __future__ import annotations

import argparse

from harness.commands.shared.arguments import positive
from harness.releases.project import find_root
from harness.report.numbers import count
from harness.store.pruning import OLD_DAYS, pack_all, prunable

HELP = "compress the records of old runs; nothing is lost, all commands still read them"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--older-than",
        type=positive,
        default=OLD_DAYS,
        metavar="DAYS",
        help="compress only runs older than this many days (default: %(default)s)",
    )
    parser.add_argument("--apply", action="store_true", help="compress them (default: only print what would be done)")


def run(options: argparse.Namespace) -> int:
    """Say which runs would be packed, or pack them where `--apply` was given."""
    root = find_root()
    if options.apply:
        packed, before, after = pack_all(root, options.older_than)
        print(f"{count(packed, 'run')} compressed: {before / 2**20:.1f} MiB became {after / 2**20:.1f} MiB.")
        return 0
    runs = prunable(root, options.older_than)
    for one in runs:
        print(f"{one.path.relative_to(root)}: {one.records_path.stat().st_size / 2**20:.1f} MiB")
    print(
        f"{count(len(runs), 'run')} of more than {options.older_than:g} days, "
        f"{sum(one.records_path.stat().st_size for one in runs) / 2**20:.1f} MiB of records: "
        "--apply packs them, to about an eighth; every record stays and everything reads them as before."
    )
    return 0
