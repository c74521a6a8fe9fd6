"""The HTTP server, in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from node.adapters.server_tls import Certificates
from node.core.access.addresses import is_loopback
from node.errors import BadConfiguration
from node.web.access import Access, Open
from node.web.connections import USUAL, Bounded, Bounds, in_pieces

_START_S = 10.0


class Web:
    """Serves what it is given, behind who asks."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        access: Access = Open,
        leaving: Callable[[], None] | None = None,
        bounds: Bounds = USUAL,
    ) -> None:
        """`access` is put around everything; without it everybody is let in, and only loopback is listened on.
        `leaving` ends answers that would go on as long as somebody listens."""
        self._routes, self._access, self._leaving, self._bounds = routes, access, leaving, bounds
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Everything that is served."""
        return self._routes

    def start(self, host: str, port: int, certificates: Certificates | None = None) -> int:
        """Listen; returns the port (chosen by the system for 0). Raises BadConfiguration when it is taken.

        With `certificates` it speaks TLS only; they are read again when their files change.
        """
        if self._access is Open and not is_loopback(host):
            raise BadConfiguration("http.host", f"{host} is not loopback, and nobody is asked who he is")
        if certificates:
            certificates.check()
        listening = _listen(host, port)
        app = in_pieces(self._access(Starlette(routes=list(self._routes))))
        config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", partial(Bounded, self._bounds)),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
        )  # what proxies say is for the layer to believe or not
        if certificates:
            config.load()
            config.ssl = _tls(certificates)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="web", daemon=True
        )
        self._thread.start()
        give_up = time.monotonic() + _START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < give_up:
            time.sleep(0.005)
        return int(listening.getsockname()[1])

    def stop(self) -> None:
        if self._leaving:
            self._leaving()
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(5)


def _tls(certificates: Certificates) -> ssl.SSLContext:
    """A context that hands each connection to the one of the files as they are."""
    front = certificates.fresh()

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _front: ssl.SSLContext) -> None:
        connection.context = certificates.context()

    front.sni_callback = choose  # asyncio hands an SSLObject, which has a context too
    return front


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: otherwise asyncio does not set TCP_NODELAY, and a short answer on a connection that stays
    # open waits 40 ms for the client's acknowledgement of its head.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # whoever comes before the server has begun waits, and is not refused
    except OSError as taken:
        listening.close()
        what = "is in use" if taken.errno == errno.EADDRINUSE else f"cannot be opened ({taken.strerror})"
        raise BadConfiguration("http.port", f"{host}:{port} {what}", "Choose another port") from taken
    return listening
