"""Every address that is read: of the API as its description lists them, of DICOMweb, and what machines look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

_ALIKE: Mapping[str, tuple[str, ...]] = {  # the same address, asked in other ways
    "/api/v1/jobs": (
        *(f"state={state}" for state in ("completed", "failed", "scheduled", "canceled", "held", "in_progress")),
        *("model=mri_core_head", "model=nobody", "destination=pacs", "destination=nobody", "priority=stat"),
        *("state=failed&model=mri_core_head", "text=sato", "text=nobody", "text=A17", "before=1000"),
        "state=completed&destination=nobody",
    ),
    "/api/v1/audit": ("by=nobody", "what=job.retry", "on=nobody", "before=10"),
    "/api/v1/notices": ("open_only=true",),
}
_LEFT_OUT = frozenset({
    "/api/v1/board/events",  # a stream
    "/api/v1/support", "/api/v1/audit/check", "/api/v1/audit/export",  # look at everything, as they are asked to
})  # fmt: skip


def addresses(client: httpx.Client) -> Iterator[str]:
    """Of a node that runs. `{}` is another number each time."""
    yield from ("/metrics", "/readyz", "/healthz", "/dicom-web/studies?limit=50")
    yield from (f"/dicom-web/{level}?limit=50" for level in ("series", "instances"))
    yield from (f"/dicom-web/studies?{asked}" for asked in ("PatientName=Y*", "PatientID=P7", "StudyDate=20261101-"))
    values = _values(client)
    described: Mapping[str, Any] = client.get("/api/openapi.json").json()["paths"]
    for path, methods in described.items():
        address = f"/api{path}"
        if "get" not in methods or address in _LEFT_OUT:
            continue
        named = {"sources": "SCANNER1", "models": "mri_core_head"}.get(path.split("/")[2], "pacs")
        for name, value in {**values, "name": named}.items():
            address = address.replace(f"{{{name}}}", value)
        required = {one["name"]: one for one in methods["get"].get("parameters", ()) if one["in"] == "query"}
        asked = [f"{name}={quote(values[name])}" for name, one in required.items() if one["required"]]
        yield f"{address}?{'&'.join(asked)}" if asked else address
        yield from (f"{address}?{more}" for more in _ALIKE.get(address, ()))


def _values(client: httpx.Client) -> Mapping[str, str]:
    """Of what stands in the addresses."""
    causes = client.get("/api/v1/inbox").json()
    version = client.get("/api/v1/rules").json()["publication"]["version"]
    return {
        "job_id": "{}",
        "uid": "1.2.3.4.{}",
        "series": "1.2.3.4.{}",
        "number": "1",
        "kind": "SEG",
        "cause": quote(causes[0]["cause"] if causes else "none", safe=""),
        "version": version,
        "one": version,
        "simulation": "1",
        "attribute": "Modality",
    }
