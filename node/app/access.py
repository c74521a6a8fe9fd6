"""Who is let in: users, sessions, tokens, a provider elsewhere, and the layer that asks them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import APIRouter

from node.adapters.database import Database
from node.adapters.oidc import Provider
from node.adapters.server_tls import Certificates
from node.app.clock import Clock
from node.config import Settings
from node.core.access.addresses import is_loopback
from node.core.access.secrets import Lifetime
from node.core.rates import Rates
from node.pipeline.access.hashing import Hashing
from node.pipeline.access.identify import Identify
from node.pipeline.access.oidc import Mapped, Oidc
from node.pipeline.access.people import People
from node.pipeline.access.reads import Reads
from node.pipeline.access.signing_in import SigningIn
from node.web.access import Access, guarded
from node.web.access.guard import Guard
from node.web.access.peers import Proxies
from node.web.api.access import access_routers

CALLBACK = "/admin/oidc/callback"


class Doors:
    """What a process needs to know who asks."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        """Build it; nothing is asked yet."""
        self._settings, self._database, self._clock = settings, database, clock
        auth = settings.auth
        self.lifetime = Lifetime(timedelta(minutes=auth.idle_minutes), timedelta(hours=auth.session_hours))
        self.people = People(database, clock, Hashing())
        self.signing_in = SigningIn(database, clock, self.people.hashing, self.people, self.lifetime)
        self.oidc = self._build_oidc()
        self.reads = Reads(database, clock, settings.audit.keeps)

    @property
    def local(self) -> bool:
        """Whether whoever is at this machine is let in while there is no user."""
        http, auth = self._settings.http, self._settings.auth
        return is_loopback(http.host) and not http.behind_proxy and not auth.oidc_issuer

    def layer(self) -> Access:
        """What is put around everything: who asks, and how often he may."""
        http = self._settings.http
        networks = [ipaddress.ip_network(one, strict=False) for one in http.proxies] if http.behind_proxy else []
        guard = Guard(
            self._database,
            self._clock,
            Identify(self._database, self._clock, self.lifetime),
            self.local,
            self._settings.auth.dicomweb == "open",
            Proxies(networks),
            urlsplit(http.public_url).netloc.lower(),
        )
        rates = Rates(http.requests_per_second, http.burst) if http.requests_per_second else None
        return guarded(guard, self.reads, rates)

    def routers(self) -> Sequence[APIRouter]:
        """What stands below /api/v1."""
        return access_routers(self.signing_in, self.oidc)

    def _build_oidc(self) -> Oidc | None:
        auth, reached = self._settings.auth, self._settings.http.public_url
        if not auth.oidc_issuer:
            return None
        provider = Provider(
            auth.oidc_issuer, auth.oidc_client_id, auth.oidc_client_secret.get_secret_value(), auth.oidc_scope,
            reached + CALLBACK, self._clock, auth.oidc_ca,
        )  # fmt: skip
        mapped = Mapped(auth.oidc_name_claim, auth.oidc_role_claim, auth.oidc_roles, auth.oidc_sees_patients)
        afterwards = reached + "/admin/sign-in"
        return Oidc(self._database, self._clock, provider, mapped, self.signing_in, afterwards)


def certificates_of(settings: Settings) -> Certificates | None:
    """Of the HTTP server; None where it speaks without TLS."""
    http = settings.http
    if not (http.tls_certificate and http.tls_key):
        return None
    return Certificates(http.tls_certificate, http.tls_key, keys="http.tls_certificate, http.tls_key")
