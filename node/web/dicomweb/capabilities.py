"""What this service offers (PS3.18 8.9)."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.core.dicomweb.accept import Offer, best
from node.web.dicomweb.edge import accepted, base_url, told
from node.web.dicomweb.syntaxes import MADE_SYNTAXES

_WADL = "application/vnd.sun.wadl+xml"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"  # a name, not an address
_OFFERS = (Offer(_WADL, False), Offer("application/json", False))


def capability_routes(offered: Sequence[Route]) -> list[Route]:
    """`offered`: the routes of all transactions."""

    async def capabilities(request: Request) -> Response:
        chosen = best(accepted(request), _OFFERS)
        resources = _resources(offered)
        if chosen and chosen[0].media_type == "application/json":
            listed = [{"path": path, "methods": names} for path, names in resources]
            return JSONResponse({"resources": listed, "transferSyntaxes": sorted(MADE_SYNTAXES)})
        return Response(_wadl(base_url(request), resources), media_type=_WADL)

    return [Route("/", told(capabilities), methods=["GET", "OPTIONS"])]


def _resources(offered: Sequence[Route]) -> list[tuple[str, list[str]]]:
    found: dict[str, set[str]] = {}
    for route in offered:
        found.setdefault(route.path, set()).update(route.methods or ())
    return [(path, sorted(names)) for path, names in sorted(found.items())]


def _wadl(base: str, resources: Sequence[tuple[str, list[str]]]) -> bytes:
    root = Element("application", {"xmlns": _NAMESPACE})
    every = SubElement(root, "resources", {"base": base})
    for path, names in resources:
        resource = SubElement(every, "resource", {"path": path.lstrip("/")})
        for name in names:
            SubElement(resource, "method", {"name": name})
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))
