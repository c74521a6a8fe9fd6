"""The HTTP server, in a thread of its own."""

from __future__ import annotations

import errno
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from node.errors import BadConfiguration
from node.pipeline.reception import Reception
from node.web.dicomweb import store_routes
from node.web.health import Health

_START_S = 10.0


class Web:
    """Serves /healthz, /readyz, /metrics and DICOMweb below /dicom-web."""

    def __init__(self, health: Health, reception: Reception, max_request: int) -> None:
        """`max_request` bounds the bytes of one Store request."""
        self._health, self._reception, self._max_request = health, reception, max_request
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> int:
        """Listen; returns the port (chosen by the system for 0). Raises BadConfiguration when it is taken."""
        listening = _listen(host, port)
        application = _application(self._health, self._reception, self._max_request)
        config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off")
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
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(5)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as taken:
        listening.close()
        what = "is in use" if taken.errno == errno.EADDRINUSE else f"cannot be opened ({taken.strerror})"
        raise BadConfiguration("http.port", f"{host}:{port} {what}", "Choose another port") from taken
    return listening


def _application(health: Health, reception: Reception, max_request: int) -> Starlette:
    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        reasons = await run_in_threadpool(health.unready)
        body = {"ready": not reasons, "reasons": reasons}
        return JSONResponse(body, status_code=503 if reasons else 200)

    async def metrics(_request: Request) -> Response:
        content = await run_in_threadpool(health.metrics)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            Mount("/dicom-web", routes=store_routes(reception, max_request)),
        ]
    )
