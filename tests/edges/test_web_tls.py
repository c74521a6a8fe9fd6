"""HTTP over TLS: the cookie's name, and a certificate that is exchanged while connections come in."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from node.config import load
from node.core.access import Role
from node.errors import BadConfiguration
from tests.certificates import Authority
from tests.doors import PASSWORD, house
from tests.receiving import Store


def serial(port: int, context: ssl.SSLContext) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        return str((secured.getpeercert() or {})["serialNumber"])


def test_over_tls_the_cookie_is_bound_to_this_host_and_a_new_certificate_needs_no_restart(
    store: Store, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("web")
    http = {"tls_certificate": str(certificate), "tls_key": str(key)}
    trusted = ssl.create_default_context(cafile=str(authority.file))
    with house(store, tmp_path, http=http) as home:
        home.add("anna", Role.ADMIN)
        with httpx.Client(base_url=home.url, verify=trusted, trust_env=False, timeout=60) as client:
            answer = client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
            (cookie,) = answer.headers.get_list("set-cookie")
            assert cookie.startswith("__Host-mricore-session=")
            assert {"secure", "httponly", "path=/", "samesite=strict"} <= {
                part.strip().lower() for part in cookie.split(";")
            }
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            port = int(home.url.rsplit(":", 1)[1])
            before = serial(port, trusted)
            for made, there in zip(authority.issue("newer"), (certificate, key), strict=True):
                shutil.copyfile(made, there)
            after = serial(port, trusted)
            assert after != before
            key.write_text("half a file")
            assert serial(port, trusted) == after  # the last good one stays
            assert client.get("/healthz").status_code == 200
        old = ssl.create_default_context(cafile=str(authority.file))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("AES128-SHA")
        with pytest.raises(ssl.SSLError):
            serial(port, old)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[http]\nhost = '0.0.0.0'", "http.host", "clear text"),
        ("[http]\nhost = '10.0.0.1'\ntls_certificate = 'x'", "http.tls_certificate", "http.tls_key"),
        ("[http]\nbehind_proxy = true", "http.proxies", "proxy"),
        ("[http]\nproxies = ['10.0.0.1']", "http.proxies", "behind_proxy"),
        ("[http]\nproxies = ['the proxy']\nbehind_proxy = true", "http.proxies", "address"),
        ("[http]\npublic_url = 'node.example'", "http.public_url", "https://"),
        ("[http]\npublic_url = 'https://node.example/below'", "http.public_url", "without a path"),
        ("[auth]\noidc_issuer = 'https://login.example'", "http.public_url", "needs it"),
        ("[auth]\noidc_issuer = 'http://login.example'", "auth.oidc_issuer", "https://"),
        ("[auth]\noidc_roles = {staff = 'king'}", "auth.oidc_roles.staff", "viewer"),
        ("[auth]\ndicomweb = 'sometimes'", "auth.dicomweb", "open"),
        ("[audit]\nsyslog = 'udp://collector'", "audit.syslog", "tls://host:6514"),
        ("[audit]\nsyslog = 'tls://collector'\nsyslog_key = 'x'", "audit.syslog_certificate", "syslog_key"),
    ],
)
def test_what_would_let_others_in_is_refused_with_the_cure(tmp_path: Path, text: str, key: str, words: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text)
    with pytest.raises(BadConfiguration) as wrong:
        load(path, {})
    assert key in wrong.value.where
    assert words in str(wrong.value)


@pytest.mark.parametrize(
    "text",
    [
        "[http]\nhost = '0.0.0.0'\ntls_certificate = 'x'\ntls_key = 'y'",
        "[http]\nhost = '0.0.0.0'\nbehind_proxy = true\nproxies = ['10.0.0.0/24']",
        "[http]\nhost = 'localhost'",
        "[http]\nhost = '::1'",
    ],
)
def test_loopback_tls_and_a_proxy_are_enough(tmp_path: Path, text: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text)
    assert load(path, {}).http.port == 8080
