"""Who is let in: a session, a token, or, where nobody has to sign in, whoever is at this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from starlette.requests import HTTPConnection

from node.adapters.database import Database
from node.core.access import LOCAL, Actor, Right, Role
from node.core.access.addresses import is_address, is_loopback
from node.core.access.secrets import csrf_token
from node.errors import NotAllowed, NotSignedIn
from node.pipeline.access.identify import Identify
from node.web.access import cookies
from node.web.access.demand import Visit, demand
from node.web.access.origin import SAFE, is_foreign, shows
from node.web.access.peers import Peer, Proxies, host_of

_PROBES = ("/healthz", "/readyz", "/metrics")  # asked by machines, under any name
_OPEN = (*_PROBES, "/", "/admin", "/admin/sign-in", "/admin/first-start", "/favicon.ico",
         "/api/v1/session", "/api/v1/first-start")  # fmt: skip
_OPEN_BELOW = ("/admin/static/", "/admin/oidc/")
DICOMWEB = "/dicom-web/"
ANYBODY = Actor("dicomweb", Role.OPERATOR, sees_patients=True, scopes=frozenset({Right.READ, Right.STORE}))


class Misdirected(NotAllowed):
    """Asked for under a name that is not this node's."""


@dataclass(frozen=True)
class Guard:
    """Finds who asks."""

    database: Database
    clock: Callable[[], datetime]
    identify: Identify
    local: bool = False  # whether whoever is at this machine is let in while there is no user
    open_dicomweb: bool = False
    proxies: Proxies = field(default_factory=Proxies)
    public_host: str = ""  # of http.public_url; "": any name will do

    def visit(self, request: HTTPConnection, peer: Peer, method: str) -> Visit:
        """Raises NotSignedIn, NotAllowed."""
        path = request.scope["path"]
        if path in _PROBES:
            return Visit(None)
        self._demand_name(peer)
        if token := _bearer(request):
            actor = self.identify.by_token(token, peer.address)
            if actor is None:
                raise NotSignedIn("this token does not count, or not any more")
            return Visit(self._allowed(actor, path, method))
        unsafe = method not in SAFE
        if unsafe and is_foreign(request, peer):
            raise NotAllowed("another site's page asked for this: open the node's own page and do it there")
        if visit := self._of_cookie(request, peer, unsafe):
            self._allowed(visit.actor, path, method)
            return visit
        actor = self._without_signing_in(peer, path)
        if actor is None and not _is_open(path):
            raise NotSignedIn("sign in first, or show a token: Authorization: Bearer …")
        return Visit(self._allowed(actor, path, method))

    def shown(self, request: HTTPConnection) -> str:
        """The credential of a request, whether it counts or not; "" without one."""
        return _bearer(request) or cookies.secret_of(request)

    def _of_cookie(self, request: HTTPConnection, peer: Peer, unsafe: bool) -> Visit | None:
        secret = cookies.secret_of(request)
        actor = self.identify.by_cookie(secret, peer.address) if secret else None
        if actor is None:
            return None
        token = csrf_token(secret)
        signs_in = (
            request.scope["path"] in ("/api/v1/session", "/api/v1/first-start") and request.scope["method"] == "POST"
        )
        if unsafe and not signs_in and not shows(request, token):
            raise NotAllowed("the change did not show the token of its page: load the page again")
        return Visit(actor, token)

    def _without_signing_in(self, peer: Peer, path: str) -> Actor | None:
        if self.local and peer.is_here and not self.identify.has_users():
            return replace(LOCAL, address=peer.address)
        if self.open_dicomweb and path.startswith(DICOMWEB) and self._knows(peer):
            return replace(ANYBODY, address=peer.address)
        return None

    def _knows(self, peer: Peer) -> bool:
        """A name that anybody's DNS may point at this node would let his pages read it (DNS rebinding)."""
        host = host_of(peer.host)
        return bool(self.public_host) or is_address(host) or is_loopback(host)

    def _allowed(self, actor: Actor | None, path: str, method: str) -> Actor | None:
        """What no handler asks for itself: DICOMweb and the viewer. The API and the pages say what they need."""
        if actor and path.startswith(DICOMWEB):
            demand(actor, Right.READ if method in SAFE else Right.STORE)
            if method in SAFE and not actor.sees_patients:
                raise NotAllowed(f"DICOM files name patients, which {actor.name} may not see")
        elif actor and path.startswith(("/ohif", "/view/")):
            demand(actor, Right.READ)
        return actor

    def _demand_name(self, peer: Peer) -> None:
        if self.public_host and peer.host.lower() != self.public_host and not peer.is_here:
            raise Misdirected(f"this node is reached as {self.public_host}")
        if not peer.host:
            raise Misdirected("the Host header is not the name of a host")


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _bearer(request: HTTPConnection) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""
