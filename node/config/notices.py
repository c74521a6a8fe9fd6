"""The sections of node.toml about telling people, and about traces for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from node.config.sections import Port, Section, Window

Cause = Literal[
    "*", "residue", "waiting", "destination", "disk", "certificate", "model", "server", "replica", "failed", "held",
    "source",
]  # fmt: skip


class Notices(Section):
    check_seconds: float = Field(30, gt=0)
    patience_seconds: float = Field(60, ge=0)  # what is over by then was nothing
    digest_minutes: float = Field(30, ge=0)  # a cause is told at most once in so long; what comes meanwhile, together
    remind_hours: float = Field(24, ge=0)  # of what nobody acknowledged; 0: never
    waiting_minutes: float = Field(60, gt=0)  # of the oldest job
    destination_minutes: float = Field(15, gt=0)  # for which one did not answer
    disk_days: float = Field(7, ge=0)  # until it is full
    certificate_days: int = Field(30, ge=0)
    templates: str = ""  # a folder with texts that take the place of the shipped ones; "": none
    link: str = ""  # where this node's pages are to be had, as in https://node.example
    accession: bool = False  # whether messages of rules tell accession numbers


class Notify(Section):
    name: str = Field(min_length=1, max_length=64)  # what rules write under notify
    kind: Literal["email", "webhook"]
    causes: tuple[Cause, ...] = ("*",)  # of the node's own; none: only what rules say
    minimum: Literal["info", "warning", "critical"] = "warning"
    quiet: tuple[Window, ...] = ()  # times of day, local, without messages that are not critical or of stat jobs
    timeout_seconds: float = Field(30, gt=0)
    tls_ca: Path | None = None  # none: the system's authorities
    # Of kind email.
    to: tuple[str, ...] = ()
    sender: str = ""
    host: str = ""
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    # Of kind webhook.
    url: str = ""
    secret: SecretStr = SecretStr("")  # both sides know it: HMAC-SHA256

    @model_validator(mode="after")
    def _whole(self) -> Notify:
        if self.kind == "email" and not (self.to and self.sender and self.host):
            raise ValueError("a notify of kind email needs host, sender and to")
        if self.kind == "email" and self.security == "none" and self.user:
            raise ValueError("user and password would go in clear: set security to starttls or tls")
        if self.kind == "webhook":
            _demand_https(self.url)
            if len(self.secret.get_secret_value()) < _SHORTEST_SECRET:
                raise ValueError(f"a notify of kind webhook needs a secret of {_SHORTEST_SECRET} characters or more")
        foreign = self.model_fields_set & (_OF_WEBHOOK if self.kind == "email" else _OF_EMAIL)
        if foreign:
            raise ValueError(f"a notify of kind {self.kind} has no {min(foreign)}")
        return self


_OF_EMAIL = frozenset({"to", "sender", "host", "port", "security", "user", "password"})
_OF_WEBHOOK = frozenset({"url", "secret"})
_SHORTEST_SECRET = 16
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _demand_https(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as wrong:
        raise ValueError("url is no URL") from wrong
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise ValueError("url must be https://… ; http only on this machine")
    if parts.username or parts.password:
        raise ValueError("url names a user: the secret signs each message instead")


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("is no URL like http://127.0.0.1:4318")
    return text


Address = Annotated[str, AfterValidator(_address)]


class Telemetry(Section):
    endpoint: Address = ""  # of OTLP over HTTP, as in http://collector:4318; "": no traces
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    share: float = Field(1.0, ge=0, le=1)  # of all series that are traced
