"""An OpenID Connect provider, as a relying party asks it: authorization code with PKCE (OpenID Connect Core 3.1).

What it answers is believed only where it is signed by its keys, for us, for this sign-in, and now.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from node.errors import NotSignedIn, SourceUnavailable

_TIMEOUT_S = 10.0
_LARGEST = 1 << 20  # bytes of an answer
_LEEWAY_S = 60
_KEYS_COUNT_S, _KEYS_REST_S = 3600.0, 30.0  # how long keys are kept, and how soon unknown ones are looked for again
_SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_FAR = "the sign-in service"


@dataclass(frozen=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and what must be known when it comes back."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Claims:
    """What the provider says of somebody."""

    subject: str
    values: Mapping[str, Any]
    id_token: str


@dataclass
class Provider:
    """Its addresses and keys are asked for when they are needed, and again when they change."""

    issuer: str
    client_id: str
    client_secret: str
    scope: str
    redirect_uri: str
    clock: Callable[[], datetime]
    authorities: Path | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: Mapping[str, Any] | None = None
    _known_at: float = 0
    _keys: KeySet | None = None
    _keys_at: float = 0

    def begin(self, state: str, nonce: str, verifier: str) -> Begun:
        """Where to sign in. Raises SourceUnavailable."""
        with self._session() as session:
            address, _ = session.create_authorization_url(
                self._address("authorization_endpoint"), state=state, code_verifier=verifier, nonce=nonce
            )
        return Begun(str(address), state, nonce, verifier)

    def finish(self, code: str, nonce: str, verifier: str) -> Claims:
        """Who signed in. Raises NotSignedIn when it cannot be believed, SourceUnavailable."""
        with self._session() as session:
            try:
                answer = session.fetch_token(
                    self._address("token_endpoint"), grant_type="authorization_code", code=code,
                    code_verifier=verifier, redirect_uri=self.redirect_uri, timeout=_TIMEOUT_S, allow_redirects=False,
                )  # fmt: skip
                id_token = str(answer.get("id_token", ""))
                claims = self._read(id_token, nonce)
                values = {**self._told_of_user(str(answer.get("access_token", "")), claims), **claims}
            except requests.RequestException as gone:
                raise SourceUnavailable(f"{_FAR} does not answer ({type(gone).__name__})") from gone
            except (AuthlibBaseError, ValueError, TypeError, AttributeError) as wrong:
                raise NotSignedIn(f"{_FAR} did not accept the code ({type(wrong).__name__})") from wrong
        return Claims(str(claims["sub"]), values, id_token)

    def logout_address(self, id_token: str, afterwards: str) -> str | None:
        """Where its session ends too (RP-Initiated Logout 1.0); None where it has no such place."""
        try:
            there = self._metadata().get("end_session_endpoint")
        except SourceUnavailable:
            return None
        if not isinstance(there, str) or urlsplit(there).scheme not in ("https", "http"):
            return None
        asked = {"id_token_hint": id_token, "post_logout_redirect_uri": afterwards, "client_id": self.client_id}
        return f"{there}{'&' if '?' in there else '?'}{urlencode(asked)}"

    def _read(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core 3.1.3.7)."""
        try:
            token = self._decoded(id_token)
            now = int(self.clock().timestamp())
            demanded = jwt.JWTClaimsRegistry(
                now=now,
                leeway=_LEEWAY_S,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            demanded.validate(token.claims)
        except (JoseError, ValueError, TypeError, KeyError) as wrong:
            raise NotSignedIn(f"what {_FAR} says cannot be believed ({type(wrong).__name__})") from wrong
        several = isinstance(token.claims["aud"], list) and len(token.claims["aud"]) > 1
        if several and token.claims.get("azp") != self.client_id:
            raise NotSignedIn(f"what {_FAR} says is for another service")
        return dict(token.claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._key_set(), algorithms=_SIGNED_BY)
        except (JoseError, ValueError):
            with self._lock:  # keys rotate: what is signed by an unknown one is read with those of today
                if self.clock().timestamp() - self._keys_at >= _KEYS_REST_S:
                    self._keys = None
            return jwt.decode(id_token, self._key_set(), algorithms=_SIGNED_BY)

    def _told_of_user(self, access_token: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """What its UserInfo says, where it has one; only of whom the ID token is."""
        there = self._metadata().get("userinfo_endpoint")
        if not isinstance(there, str) or not access_token:
            return {}
        told = self._asked(there, {"Authorization": f"Bearer {access_token}"})
        return told if told.get("sub") == claims["sub"] else {}

    def _key_set(self) -> KeySet:
        with self._lock:
            now = self.clock().timestamp()
            if self._keys is None or now - self._keys_at > _KEYS_COUNT_S:
                told = self._asked(self._address("jwks_uri"))
                self._keys, self._keys_at = KeySet.import_key_set(told), now  # type: ignore[arg-type]
            return self._keys

    def _address(self, name: str) -> str:
        there = self._metadata().get(name)
        if not isinstance(there, str) or urlsplit(there).scheme not in ("https", "http"):
            raise SourceUnavailable(f"{_FAR} does not tell its {name}")
        return there

    def _metadata(self) -> Mapping[str, Any]:
        """OpenID Connect Discovery 1.0."""
        now = self.clock().timestamp()
        if self._known is None or now - self._known_at > _KEYS_COUNT_S:
            told = self._asked(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != self.issuer:
                raise SourceUnavailable(f"{_FAR} calls itself otherwise than auth.oidc_issuer does")
            self._known, self._known_at = told, now
        return self._known

    def _asked(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        trusted = str(self.authorities) if self.authorities else True
        try:
            answer = requests.get(
                address, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False, stream=True, verify=trusted
            )
            with answer:
                if answer.status_code != 200:
                    raise SourceUnavailable(f"{_FAR} answers {answer.status_code}")
                return _json(answer)
        except requests.RequestException as gone:
            raise SourceUnavailable(f"{_FAR} does not answer ({type(gone).__name__})") from gone

    def _session(self) -> OAuth2Session:
        session = OAuth2Session(
            self.client_id, self.client_secret or None, scope=self.scope, redirect_uri=self.redirect_uri,
            code_challenge_method="S256", default_timeout=_TIMEOUT_S,
            token_endpoint_auth_method="client_secret_basic" if self.client_secret else "none",
        )  # fmt: skip
        if self.authorities:
            session.verify = str(self.authorities)
        return session


def _json(answer: requests.Response) -> dict[str, Any]:
    """An object, and not without end. Raises SourceUnavailable."""
    content = b""
    for chunk in answer.iter_content(65536):
        content += chunk
        if len(content) > _LARGEST:
            raise SourceUnavailable(f"{_FAR} answers too much")
    try:
        told = json.loads(content)
    except ValueError as wrong:
        raise SourceUnavailable(f"{_FAR} answers what is not JSON") from wrong
    return told if isinstance(told, dict) else {}
