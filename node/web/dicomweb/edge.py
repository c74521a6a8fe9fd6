"""What all transactions that read share: where the service is reached, what a fault becomes, who may have what."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from node.adapters.database.index.documents import Held
from node.core.dicomweb.accept import ANY
from node.core.encoded import DEFLATED
from node.errors import BadInstance, NodeError, Retryable, Usage
from node.pipeline.archive.archive import Place
from node.web.dicomweb.media import Refusal

_log = structlog.get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]

BAD_REQUEST, FORBIDDEN, NOT_FOUND, NOT_ACCEPTABLE, CONFLICT, RANGE_NOT_SATISFIABLE, UNAVAILABLE = (
    400, 403, 404, 406, 409, 416, 503,
)  # fmt: skip
_RETRY_AFTER_S = "5"
_UID = re.compile(r"[0-9.]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_LONGEST_ACCEPT = 4096


def told(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose faults become statuses and sentences."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NodeError as fault:
            return _answer(fault)

    return guarded


def _answer(fault: NodeError) -> Response:
    if isinstance(fault, Refusal):
        return _problem(fault.status, str(fault))
    if isinstance(fault, Usage):
        return _problem(BAD_REQUEST, str(fault))
    if isinstance(fault, BadInstance):  # there, and not to be had in the form that was asked for
        return _problem(NOT_ACCEPTABLE, str(fault))
    if isinstance(fault, Retryable):
        return unfinished(str(fault))
    raise fault


def unfinished(sentence: str) -> Response:
    """To be asked for once more in a moment."""
    answer = _problem(UNAVAILABLE, sentence)
    answer.headers["Retry-After"] = _RETRY_AFTER_S
    return answer


def _problem(status: int, sentence: str) -> Response:
    return JSONResponse({"reason": sentence}, status)


def base_url(request: Request) -> str:
    """Where the service is reached by this client, with a slash at the end."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise Refusal(BAD_REQUEST, "the Host header is not the name of a host")
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return f"{request.scope['scheme']}://{host}{root}/"


def parameters(request: Request) -> list[tuple[str, str]]:
    """The query string's parameters, in order. A plus sign is itself: UIDs and dates hold none, names may."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=1000)
    except ValueError as wrong:
        raise Refusal(BAD_REQUEST, "the query string has too many parameters") from wrong


def parameter(request: Request, name: str) -> str:
    """The last one of this name; "" when there is none."""
    return next((value for key, value in reversed(parameters(request)) if key.lower() == name), "")


def accepted(request: Request) -> str:
    """What the client would take: its `accept` parameter, else its header (PS3.18 8.7.5)."""
    wanted = parameter(request, "accept") or ",".join(request.headers.getlist("accept"))
    if len(wanted) > _LONGEST_ACCEPT:
        raise Refusal(BAD_REQUEST, f"Accept is longer than {_LONGEST_ACCEPT} characters")
    return wanted or ANY


def place(request: Request) -> Place:
    """What the path names. Raises Refusal for what is not a UID."""
    named = request.path_params
    uids = [named.get(level, "") for level in ("study", "series", "instance")]
    for level, uid in zip(("study", "series", "instance"), uids, strict=True):
        if level in named and not _UID.fullmatch(uid):
            raise Refusal(BAD_REQUEST, f"the path's {level} is not a UID")
    return Place(*uids)


def not_there() -> Refusal:
    return Refusal(NOT_FOUND, "there is no such study, series or instance here")


def demand_pixels(found: Sequence[Held]) -> list[Held]:
    """Those with pixels. Raises Refusal when nothing is there, or nothing with pixels."""
    if not found:
        raise not_there()
    some = [one for one in found if one.place or one.transfer_syntax_uid == DEFLATED]  # whose pixels lie nowhere
    if not some:
        raise Refusal(NOT_FOUND, "there are no pixels in it")
    return some


def takes_gzip(request: Request) -> bool:
    """Whether the client takes a gzip coding (RFC 9110 12.5.3)."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, rest = part.strip().partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return rest.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
