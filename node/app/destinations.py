"""What a [[destination]] becomes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from ssl import SSLContext

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.destinations import Destination
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.folder import Folder
from node.adapters.destinations.orthanc import OrthancDestination, OrthancServer
from node.adapters.destinations.stow import HttpServer, StowServer
from node.adapters.destinations.tls import client_context
from node.adapters.objects import ResultFiles
from node.app.clock import Clock
from node.config import DestinationSettings, Settings
from node.core.forms import Form, forms_of
from node.core.windows import Window
from node.pipeline.delivery import Delivering
from node.pipeline.gate import Policy, Proof


def build_delivering(settings: Settings, database: Database, results: ResultFiles, clock: Clock) -> Delivering:
    """All destinations, their policies and groups."""
    built = [build_destination(one, settings.node.ae_title) for one in settings.destination]
    return Delivering(
        database,
        results,
        {one.name: one for one in built},
        clock,
        policies={one.name: _policy(one) for one in settings.destination},
        groups={group.name: group.members for group in settings.destination_group},
    )


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


def _policy(one: DestinationSettings) -> Policy:
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
