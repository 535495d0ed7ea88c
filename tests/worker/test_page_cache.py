"""The files of an artifact in the page cache, whatever else somebody has put beside them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from harness.worker import page_cache


@pytest.mark.timeout(20)
def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    root = tmp_path / "model"
    (root / "variables").mkdir(parents=True)
    graph, data = root / "saved_model.pb", root / "variables" / "data"
    graph.write_bytes(b"x" * 8192)
    data.write_bytes(b"")
    (root / "linked").symlink_to(graph)
    (root / "nowhere").symlink_to(tmp_path / "missing")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert page_cache.files(str(root)) == sorted(map(str, (graph, data, root / "linked")))
        page_cache.evict(str(root))
        page_cache.fill(str(root))
        assert page_cache.resident_fraction(str(root)) == 1.0
    assert page_cache.files(str(graph)) == [str(graph)]
    assert page_cache.files(str(tmp_path / "missing")) == []
