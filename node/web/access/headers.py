"""The security headers of every answer; a handler's own are left as they are."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

# Nothing of an answer that is data is ever run, framed or fetched from.
_DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGES = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
# OHIF compiles WebAssembly (codecs), starts workers from blobs, and writes styles into its elements.
OHIF = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}
_YEAR_S = 31_536_000


def secure(headers: MutableHeaders, path: str, *, encrypted: bool) -> None:
    """Add what is missing."""
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _policy(path))
    if path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
    if path.startswith("/dicom-web/"):
        headers.setdefault("Cache-Control", "private")
        headers.append("Vary", "Authorization, Cookie")
    if encrypted:
        headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_S}")


def _policy(path: str) -> str:
    if path.startswith("/ohif/"):
        return OHIF
    if path.startswith(("/admin/", "/view/")):
        return _PAGES
    return f"{_DATA}; sandbox" if path.startswith("/dicom-web/") else _DATA
