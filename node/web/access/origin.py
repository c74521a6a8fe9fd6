"""Whether a change was asked for by a page of this node, or by a program (OWASP CSRF prevention)."""

from __future__ import annotations

import hmac

from starlette.requests import HTTPConnection

from node.web.access.demand import CSRF_HEADER
from node.web.access.peers import Peer

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_foreign(request: HTTPConnection, peer: Peer) -> bool:
    """Whether another site's page sent it: browsers say so, and no page can keep them from it."""
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() != peer.origin:
        return True
    return fetched is not None and fetched not in ("same-origin", "none")


def shows(request: HTTPConnection, token: str) -> bool:
    """Whether it shows the session's token."""
    shown = request.headers.get(CSRF_HEADER, "")
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def safe_next(address: str) -> str:
    """Where to go after signing in: only to a page of this node, whatever a link says."""
    fine = address.startswith(("/admin/", "/ohif/", "/view/")) and address.isascii() and address.isprintable()
    return address if fine and "\\" not in address and "//" not in address.partition("?")[0] else "/admin/"
