"""A whole node in the test's own process, on loopback and free ports, without a model server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.app.node import Node
from node.config import Settings
from tests.databases import lay_out


@contextmanager
def whole_node(folder: Path, **sections: object) -> Iterator[Node]:
    """Running until the end of the block. `sections`: more of its settings."""
    data = folder / "data"
    lay_out(data / "node.db")
    settings = {
        "node": {"data_dir": data},
        "dicom": {"host": "127.0.0.1", "port": 0, "accept": "any"},
        "http": {"port": 0},
        "storage": {"low_watermark": 0},
        "triton": {"url": "grpc://127.0.0.1:9"},
    }
    node = Node(Settings.model_validate({**settings, **sections}))
    node.start()
    try:
        yield node
    finally:
        node.stop()
