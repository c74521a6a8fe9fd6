"""An HTTP server that takes what is posted to it and answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Take = Callable[[bytes, Mapping[str, str]], tuple[int, Mapping[str, str]]]  # body, headers → status, headers


@contextmanager
def posted_to(take: Take) -> Iterator[int]:
    """Its port on loopback, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, more = take(body, dict(self.headers))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Hook:
    """What a receiver of webhooks got, and what it answers."""

    port: int = 0
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    status: int = 204
    more: dict[str, str] = field(default_factory=dict)


@contextmanager
def hook_receiver() -> Iterator[Hook]:
    """A receiver of webhooks."""
    hook = Hook()

    def take(body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        hook.bodies.append(body)
        hook.headers.append(dict(headers))
        if 200 <= hook.status < 300:
            hook.got.append(json.loads(body))
        return hook.status, hook.more

    with posted_to(take) as hook.port:
        yield hook
