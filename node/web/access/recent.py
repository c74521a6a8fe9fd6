"""Who was let in to read images a moment ago.

A viewer asks for hundreds of frames a second with one cookie, and each of them would look into the database in a thread
of its own. A session that ends, a token that is revoked, a right that is taken away count here after a second at most;
changes are never let in this way.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from time import monotonic

from starlette.requests import HTTPConnection

from node.web.access.demand import Visit
from node.web.access.guard import DICOMWEB
from node.web.access.origin import SAFE
from node.web.access.peers import Peer

_COUNTS_S = 1.0
_MOST = 1000

_Key = tuple[Peer, str, str]


@dataclass
class Recent:
    """Used by one thread, that of the event loop."""

    _visits: OrderedDict[_Key, tuple[float, Visit]] = field(default_factory=OrderedDict)

    def find(self, request: HTTPConnection, peer: Peer, path: str, method: str) -> Visit | None:
        """The visit of the same peer with the same credentials, a moment ago."""
        if method not in SAFE or not path.startswith(DICOMWEB):
            return None
        known = self._visits.get(_key(request, peer))
        if known is None or monotonic() - known[0] > _COUNTS_S:
            return None
        return replace(known[1], demanded=[])

    def keep(self, request: HTTPConnection, peer: Peer, path: str, method: str, visit: Visit) -> None:
        if method in SAFE and path.startswith(DICOMWEB):
            self._visits[_key(request, peer)] = monotonic(), visit
            if len(self._visits) > _MOST:
                self._visits.popitem(last=False)


def _key(request: HTTPConnection, peer: Peer) -> _Key:
    return peer, request.headers.get("authorization", ""), request.headers.get("cookie", "")
