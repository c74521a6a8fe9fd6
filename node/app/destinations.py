"""What a [[destination]] becomes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from ssl import SSLContext

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.destinations import Destination, Outcome, Outgoing
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.folder import Folder
from node.adapters.destinations.orthanc import OrthancDestination, OrthancServer
from node.adapters.destinations.stow import HttpServer, StowServer
from node.adapters.destinations.tls import client_context
from node.adapters.objects import ResultFiles
from node.app.clock import Clock
from node.app.places import LiveMapping, Places
from node.config import DestinationSettings, Settings
from node.core.audit import Kept
from node.core.forms import Form, forms_of
from node.core.windows import Window
from node.errors import BadConfiguration, DestinationUnavailable
from node.pipeline.delivery import Delivering
from node.pipeline.gate import Policy, Proof


def build_delivering(places: Places, database: Database, results: ResultFiles, clock: Clock) -> Delivering:
    """All destinations of every moment, their policies and groups. Raises BadConfiguration for those of node.toml."""
    mine = places.file.node.ae_title
    for one in places.file.destination:
        build_destination(one, mine)
    return Delivering(
        database,
        results,
        # A delivery to a destination that there is not is refused for good.
        LiveMapping(places, lambda settings: _Built(settings.destination, mine), looks_again=True),
        clock,
        policies=LiveMapping(places, lambda settings: {one.name: policy_of(one) for one in settings.destination}),
        groups=LiveMapping(places, groups_of),
        unused=LiveMapping(places, lambda _settings: places.merged().unused()),
        audits=Kept.DELIVERIES in places.file.audit.keeps,
    )


def groups_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The members of each group, in the order in which they are tried."""
    return {group.name: group.members for group in settings.destination_group}


class _Built(Mapping[str, Destination]):
    """Each built when it is first asked for: one whose TLS files are gone does not take the others with it."""

    def __init__(self, of: Sequence[DestinationSettings], calling_ae: str) -> None:
        self._of, self._calling_ae = {one.name: one for one in of}, calling_ae
        self._built: dict[str, Destination] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Destination:
        with self._lock:
            if name not in self._built:
                self._built[name] = self._build(self._of[name])
            return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def _build(self, one: DestinationSettings) -> Destination:
        try:
            return build_destination(one, self._calling_ae)
        except BadConfiguration as wrong:
            return Unusable(one.name, str(wrong))


@dataclass
class Unusable:
    """A destination that cannot be built: what is for it waits, with the reason."""

    name: str
    reason: str

    def deliver(self, _objects: Sequence[Outgoing]) -> list[Outcome]:
        raise DestinationUnavailable(self.reason)


def build_destination(settings: DestinationSettings, calling_ae: str) -> Destination:
    """The adapter of a [[destination]]. Raises BadConfiguration when its TLS files are no good."""
    one, reads_back = settings, settings.proof == "query"
    password = one.password.get_secret_value()
    match one.kind:
        case "folder":
            return Folder(one.name, one.path or Path())
        case "stow":
            token = one.token.get_secret_value()
            server = HttpServer(one.url, one.user, password, token, one.timeout_seconds, client_tls(one))
            return StowServer(one.name, server, reads_back=reads_back)
        case "orthanc":
            orthanc = OrthancServer(one.url, one.user, password, one.timeout_seconds)
            return OrthancDestination(one.name, orthanc, labels=one.labels, reads_back=reads_back)
        case "dicom":
            return DicomPeer(one.name, peer_of(one, calling_ae), reads_back=reads_back)


def wanted_forms(settings: Settings) -> dict[str, frozenset[Form]]:
    """The forms of results that each destination and each group wants."""
    asked = {one.name: forms_of(one.seg, one.sr, _extras(one)) for one in settings.destination}
    # Members want the same: see config.mistakes
    return asked | {group.name: asked[group.members[0]] for group in settings.destination_group}


def _extras(one: DestinationSettings) -> list[Form]:
    return [form for form, wants in ((Form.OVERLAY, one.overlay), (Form.GSPS, one.gsps), (Form.PDF, one.pdf)) if wants]


def policy_of(one: DestinationSettings) -> Policy:
    return Policy(
        windows=tuple(Window.read(window) for window in one.windows),
        max_parallel=one.max_parallel,
        proof=Proof(one.proof),
        commitment=timedelta(seconds=one.commitment_seconds),
    )


def peer_of(one: DestinationSettings, calling_ae: str) -> RemoteAE:
    """Where a [[destination]] of kind dicom is to be reached. Raises BadConfiguration as `client_tls` does."""
    return RemoteAE(one.ae_title or "", one.host, one.port, calling_ae, one.timeout_seconds, client_tls(one))


def client_tls(one: DestinationSettings) -> SSLContext | None:
    """How TLS is spoken to it; None where it is not. Raises BadConfiguration when its files are no good."""
    if not (one.tls or one.tls_ca or one.tls_certificate):
        return None
    where = f"destination {one.name}: tls_ca, tls_certificate, tls_key"
    return client_context(where, one.tls_ca, one.tls_certificate, one.tls_key)
