"""HTTP: alive, ready, metrics. Synchronous functions behind a thin asynchronous edge."""

from node.web.health import Health
from node.web.server import Web

__all__ = ["Health", "Web"]
