"""Who was let in to read images a moment ago.

A viewer asks for hundreds of frames a second with one cookie, and each of them would look into the database in a thread
of its own. Whatever ends a session, a token or a right in this process ends this too, at once; what does so elsewhere
(the command line, another process) counts here after a second at most. Changes are never let in this way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic

from starlette.requests import HTTPConnection

from node.web.access.demand import Visit
from node.web.access.guard import DICOMWEB
from node.web.access.origin import SAFE
from node.web.access.peers import Peer

_COUNTS_S = 1.0
_MOST = 1000
_SIGNS_IN = "/admin/oidc/"  # by GET, and with other rights perhaps

_Key = tuple[Peer, str, str]


@dataclass
class Recent:
    """Used by one thread, that of the event loop."""

    now: Callable[[], float] = monotonic  # seconds
    _visits: OrderedDict[_Key, tuple[float, Visit]] = field(default_factory=OrderedDict)
    changes: int = 0  # that may have ended a session, a token or a right

    def find(self, request: HTTPConnection, peer: Peer, path: str, method: str) -> Visit | None:
        """The visit of the same peer with the same credentials, a moment ago."""
        if method not in SAFE or not path.startswith(DICOMWEB):
            return None
        known = self._visits.get(_key(request, peer))
        if known is None or self.now() - known[0] > _COUNTS_S:
            return None
        return replace(known[1], demanded=[], read=[])

    def keep(
        self, request: HTTPConnection, peer: Peer, path: str, method: str, visit: Visit, changes: int | None = None
    ) -> None:
        """`changes`: how many there were before it was looked up; another one since, and it is not kept."""
        if method not in SAFE or not path.startswith(DICOMWEB) or changes not in (None, self.changes):
            return
        self._visits[_key(request, peer)] = self.now(), visit
        if len(self._visits) > _MOST:
            self._visits.popitem(last=False)

    def answered(self, path: str, method: str) -> None:
        """After whatever changes something but images, everybody is looked up again."""
        if path.startswith(_SIGNS_IN) or (method not in SAFE and not path.startswith(DICOMWEB)):
            self.changes += 1
            self._visits.clear()


def _key(request: HTTPConnection, peer: Peer) -> _Key:
    return peer, request.headers.get("authorization", ""), request.headers.get("cookie", "")
