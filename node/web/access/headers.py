"""The security headers of every answer; a handler's own are left as they are."""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders

# Nothing of an answer that is data is ever run, framed or fetched from.
_DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGES = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
_INLINE = re.compile(r"<script(?![^>]*\bsrc\b)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}
_YEAR_S = 31_536_000


def viewer_policy(page: str = "") -> str:
    """OHIF compiles WebAssembly (codecs) and functions, starts workers from blobs, and writes styles into its elements.

    The scripts inside its `page` are allowed by their digests, and no others.
    """
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _INLINE.findall(page))
    inline = "".join(f" 'sha256-{one}'" for one in digests)
    return (
        f"default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' blob:{inline}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self' blob: data:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'self'"
    )


def secure(headers: MutableHeaders, path: str, *, encrypted: bool) -> None:
    """Add what is missing."""
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _policy(path))
    if path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
    if path.startswith("/dicom-web/"):
        headers.setdefault("Cache-Control", "private")
    if headers.get("Cache-Control", "").startswith("private"):  # nor is it shown to who signs in next at this browser
        headers.append("Vary", "Authorization, Cookie")
    if encrypted:
        headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_S}")


def _policy(path: str) -> str:
    if path.startswith("/ohif/"):
        return viewer_policy()
    if path.startswith(("/admin/", "/view/")):
        return _PAGES
    return f"{_DATA}; sandbox" if path.startswith("/dicom-web/") else _DATA
