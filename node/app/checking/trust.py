"""Certificates, and who may read what."""

from __future__ import annotations

import stat
from contextlib import suppress
from functools import partial
from pathlib import Path

from node.adapters.certificates import read_certificates
from node.app.clock import Clock
from node.app.places import Places
from node.config import Settings
from node.core.inspection import Verdict
from node.pipeline.checking import Looked, Part

_SOON_DAYS = 30
_OTHERS = stat.S_IROTH | stat.S_IWOTH


def trust_parts(places: Places, clock: Clock) -> list[Part]:
    settings = places.settings()
    files = {key: path for key, path in _certificates(settings).items() if path}
    return [
        *(Part(f"certificate of {key}", partial(_certificate, path, clock)) for key, path in files.items()),
        Part("permissions", partial(_permissions, settings)),
    ]


def _certificates(settings: Settings) -> dict[str, Path | None]:
    found: dict[str, Path | None] = {"dicom.tls_certificate": settings.dicom.tls_certificate}
    found["dicom.tls_ca"] = settings.dicom.tls_ca
    found["http.tls_certificate"] = getattr(settings.http, "tls_certificate", None)
    for one in settings.destination:
        found[f"destination {one.name}: tls_certificate"] = one.tls_certificate
        found[f"destination {one.name}: tls_ca"] = one.tls_ca
    return found


def _certificate(path: Path, clock: Clock) -> Looked:
    found = read_certificates(path)
    if isinstance(found, str):
        return Looked(Verdict.FAILED, f"{path}: {found}", "Give a PEM file that the node's user may read")
    first = min(found, key=lambda one: one.expires_at)
    days = (first.expires_at - clock()).days
    told = f"{first.subject} is good until {first.expires_at:%Y-%m-%d}, {days} days"
    if days < 0:
        return Looked(Verdict.FAILED, f"{first.subject} expired on {first.expires_at:%Y-%m-%d}", "Put a new one there")
    if days < _SOON_DAYS:
        return Looked(Verdict.ATTENTION, told, "Put a new one there: it is taken up without a restart")
    return Looked(Verdict.OK, told)


def _permissions(settings: Settings) -> Looked:
    """Keys and data are the node's user's alone."""
    keys = [
        settings.dicom.tls_key,
        getattr(settings.http, "tls_key", None),
        *(one.tls_key for one in settings.destination),
    ]
    open_keys = [str(path) for path in keys if path and _mode(path) & _OTHERS]
    if open_keys:
        return Looked(Verdict.FAILED, f"everybody may read the key {open_keys[0]}", f"chmod 600 {open_keys[0]}")
    folder = settings.node.data_dir
    if _mode(folder) & stat.S_IWOTH:
        return Looked(Verdict.FAILED, f"everybody may write in {folder}", f"chmod 750 {folder}")
    if left := _roots(folder):
        told = f"{left[0]} belongs to root and its folder does not: the node cannot write there"
        return Looked(Verdict.ATTENTION, told, f"chown -R --reference={folder} {left[0]}")
    if _mode(folder) & _OTHERS:
        told = f"everybody on this machine may look into {folder}, where patients' images lie"
        return Looked(Verdict.ATTENTION, told, f"chmod 750 {folder}")
    return Looked(Verdict.OK, f"{folder} and the keys are for the node's user")


def _roots(folder: Path) -> list[Path]:
    """What a command of root's left in the folder of the node's user."""
    with suppress(OSError):
        if folder.stat().st_uid != 0:
            found = sorted(one for one in folder.iterdir() if one.name != "lost+found")
            return [one for one in found if not one.name.startswith(".check-") and one.lstat().st_uid == 0]
    return []


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
