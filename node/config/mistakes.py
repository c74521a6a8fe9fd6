"""What no single key can tell: settings that contradict one another."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from node.config.access_mistakes import check_access
from node.config.sections import DestinationSettings
from node.config.settings import Settings
from node.errors import BadConfiguration


def check(where: str, settings: Settings) -> None:
    """Raises BadConfiguration that names the file and the key."""
    _check_storage(where, settings)
    _check_destinations(where, settings)
    _check_sources(where, settings)
    _check_tls(where, settings)
    _check_commitment(where, settings)
    check_access(where, settings)


def _check_storage(where: str, settings: Settings) -> None:
    scheme, separator, rest = settings.storage.url.partition("://")
    if separator and (scheme != "s3" or not rest.strip("/")):
        cure = 'Write "file:/path" or "s3://bucket/prefix"'
        raise BadConfiguration(f"{where}: storage.url", "is neither a folder nor a bucket of S3", cure)
    if settings.storage.endpoint and not settings.bucket:
        raise BadConfiguration(f"{where}: storage.endpoint", "storage.url is no bucket", "Leave it out")


_FORMS = ("seg", "sr", "overlay", "gsps", "pdf")
_OF_ALL_DESTINATIONS = frozenset({"name", "kind", "timeout_seconds", "windows", "max_parallel", "proof", *_FORMS})
_OF_A_DESTINATION = {
    "dicom": frozenset(
        {"ae_title", "host", "port", "tls", "tls_ca", "tls_certificate", "tls_key", "commitment_seconds"}
    ),
    "stow": frozenset({"url", "user", "password", "token", "tls_ca", "tls_certificate", "tls_key"}),
    "orthanc": frozenset({"url", "user", "password", "labels", "remove_test_object"}),
    "folder": frozenset({"path"}),
}
_PROOFS = {
    "dicom": ("answer", "query", "commitment"),
    "stow": ("answer", "query"),
    "orthanc": ("answer", "query"),
    "folder": ("answer",),
}


def _check_destinations(where: str, settings: Settings) -> None:
    seen: set[str] = set()
    for one in settings.destination:
        at = f"{where}: destination {one.name}"
        if one.name in seen:
            raise BadConfiguration(at, "two destinations have this name")
        seen.add(one.name)
        _check_destination(at, one)
    for group in settings.destination_group:
        at = f"{where}: destination_group {group.name}"
        if group.name in seen:
            raise BadConfiguration(at, "two destinations have this name")
        for member in group.members:
            if member not in {one.name for one in settings.destination}:
                raise BadConfiguration(f"{at}.members", f"there is no destination {member}")
        _check_forms(at, [one for one in settings.destination if one.name in group.members])
    listed = {one.ae_title for one in settings.source}
    for one in settings.destination:
        if one.proof == "commitment" and one.ae_title not in listed and settings.dicom.accept == "listed":
            cure = f'Add a [[source]] with ae_title = "{one.ae_title}"'
            raise BadConfiguration(f"{where}: destination {one.name}.proof", "its reports would be rejected", cure)
    names = [group.name for group in settings.destination_group]
    if len(set(names)) < len(names):
        raise BadConfiguration(f"{where}: destination_group", "two groups have one name")


def _check_forms(at: str, members: Sequence[DestinationSettings]) -> None:
    """Members stand in for one another: each must want the same."""
    for key in _FORMS:
        if len({getattr(one, key) for one in members}) > 1:
            raise BadConfiguration(f"{at}.members", f"want different forms of results: {key} is not the same in all")


def _check_destination(at: str, one: DestinationSettings) -> None:
    if one.kind == "dicom" and not (one.ae_title and one.host):
        raise BadConfiguration(at, "a dicom destination needs ae_title and host")
    if one.kind == "folder" and one.path is None:
        raise BadConfiguration(at, "a folder destination needs path")
    if one.kind in ("stow", "orthanc") and not one.url:
        raise BadConfiguration(at, f"a destination of kind {one.kind} needs url")
    _check_url(at, one.url)
    if foreign := sorted(one.model_fields_set - _OF_ALL_DESTINATIONS - _OF_A_DESTINATION[one.kind]):
        raise BadConfiguration(f"{at}.{foreign[0]}", f"a destination of kind {one.kind} has no such key")
    if one.proof not in _PROOFS[one.kind]:
        known = ", ".join(_PROOFS[one.kind])
        raise BadConfiguration(f"{at}.proof", f"a destination of kind {one.kind} knows {known}")
    if one.user and one.token.get_secret_value():
        raise BadConfiguration(f"{at}.token", "user and token are two ways in", "Write one of them")


_OF_A_KIND = {
    "dicom": frozenset({"ae_title", "hosts", "certificate_name", "commitment", "query"}),
    "orthanc": frozenset({"url", "user", "password", "modalities", "poll_seconds"}),
    "folder": frozenset({"path", "settle_seconds", "received", "poll_seconds"}),
}
_DEMANDED = {"dicom": "ae_title", "orthanc": "url", "folder": "path"}


def _check_sources(where: str, settings: Settings) -> None:
    seen: set[str] = set()
    for one in settings.source:
        at = f"{where}: source {one.name}"
        demanded = _DEMANDED[one.kind]
        if not getattr(one, demanded):
            raise BadConfiguration(at, f"a source of kind {one.kind} needs {demanded}")
        mine = _OF_A_KIND[one.kind] | {"name", "kind", "quiet_seconds"}
        if foreign := sorted(one.model_fields_set - mine):
            raise BadConfiguration(f"{at}.{foreign[0]}", f"a source of kind {one.kind} has no such key")
        if one.kind != "dicom":
            if one.name in seen:
                raise BadConfiguration(at, "two feeds have this name")
            seen.add(one.name)
        _check_url(at, one.url)


def keys_of_destination(kind: str) -> frozenset[str]:
    """What a [[destination]] of this kind may say, beside name and kind."""
    return (_OF_ALL_DESTINATIONS | _OF_A_DESTINATION[kind]) - {"name", "kind"}


def keys_of_source(kind: str) -> frozenset[str]:
    """What a [[source]] of this kind may say, beside name and kind."""
    return _OF_A_KIND[kind] | {"quiet_seconds"}


def keys_of_a_group(_kind: str) -> frozenset[str]:
    """What a [[destination_group]] may say, beside name and mode."""
    return frozenset({"members"})


def proofs_of(kind: str) -> tuple[str, ...]:
    """What may be asked of a destination of this kind as proof."""
    return _PROOFS[kind]


def demanded_of(family: str, kind: str) -> frozenset[str]:
    """What it may not leave out."""
    if family == "source":
        return frozenset({_DEMANDED[kind]})
    if family == "group":
        return frozenset({"members"})
    return {"dicom": frozenset({"ae_title", "host"}), "folder": frozenset({"path"})}.get(kind, frozenset({"url"}))


def _check_url(at: str, url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        raise BadConfiguration(f"{at}.url", "is not a URL") from wrong
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise BadConfiguration(f"{at}.url", "is not a URL like http://orthanc:8042")
    if parts.username or parts.password:
        raise BadConfiguration(f"{at}.url", "names a user", "Write user and password as keys of their own")


def _check_tls(where: str, settings: Settings) -> None:
    dicom = settings.dicom
    if dicom.tls_port is not None and not (dicom.tls_certificate and dicom.tls_key):
        raise BadConfiguration(f"{where}: dicom.tls_port", "TLS needs dicom.tls_certificate and dicom.tls_key")
    bound = [one.name for one in settings.source if one.certificate_name]
    if bound and not dicom.tls_ca:
        cure = "Set dicom.tls_ca: without it no sender shows a certificate"
        raise BadConfiguration(f"{where}: source {bound[0]}.certificate_name", "nobody checks certificates", cure)


def _check_commitment(where: str, settings: Settings) -> None:
    if settings.commitment.enabled and not any(one.commitment for one in settings.source):
        cure = "Set source.commitment = {host, port} for each that asks for storage commitment"
        raise BadConfiguration(f"{where}: commitment.enabled", "no source says where it hears reports", cure)
