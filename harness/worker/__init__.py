"""What runs beside TensorFlow, in the interpreter of the release that is measured.

Standard library, numpy and TensorFlow only, Python 3.9 and later; nothing is ever installed there.
"""

WORKER_VERSION = 5
"""Raised whenever a number's meaning changes: runs of different versions are never pooled or compared
(docs/internals.md). It is the version of asv's benchmarks, too."""
