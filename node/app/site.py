"""What the board is told of the node: its places, certificates and room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from node.adapters.files import Files
from node.app.destinations import groups_of
from node.app.places import Places
from node.config import Settings
from node.pipeline.board import CertificateFile, KnownSource, Site
from node.pipeline.delivery import Delivering


def build_site(
    places: Places,
    files: Files,
    delivering: Delivering,
    clock_ahead: Callable[[], timedelta | None],
    models: Callable[[], Sequence[str]],
) -> Site:
    """Asked anew for each snapshot: places change while the node runs."""
    return Site(
        gate=delivering.gate,
        destinations=lambda: [one.name for one in places.settings().destination],
        sources=lambda: [*_sources(places.settings())],
        models=models,
        certificates=lambda: [*_certificates(places.settings())],
        room=files.room,
        clock_ahead=clock_ahead,
        groups=lambda: groups_of(places.settings()),
    )


def _sources(settings: Settings) -> Iterator[KnownSource]:
    for one in settings.source:
        # A feed has no AE title: its name stands for it
        yield KnownSource(one.name, one.kind, one.ae_title or one.name)


def _certificates(settings: Settings) -> Iterator[CertificateFile]:
    dicom, http = settings.dicom, settings.http
    named = [
        ("DICOM TLS", dicom.tls_certificate if dicom.tls_port is not None else None),
        ("DICOM TLS: authorities of senders", dicom.tls_ca),
        ("HTTP TLS", http.tls_certificate),
    ]
    for one in settings.destination:
        named.append((f"destination {one.name}: its authorities", one.tls_ca))
        named.append((f"destination {one.name}: this node's", one.tls_certificate))
    for name, path in named:
        if path is not None:
            yield CertificateFile(name, path)
