"""What contradicts itself in how the node is reached and who is let in."""

from __future__ import annotations

from node.config.access import Audit, Auth, Http
from node.config.settings import Settings
from node.core.access.addresses import is_loopback
from node.errors import BadConfiguration


def check_access(where: str, settings: Settings) -> None:
    """Raises BadConfiguration that names the file and the key."""
    _check_http(where, settings.http)
    _check_oidc(where, settings.auth, settings.http)
    _check_audit(where, settings.audit)


def _check_http(where: str, http: Http) -> None:
    pair = "http.tls_certificate and http.tls_key"
    if (http.tls_certificate is None) != (http.tls_key is None):
        raise BadConfiguration(f"{where}: http.tls_certificate", f"TLS needs {pair}")
    if not is_loopback(http.host) and not http.tls_certificate and not http.behind_proxy:
        what = f"{http.host} is not loopback, and passwords and patients would cross the network in clear text"
        cure = f"Set {pair}, or http.behind_proxy = true and http.proxies where a proxy in front speaks TLS"
        raise BadConfiguration(f"{where}: http.host", what, cure)
    if http.behind_proxy and not http.proxies:
        cure = "List the addresses from which it connects"
        raise BadConfiguration(f"{where}: http.proxies", "http.behind_proxy needs to know the proxy", cure)
    if http.proxies and not http.behind_proxy:
        raise BadConfiguration(f"{where}: http.proxies", "nobody is believed without http.behind_proxy = true")


def _check_oidc(where: str, auth: Auth, http: Http) -> None:
    if not auth.oidc_issuer:
        return
    if not http.public_url:
        cure = "Set it to where browsers reach this node: the provider sends them back there"
        raise BadConfiguration(f"{where}: http.public_url", "auth.oidc_issuer needs it", cure)
    if not auth.oidc_roles:
        cure = 'Write, for example, oidc_roles = {"radiology-it" = "admin"}'
        raise BadConfiguration(f"{where}: auth.oidc_roles", "nobody who signs in there would have a role", cure)


def _check_audit(where: str, audit: Audit) -> None:
    if (audit.syslog_certificate is None) != (audit.syslog_key is None):
        raise BadConfiguration(
            f"{where}: audit.syslog_certificate", "a certificate needs audit.syslog_key, and it needs it"
        )
