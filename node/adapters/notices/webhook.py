"""A webhook: JSON by HTTPS POST, signed with a secret that both sides know (HMAC-SHA256, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from collections.abc import Callable
from datetime import datetime

import httpx

from node.adapters.notices.channel import Message
from node.errors import DestinationUnavailable

ID, TIME, SIGNATURE = "X-MRICORE-Id", "X-MRICORE-Timestamp", "X-MRICORE-Signature"
_RETRY_AFTER_AT_MOST = 3600.0


class Webhook:
    """Sends to one address. Anything but 2xx is a failure. Redirections are not followed: one host is to hear it."""

    def __init__(
        self,
        name: str,
        url: str,
        secret: str,
        clock: Callable[[], datetime],
        timeout_seconds: float = 30,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name, self._url, self._secret, self._clock = name, url, secret.encode(), clock
        self._timeout, self._tls = timeout_seconds, tls or ssl.create_default_context()

    def send(self, message: Message) -> None:
        """Raises DestinationUnavailable, with the seconds that the other side asked for."""
        body = json.dumps({"id": message.id, "subject": message.subject, "text": message.body, **message.facts})
        stamp = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            ID: message.id,
            TIME: stamp,
            SIGNATURE: signature(self._secret, stamp, body.encode()),
        }
        where = httpx.URL(self._url).host
        try:
            # A proxy from the environment would see the node's state
            with httpx.Client(
                verify=self._tls, timeout=self._timeout, follow_redirects=False, trust_env=False
            ) as client:
                answer = client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise DestinationUnavailable(f"{where} cannot be reached ({type(fault).__name__})") from fault
        if not answer.is_success:
            raise DestinationUnavailable(f"{where} answered {answer.status_code}", _seconds(answer))


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """sha256=HEX over the timestamp, a dot, and the body: an old message cannot be sent again as a new one."""
    return f"sha256={hmac.new(secret, stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def _seconds(answer: httpx.Response) -> float | None:
    said = answer.headers.get("Retry-After", "")
    return min(float(said), _RETRY_AFTER_AT_MOST) if said.isascii() and said.isdigit() else None
