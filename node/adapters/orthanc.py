"""Orthanc's REST API: what changed, what a series consists of, and the files. Foreign exceptions stop here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from orthanc_api_client import OrthancApiClient
from orthanc_api_client.exceptions import HttpError, NotAuthorized, OrthancApiException, ResourceNotFound

from node.errors import SourceRefused, SourceUnavailable

STABLE_SERIES = "StableSeries"

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Change:
    """One entry of Orthanc's log of changes."""

    number: int
    kind: str
    resource: str  # Orthanc's identifier of the patient, study, series or instance
    at: str  # as Orthanc writes it

    @property
    def mark(self) -> str:
        """Tells this change from another one that has its number in another database."""
        return f"{self.at} {self.kind} {self.resource}"


@dataclass(frozen=True)
class Changes:
    """A stretch of the log."""

    changes: tuple[Change, ...]
    is_end: bool


@dataclass(frozen=True)
class OrthancSeries:
    """A series as Orthanc describes it."""

    modality: str
    instances: tuple[str, ...]  # Orthanc's identifiers


class Orthanc:
    """One Orthanc server. Every method raises SourceUnavailable when it cannot be reached or lets nobody in."""

    def __init__(self, url: str, user: str = "", password: str = "", *, timeout_seconds: float = 60) -> None:
        self._client = OrthancApiClient(url.rstrip("/") + "/", user or None, password or None)
        self._timeout_seconds = timeout_seconds

    def changes(self, since: int, limit: int) -> Changes:
        """What follows the change of this number."""
        return _changes(self._json(f"changes?since={since}&limit={limit}"))

    def last_change(self) -> int:
        """The number of the newest change; 0 when there is none."""
        found = _changes(self._json("changes?last")).changes
        return found[-1].number if found else 0

    def series(self, identifier: str) -> OrthancSeries | None:
        """None when it is not there any more."""
        try:
            found = self._json(f"series/{identifier}")
        except ResourceNotFound:
            return None
        with _unreadable():
            modality = found.get("MainDicomTags", {}).get("Modality", "")
            return OrthancSeries(str(modality).strip(), tuple(map(str, found["Instances"])))

    @contextmanager
    def file(self, identifier: str) -> Iterator[Iterator[bytes] | None]:
        """The bytes of an instance's file as they come; None when it is not there any more.

        Raises SourceRefused when Orthanc has it and cannot give it.
        """
        try:
            response = self._get(f"instances/{identifier}/file", stream=True)
        except ResourceNotFound:
            yield None
            return
        except SourceUnavailable as failed:
            if isinstance(failed.__cause__, HttpError) and not isinstance(failed.__cause__, NotAuthorized):
                raise SourceRefused(str(failed)) from failed
            raise
        with response:
            yield _chunks(response)

    def close(self) -> None:
        self._client.close()

    def _json(self, path: str) -> Any:
        response = self._get(path)
        with _unreadable():
            return response.json()

    def _get(self, path: str, *, stream: bool = False) -> requests.Response:
        """Raises ResourceNotFound for what is not there."""
        try:
            response: requests.Response | None = self._client.get(path, timeout=self._timeout_seconds, stream=stream)
        except ResourceNotFound:
            raise
        except NotAuthorized as refused:
            raise SourceUnavailable("Orthanc does not let this user in: look at user and password") from refused
        except HttpError as failed:
            raise SourceUnavailable(f"Orthanc answered with HTTP status {failed.http_status_code}") from failed
        except (OrthancApiException, ValueError) as unreachable:
            raise SourceUnavailable("Orthanc cannot be reached") from unreachable
        if response is None:  # orthanc_api_client 0.25 swallows what requests raises beyond its list
            raise SourceUnavailable("Orthanc cannot be reached")
        return response


def _chunks(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(_CHUNK)
    except requests.RequestException as cut:
        raise SourceUnavailable("the connection to Orthanc was lost in the middle of a file") from cut


def _changes(found: Any) -> Changes:
    with _unreadable():
        changes = tuple(
            Change(int(one["Seq"]), str(one["ChangeType"]), str(one["ID"]), str(one["Date"]))
            for one in found["Changes"]
        )
        return Changes(changes, bool(found["Done"]))


@contextmanager
def _unreadable() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, requests.RequestException) as other:
        raise SourceUnavailable("what answers is not Orthanc, or of a version that this node does not know") from other
