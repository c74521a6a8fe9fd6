"""Destinations for tests: objects to send, and a STOW-RS server that answers as it is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.adapters.destinations import Outcome, Outgoing
from tests.synthetic import Grid, mr_series, write


def objects(folder: Path, count: int = 2, name: str = "sent") -> list[Outgoing]:
    """Files as a job makes them; what they show does not matter to who sends them."""
    made = mr_series(Grid(slices=count), name=name)
    paths = write(made, folder / name)
    return [Outgoing("SEG", str(ds.SOPClassUID), str(ds.SOPInstanceUID), paths[str(ds.SOPInstanceUID)]) for ds in made]


def said(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    return [(one.meaning.value, one.answer) for one in outcomes]


@dataclass
class StowServer:
    """A DICOMweb server: takes everything, unless the next answer was told to it."""

    url: str = ""
    answers: list[tuple[int, object]] = field(default_factory=list)  # status, JSON body or bytes
    headers: dict[str, str] = field(default_factory=dict)  # of every answer
    silence_s: float = 0.0  # before an answer, as long as it is served
    forgets: bool = False  # answers 200 and keeps nothing
    requests: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    authorization: str = ""  # what it demands
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def stored(self) -> bytes:
        return b"".join(body for _, body in self.requests)

    async def store(self, request: Request) -> Response:
        body = await request.body()
        await run_in_threadpool(self.over.wait, self.silence_s)
        if self.authorization and request.headers.get("authorization") != self.authorization:
            return Response(status_code=401)
        if self.answers:
            status, told = self.answers.pop(0)
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            return Response(content, status, self.headers, "application/dicom+json")
        if not self.forgets:
            self.requests.append((dict(request.headers), body))
        return Response(b"{}", 200, media_type="application/dicom+json")

    async def search(self, request: Request) -> Response:
        uid = request.query_params["SOPInstanceUID"]
        if uid.encode() not in self.stored:
            return Response(status_code=204)
        return Response(json.dumps([{"00080018": {"vr": "UI", "Value": [uid]}}]), media_type="application/dicom+json")


def response(failed: Mapping[str, int] = {}, stored: Sequence[str] = ()) -> dict[str, object]:
    """A Store Instances Response in the DICOM JSON Model."""
    made: dict[str, object] = {}
    if failed:
        items = [
            {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}}
            for uid, reason in failed.items()
        ]
        made["00081198"] = {"vr": "SQ", "Value": items}
    if stored:
        made["00081199"] = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in stored]}
    return made


@contextmanager
def stow_server(*, certificate: tuple[Path, Path] | None = None, ca: Path | None = None) -> Iterator[StowServer]:
    """Serve on a free port of loopback; with a certificate by TLS, with `ca` only those who show one of it."""
    told = StowServer()
    application = Starlette(
        routes=[
            Route("/dicom-web/studies", told.store, methods=["POST"]),
            Route("/dicom-web/studies/{study}/series/{series}/instances", told.search),
        ]
    )
    config = uvicorn.Config(
        application,
        log_config=None,
        lifespan="off",
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=str(certificate[1]) if certificate else None,
        ssl_ca_certs=str(ca) if ca else None,
        ssl_cert_reqs=2 if ca else 0,
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        told.url = f"{'https' if certificate else 'http'}://localhost:{listening.getsockname()[1]}/dicom-web"
        try:
            yield told
        finally:
            told.over.set()
            server.should_exit = True
            thread.join(60)
