"""What `asv.conf.json` names under "plugins" where the harness is installed: `.savedmodel_bench.asv_plugin`."""

from harness.asv.repo import ReleaseEnvironment, ReleaseRepo, setup

__all__ = ["ReleaseEnvironment", "ReleaseRepo", "setup"]
