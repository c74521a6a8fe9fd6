"""A DICOMweb server as a destination: STOW-RS (PS3.18 10.5), and QIDO-RS (10.6) to read back."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from io import BytesIO

import httpx
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.adapters.destinations import Outcome, Outgoing, store_unless_found
from node.adapters.destinations.identity import identity
from node.adapters.destinations.reaching import Where, http_where
from node.adapters.destinations.store_answer import judge, read, waits
from node.core.status import Meaning
from node.errors import DestinationUnavailable

_JSON = "application/dicom+json"
_CHUNK = 1 << 18
_ANSWER_AT_MOST = 4 << 20
_RETRY_AFTER_AT_MOST = 24 * 3600.0  # seconds
_OK, _NO_CONTENT, _NOT_FOUND, _NO_SUCH_SERVICE = 200, 204, 404, (405, 501)
_BAD_REQUEST, _TOO_LARGE, _UNSUPPORTED = 400, 413, 415
_ABOUT_THE_WHOLE = (_BAD_REQUEST, _TOO_LARGE, _UNSUPPORTED)


@dataclass(frozen=True)
class HttpServer:
    """Where a DICOMweb server is, and how it knows us."""

    url: str  # of the service: /studies follows
    user: str = ""
    password: str = ""
    token: str = ""  # of OAuth 2.0 (RFC 6750)
    timeout_seconds: float = 60
    tls: ssl.SSLContext | None = None  # None: the system's authorities, no certificate of our own


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class StowServer:
    """Sends by STOW-RS; the Store Instances Response is the outcome. `reads_back`: what was taken is asked for."""

    def __init__(self, name: str, server: HttpServer, *, reads_back: bool = False) -> None:
        self.name, self._server, self._reads_back = name, server, reads_back
        # Made once: to read the system's authorities takes longer than to send a result.
        self._tls = server.tls or ssl.create_default_context()

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        if not self._reads_back:
            return self._store(objects)
        return store_unless_found(self._store, self.find, "QIDO-RS", objects)

    def find(self, wanted: Outgoing) -> bool | None:
        """Whether QIDO-RS knows the instance; None where there is no such service."""
        uids = identity(wanted.path)
        path = f"studies/{uids.study_instance_uid}/series/{uids.series_instance_uid}/instances"
        answer = self._ask("GET", path, params={"SOPInstanceUID": uids.sop_instance_uid})
        if answer.status in _NO_SUCH_SERVICE:
            return None
        if waits(answer.status) and answer.status != _NOT_FOUND:
            raise self._unavailable(answer)
        return answer.status == _OK and uids.sop_instance_uid.encode() in answer.body

    def where(self) -> Where:
        return http_where(self._server.url, self._tls)

    def greet(self) -> str:
        """What it answers to a search."""
        answer = self._ask("GET", "studies", params={"limit": "1"})
        if answer.status in (_OK, _NO_CONTENT):
            return f"answers a search by QIDO-RS with HTTP status {answer.status}"
        if answer.status in _NO_SUCH_SERVICE or answer.status == _NOT_FOUND:
            return f"answers HTTP status {answer.status} to a search: QIDO-RS may not be offered"
        raise self._unavailable(answer)

    def returned(self, wanted: Outgoing) -> Dataset | None:
        """The instance by WADO-RS (PS3.18 10.4)."""
        uids = identity(wanted.path)
        path = f"studies/{uids.study_instance_uid}/series/{uids.series_instance_uid}/instances/{uids.sop_instance_uid}"
        answer = self._ask("GET", path, headers={"Accept": 'multipart/related; type="application/dicom"'})
        if answer.status != _OK:
            return None
        begin, end = answer.body.find(b"\r\n\r\n"), answer.body.rfind(b"\r\n--")
        try:
            return dcmread(BytesIO(answer.body[begin + 4 : end if end > begin else None]))
        except (InvalidDicomError, ValueError, OSError):
            raise DestinationUnavailable(f"{self.name} gives back what is not a DICOM file") from None

    def _store(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        answer = self._post(objects)
        if waits(answer.status):
            raise self._unavailable(answer)
        told = read(answer.status, answer.body)
        if answer.status in _ABOUT_THE_WHOLE and not told.readable and len(objects) > 1:
            # One of them may be at fault, or only all of them together.
            return [outcome for one in objects for outcome in self._alone(one)]
        return judge(told, [one.sop_instance_uid for one in objects])

    def _alone(self, one: Outgoing) -> list[Outcome]:
        try:
            return self._store([one])
        except DestinationUnavailable as lost:
            return [Outcome(Meaning.WAIT, str(lost), lost.retry_after)]

    def _post(self, objects: Sequence[Outgoing]) -> _Answer:
        boundary = secrets.token_hex(16)
        length = sum(len(part) for part in _frames(boundary, objects)) + sum(one.path.stat().st_size for one in objects)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Content-Length": str(length),
        }
        return self._ask("POST", "studies", headers=headers, content=_parts(boundary, objects))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Iterator[bytes] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> _Answer:
        sent = {"Accept": _JSON, **(headers or {})}
        try:
            with (
                self._client() as client,
                client.stream(method, path, headers=sent, content=content, params=params) as response,
            ):
                return _Answer(response.status_code, response.headers, self._body(response))
        except httpx.TimeoutException as late:
            raise DestinationUnavailable(f"{self.name} does not answer in time") from late
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as broken:
            raise DestinationUnavailable(f"{self.name} cannot be reached ({type(broken).__name__})") from broken

    def _client(self) -> httpx.Client:
        """One for each request: results are far apart, and a connection that was kept open may be dead by then."""
        server = self._server
        return httpx.Client(
            base_url=server.url.rstrip("/") + "/",
            auth=(server.user, server.password) if server.user else None,
            headers={"Authorization": f"Bearer {server.token}"} if server.token else None,
            timeout=server.timeout_seconds,
            verify=self._tls,
            trust_env=False,  # a proxy from the environment would see results
        )

    def _body(self, response: httpx.Response) -> bytes:
        """The body, within bounds of size and time: httpx only limits how long a single read takes."""
        give_up = time.monotonic() + self._server.timeout_seconds
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _ANSWER_AT_MOST:
                break
            if time.monotonic() > give_up:
                raise DestinationUnavailable(f"{self.name} does not finish its answer in time")
        return bytes(body[:_ANSWER_AT_MOST])

    def _unavailable(self, answer: _Answer) -> DestinationUnavailable:
        more = _CURES.get(answer.status, "")
        return DestinationUnavailable(f"{self.name} answers HTTP status {answer.status}{more}", _retry_after(answer))


_CURES = {
    401: ": look at user, password, token or certificate",
    403: ": it does not let this node store",
    404: ": look at url",
    405: ": look at url",
}


def _frames(boundary: str, objects: Sequence[Outgoing]) -> list[bytes]:
    """What stands before each object, and after the last (RFC 2046 5.1.1)."""
    first = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return [first, *[b"\r\n" + first] * (len(objects) - 1), f"\r\n--{boundary}--\r\n".encode()]


def _parts(boundary: str, objects: Sequence[Outgoing]) -> Iterator[bytes]:
    *before, last = _frames(boundary, objects)
    for frame, one in zip(before, objects, strict=True):
        yield frame
        with one.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    yield last


def _retry_after(answer: _Answer) -> float | None:
    """Retry-After (RFC 9110 10.2.3): seconds, or a date, which is measured against the server's own clock."""
    said = answer.headers.get("Retry-After", "")
    if said.isascii() and said.isdecimal():
        return min(float(said), _RETRY_AFTER_AT_MOST)
    try:
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(answer.headers.get("Date", ""))
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(wait.total_seconds(), 0.0), _RETRY_AFTER_AT_MOST)
