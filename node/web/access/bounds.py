"""How much a request of the API may say: nobody fills the memory, and who is not signed in says little."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import Message, Receive

from node.errors import NotAllowed
from node.web.access.demand import Visit

NOBODY, SOMEBODY = 64 * 1024, 32 * 1024 * 1024  # bytes


class TooLarge(NotAllowed):
    """More than a request may say."""


def most(visit: Visit) -> int:
    return SOMEBODY if visit.actor else NOBODY


def demand_small(request: HTTPConnection, visit: Visit) -> None:
    """Raises TooLarge by what the request says of itself."""
    said = request.headers.get("content-length", "0")
    if said.isdecimal() and int(said) > most(visit):
        raise TooLarge(f"a request has at most {most(visit)} bytes here")


def bounded_body(receive: Receive, visit: Visit) -> Receive:
    """A body that does not say how long it is ends where it grows too long, as if its sender had gone."""
    left = most(visit)

    async def bounded() -> Message:
        nonlocal left
        if left < 0:
            return {"type": "http.disconnect"}
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return bounded
