"""The sections of node.toml that say who is let in, how the node is reached, and where its audit trail goes."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from node.config.sections import Bytes, Port, Section
from node.core.access import Role
from node.core.audit import Kept

_HOST = re.compile(r"[a-z0-9.:\[\]-]{1,255}", re.IGNORECASE)


def _reached(url: str) -> str:
    parts = urlsplit(url)
    whole = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) and parts.path in ("", "/")
    if url and (not whole or parts.query or parts.fragment):
        raise ValueError("is not a URL like https://mricore.hospital.example, without a path")
    return url.rstrip("/")


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as wrong:
        raise ValueError(f"{text!r} is neither an address nor a network like 10.0.0.0/24") from wrong
    return text


def _issuer(url: str) -> str:
    parts = urlsplit(url)
    here = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if url and not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        raise ValueError("is not a URL like https://login.hospital.example/realms/radiology")
    return url


def _collector(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme != "tls" or not parts.hostname or parts.path not in ("", "/")):
        raise ValueError('is not "tls://host:6514"')
    return url.rstrip("/")


class Http(Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    max_request: Bytes = 64 * 10**9  # of one STOW-RS request
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    public_url: Annotated[str, AfterValidator(_reached)] = ""  # "": whatever name it is asked under
    behind_proxy: bool = False  # whether a proxy in front speaks TLS
    proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()  # whose X-Forwarded-* are believed
    requests_per_second: float = Field(200, ge=0)  # of one client, to pages, API and DICOMweb; 0: as many as it likes
    burst: int = Field(2000, ge=1)  # that may come at once
    viewer: Path | None = None  # where OHIF lies; None: below data_dir


class Auth(Section):
    dicomweb: Literal["required", "open"] = "required"
    idle_minutes: float = Field(60, gt=0, le=24 * 60)  # a session without a request
    session_hours: float = Field(12, gt=0, le=7 * 24)  # any session
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] = ""  # "": local users only
    oidc_client_id: str = "mricore-node"
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_ca: Path | None = None  # authorities of the provider's certificate; None: the system's
    oidc_scope: str = "openid profile email"
    oidc_name_claim: str = "preferred_username"
    oidc_role_claim: str = "groups"
    oidc_roles: dict[str, Role] = Field(default_factory=dict)  # value of the claim → role; the highest counts
    oidc_sees_patients: tuple[str, ...] = ()  # values of the claim; empty: all whom it gives a role


class Audit(Section):
    syslog: Annotated[str, AfterValidator(_collector)] = ""  # "": the trail stays here
    syslog_ca: Path | None = None  # authorities of the collector's certificate; None: the system's
    syslog_certificate: Path | None = None  # ours, where it asks for one
    syslog_key: Path | None = None
    keeps: tuple[Kept, ...] = tuple(Kept)  # besides changes, sign-ins and refusals, which are kept in any case
