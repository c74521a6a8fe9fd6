"""An Orthanc as a destination: its REST API takes the file, and labels for the study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from orthanc_api_client import OrthancApiClient
from orthanc_api_client.exceptions import HttpError, NotAuthorized, OrthancApiException, ResourceNotFound
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from node.adapters.destinations import Outcome, Outgoing
from node.adapters.destinations.reaching import Where, http_where
from node.core.status import Meaning
from node.errors import DestinationUnavailable

# orthanc_api_client 0.25 lets urllib3 try three times more where Orthanc says nothing.
_TRIES = 4
_PROBE_S = 5.0
_NEVER = frozenset({400, 413, 415})  # the object is at fault; everything else is Orthanc's or ours, and is mended


@dataclass(frozen=True)
class OrthancServer:
    """Where an Orthanc is, and how it knows us."""

    url: str
    user: str = ""
    password: str = ""
    timeout_seconds: float = 60


class OrthancDestination:
    """Uploads; `reads_back`: the digest of what Orthanc keeps is compared with that of the file."""

    def __init__(
        self, name: str, server: OrthancServer, *, labels: Sequence[str] = (), reads_back: bool = False
    ) -> None:
        self.name, self._labels, self._reads_back = name, tuple(labels), reads_back
        self._url = server.url
        self._client = OrthancApiClient(server.url.rstrip("/") + "/", server.user or None, server.password or None)
        self._timeout_seconds = server.timeout_seconds

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for one in objects:
            try:
                outcomes.append(self._store(one))
            except DestinationUnavailable as lost:
                if not outcomes:
                    raise
                # What was answered before stays answered; the rest waits.
                return outcomes + [Outcome(Meaning.WAIT, str(lost))] * (len(objects) - len(outcomes))
        return outcomes

    def probe(self) -> None:
        """Raises DestinationUnavailable when Orthanc does not answer."""
        self._json(lambda: self._client.get("system", timeout=min(_PROBE_S, self._timeout_seconds) / _TRIES))

    def where(self) -> Where:
        return http_where(self._url)

    def greet(self) -> str:
        """Orthanc and its version."""
        told = self._json(lambda: self._client.get("system", timeout=self._per_try))
        if not isinstance(told, dict) or "Version" not in told:
            raise DestinationUnavailable(f"{self.name}: what answers is not Orthanc")
        return f"Orthanc {str(told['Version'])[:32]} answers"

    def remove(self, sop_instance_uid: str) -> bool:
        """Delete an instance; False when it is not there."""
        found = self._found(sop_instance_uid)
        with self._translated():
            for identifier in found:
                self._client.delete(f"instances/{identifier}", timeout=self._timeout_seconds / _TRIES)
        return bool(found)

    def find(self, wanted: Outgoing) -> bool | None:
        """Whether Orthanc keeps these very bytes."""
        return any(self._is_same(identifier, wanted.path) for identifier in self._found(wanted.sop_instance_uid))

    def close(self) -> None:
        self._client.close()

    def _store(self, one: Outgoing) -> Outcome:
        try:
            with one.path.open("rb") as file:
                kept = self._json(lambda: self._client.post("instances", data=file, timeout=self._per_try))
        except _RefusedError as refused:
            return Outcome(Meaning.REFUSED, str(refused))
        if not isinstance(kept, dict):
            raise DestinationUnavailable(f"{self.name}: what answers is not Orthanc")
        answer = "already there" if kept.get("Status") == "AlreadyStored" else "stored"
        if self._reads_back:
            if not self._is_same(str(kept.get("ID", "")), one.path):
                return Outcome(Meaning.WAIT, f"{answer}; what Orthanc keeps is not what was sent", is_well=True)
            answer += "; read back and compared"
        return Outcome(Meaning.DELIVERED, answer + self._labeled(str(kept.get("ParentStudy", ""))))

    def _labeled(self, study: str) -> str:
        """Labels are an extra: what was stored is delivered, also by an Orthanc before 1.12 that has none."""
        if not self._labels or not study:
            return ""
        try:
            with self._translated():
                for label in self._labels:
                    self._client.put(f"studies/{study}/labels/{label}", timeout=self._per_try)
        except (DestinationUnavailable, _RefusedError, ResourceNotFound):
            return "; without labels: this Orthanc does not take them"
        return f"; labeled {', '.join(self._labels)}"

    def _is_same(self, identifier: str, path: Path) -> bool:
        """Whether the files are the same, or at least the data sets: what came another way has another file meta."""
        kept = self._attachment(f"instances/{identifier}/attachments/dicom/md5")
        if kept is None:
            return False
        with path.open("rb") as file:
            mine = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if kept.decode("ascii", "replace").strip() == mine:
            return True
        content = self._attachment(f"instances/{identifier}/file")
        try:
            return content is not None and bool(dcmread(BytesIO(content)) == dcmread(path))
        except (InvalidDicomError, ValueError, OSError):
            return False

    def _attachment(self, path: str) -> bytes | None:
        with self._translated():
            try:
                response: requests.Response | None = self._client.get(path, timeout=self._per_try)
            except ResourceNotFound:
                return None
        return response.content if response is not None else None

    def _found(self, sop_instance_uid: str) -> list[str]:
        found = self._json(lambda: self._client.post("tools/lookup", data=sop_instance_uid, timeout=self._per_try))
        if not isinstance(found, list):
            raise DestinationUnavailable(f"{self.name}: what answers is not Orthanc")
        return [str(one.get("ID")) for one in found if isinstance(one, dict) and one.get("Type") == "Instance"]

    @property
    def _per_try(self) -> float:
        return self._timeout_seconds / _TRIES

    def _json(self, ask: Callable[[], requests.Response | None]) -> Any:
        with self._translated():
            response = ask()
            if response is None:  # orthanc_api_client 0.25 swallows what requests raises beyond its list
                raise DestinationUnavailable(f"{self.name} cannot be reached")
            return response.json()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Foreign exceptions stop here."""
        try:
            yield
        except NotAuthorized as closed:
            raise DestinationUnavailable(
                f"{self.name} answers HTTP status {closed.http_status_code}: look at user and password"
            ) from closed
        except HttpError as failed:
            said = f"HTTP status {failed.http_status_code}"
            if failed.http_status_code in _NEVER:
                raise _RefusedError(said) from failed
            raise DestinationUnavailable(f"{self.name} answers {said}") from failed
        except (OrthancApiException, requests.RequestException) as unreachable:
            raise DestinationUnavailable(f"{self.name} cannot be reached") from unreachable
        except ValueError as foreign:
            raise DestinationUnavailable(f"{self.name}: what answers is not Orthanc") from foreign


class _RefusedError(Exception):
    """Orthanc answered that the object is at fault."""
