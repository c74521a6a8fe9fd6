"""Delete: no transaction of PS3.18's Studies Service, but what other servers offer under its resources.

Only an administrator may, with an optional reason in X-Reason, and nothing that is not settled goes.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.adapters.database.erasing import Asked
from node.core.access import Right
from node.errors import NoSuch, NotAllowed, NotSettled, NotSignedIn
from node.pipeline.archive.erasing import Erasing
from node.web.access.demand import actor_of, demand
from node.web.dicomweb.edge import BAD_REQUEST, CONFLICT, FORBIDDEN, NOT_FOUND, place, told, unfinished
from node.web.dicomweb.media import Refusal
from node.web.dicomweb.threads import deleting

_PATHS = (
    "/studies/{study}",
    "/studies/{study}/series/{series}",
    "/studies/{study}/series/{series}/instances/{instance}",
)
_LONGEST_REASON = 500


def delete_routes(erasing: Erasing | None) -> list[Route]:
    """Without `erasing` nobody may."""

    async def delete(request: Request) -> Response:
        actor = _demanded(request)
        if erasing is None:
            raise Refusal(FORBIDDEN, "nothing is deleted over DICOMweb here")
        where = place(request)
        asked = Asked(where.study, where.series, where.instance, actor, _reason(request))
        try:
            outcome = await deleting(erasing.erase, asked)
        except NoSuch as absent:
            raise Refusal(NOT_FOUND, str(absent)) from absent
        except NotSettled as busy:
            raise Refusal(CONFLICT, str(busy)) from busy
        if outcome.series < outcome.of:
            return unfinished(
                f"{outcome.series} of {outcome.of} series are deleted: send the same again for the others"
            )
        return Response(status_code=204)

    return [Route(path, told(delete), methods=["DELETE"]) for path in _PATHS]


def _demanded(request: Request) -> str:
    """The name of who asks. Raises Refusal for who may not."""
    try:
        actor = actor_of(request)
        demand(actor, Right.ADMINISTER)
    except (NotSignedIn, NotAllowed) as refused:
        raise Refusal(FORBIDDEN, f"nothing was deleted: {refused}") from refused
    return actor.name


def _reason(request: Request) -> str:
    reason = request.headers.get("x-reason", "").strip()
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise Refusal(BAD_REQUEST, f"X-Reason is longer than {_LONGEST_REASON} characters, or not printable")
    return reason
