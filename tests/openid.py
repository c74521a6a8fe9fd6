"""A small OpenID Connect provider: discovery, keys, code with PKCE, user info, logout; and how it lies."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.clock import Clock

SECRET = "between the node and its provider"


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})


@dataclass
class OpenId:
    """What it would say of whoever comes, and what of it is wrong."""

    clock: Clock
    client_id: str = "mricore-node"
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)  # of the user who signs in
    told_apart: dict[str, Any] = field(default_factory=dict)  # by UserInfo alone
    lie: dict[str, Any] = field(default_factory=dict)  # claims of ID tokens that are replaced
    key: RSAKey = field(default_factory=new_key)
    signs_with: RSAKey | None = None  # another key than it publishes
    algorithm: str = "RS256"
    denies: str = ""
    asked_for_keys: int = 0
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self._configuration),
            Route("/keys", self._keys),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Route("/user", self._user),
        ]

    def _configuration(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/user",
                "end_session_endpoint": f"{self.issuer}/logout",
            }
        )

    def _keys(self, _request: Request) -> Response:
        self.asked_for_keys += 1
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"]
        back = {"state": asked["state"], "error": self.denies}
        if not self.denies:
            code = secrets.token_urlsafe(8)
            self._codes[code] = asked
            back = {"state": asked["state"], "code": code}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)

    async def _token(self, request: Request) -> Response:
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{self.client_id}:{SECRET}".encode()).decode()
        challenge = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or request.headers.get("authorization") != f"Basic {basic}"
            or asked["redirect_uri"] != given.get("redirect_uri")
            or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": self._id_token(asked["nonce"])}
        )

    def _id_token(self, nonce: str) -> str:
        now = int(self.clock().timestamp())
        about = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 60, "nonce": nonce}
        key = self.signs_with or self.key
        told = {**about, **self.claims, **self.lie}
        if self.algorithm == "none":
            parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b'{"alg":"none"}', _json(told))]
            return ".".join([*parts, ""])
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, told, key)

    def _user(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer a":
            return Response(status_code=401)
        return JSONResponse({"sub": self.claims["sub"], **self.told_apart})


def _json(told: dict[str, Any]) -> bytes:
    return JSONResponse(told).body  # type: ignore[return-value] # bytes


@contextmanager
def provider(clock: Clock) -> Iterator[OpenId]:
    """On a port of its own."""
    made = OpenId(clock)
    config = uvicorn.Config(Starlette(routes=made.routes()), port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    made.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(60)
