"""The OHIF viewer below /ohif/, where it is installed, and the way from a job to its picture: /view/jobs/{number}.

Without the viewer the way leads to a page of pictures that the node renders itself.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from node.core.states import JobState
from node.errors import NoSuch, StoreUnavailable
from node.pipeline.overlay import Find, Overlay
from node.web.access.headers import viewer_policy

BELOW = "/ohif/"
_HASHED = re.compile(r"(?:^|/)(?:[0-9a-f]{16}|[\w-]+\.bundle\.[0-9a-f]{16})\.\w+$")
_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8", ".json": "application/json",
    ".svg": "image/svg+xml", ".wasm": "application/wasm", ".woff2": "font/woff2", ".ico": "image/x-icon",
    ".png": "image/png", ".jpg": "image/jpeg",
}  # fmt: skip
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_NOT_INSTALLED = "The viewer is not installed. An administrator installs it with: mricore-node viewer install\n"

# What OHIF is told. Frames rather than whole files: it draws a BINARY SEG of a whole file wrongly when a frame does
# not end at the border of a byte. The data source is this server; no other is offered, and no tour.
_CONFIGURATION = {
    "name": "mricore-node",
    "routerBasename": BELOW,
    "extensions": [],
    "modes": [],
    "customizationService": {"ohif.tours": {"$set": []}},
    "showStudyList": True,
    "maxNumberOfWebWorkers": 3,
    "showLoadingIndicator": True,
    "showWarningMessageForCrossOrigin": False,
    "showCPUFallbackMessage": True,
    "strictZSpacingForVolumeViewport": True,
    "investigationalUseDialog": {"option": "always"},
    "defaultDataSourceName": "node",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "node",
            "configuration": {
                "friendlyName": "mricore-node",
                "name": "node",
                "qidoRoot": "/dicom-web",
                "wadoRoot": "/dicom-web",
                "wadoUriRoot": "/dicom-web",
                "qidoSupportsIncludeField": True,
                "supportsFuzzyMatching": True,
                "supportsWildcard": True,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "omitQuotationForMultipartRequest": True,
                "loadMultiframeAsPart10": False,
                "bulkDataURI": {"enabled": True},
            },
        }
    ],
}


def viewer_routes(folder: Path, find: Find) -> list[BaseRoute]:
    """`folder`: where `viewer install` puts it; whether it is there is seen at each request."""

    async def file(request: Request) -> Response:
        return await run_in_threadpool(_file, folder, request.path_params["path"], _takes_gzip(request))

    async def configuration(_request: Request) -> Response:
        script = f"window.config = {json.dumps(_CONFIGURATION)};\n"
        return Response(script, media_type="text/javascript", headers={**_SAFE, "Cache-Control": "no-cache"})

    async def view(request: Request) -> Response:
        return await run_in_threadpool(_view, folder, find, request.path_params["job_id"])

    async def slash(_request: Request) -> Response:
        return RedirectResponse(BELOW)

    return [
        Route("/ohif", slash),
        Route(f"{BELOW}app-config.js", configuration),
        Route(f"{BELOW}{{path:path}}", file),
        Route("/view/jobs/{job_id:int}", view),
    ]


def link(overlay: Overlay) -> str:
    """Where the viewer shows it at once, with no click. The series of the segmentation is the one to begin with:
    naming an image or a protocol as well would lose the overlay."""
    asked = {"StudyInstanceUIDs": overlay.study}
    if overlay.segmentation_series:
        asked["initialSeriesInstanceUID"] = overlay.segmentation_series
    return f"{BELOW}viewer?{urlencode(asked)}"


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "").lower()


def _file(folder: Path, path: str, gzipped: bool) -> Response:
    """A file of the viewer; its first page for an address that only the viewer's own router knows."""
    root = folder.resolve()
    if not (root / "index.html").is_file():
        return PlainTextResponse(_NOT_INSTALLED, 404, headers=_SAFE)
    if "\0" in path:
        return PlainTextResponse("There is no such file.\n", 404, headers=_SAFE)
    wanted = (root / path).resolve()
    if not wanted.is_relative_to(root) or not _is_there(wanted):
        if "." in path.rpartition("/")[2]:
            return PlainTextResponse("There is no such file.\n", 404, headers=_SAFE)
        wanted = root / "index.html"
    name = wanted.relative_to(root).as_posix()
    headers = {**_SAFE, "Cache-Control": _FOR_EVER if _HASHED.search(name) else "no-cache", "Vary": "Accept-Encoding"}
    if wanted.suffix == ".html":
        headers["Content-Security-Policy"] = viewer_policy(wanted.read_text(encoding="utf-8"))
    packed = wanted.with_name(f"{wanted.name}.gz")
    media_type = _TYPES.get(wanted.suffix, "application/octet-stream")
    if gzipped and packed.is_file():
        return FileResponse(packed, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})
    return FileResponse(wanted, media_type=media_type, headers=headers)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is longer than any file's
        return False


def _view(folder: Path, find: Find, job_id: int) -> Response:
    try:
        overlay = find(job_id)
    except NoSuch as missing:
        return PlainTextResponse(f"{missing}\n", 404, headers=_SAFE)
    except StoreUnavailable as fault:
        return PlainTextResponse(f"{fault}\n", 503, headers={**_SAFE, "Retry-After": "5"})
    is_found = overlay.segmentation and overlay.images and overlay.state != JobState.SUPERSEDED
    if is_found and (folder / "index.html").is_file():
        return RedirectResponse(link(overlay), 303)  # searches hide what was replaced: the viewer would show no overlay
    policy = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
    return HTMLResponse(
        _page(overlay), headers={**_SAFE, "Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    )


def _page(overlay: Overlay) -> str:
    """Slices of the series with the segmentation burnt in, for who has no viewer. Free of patient data."""
    title = f"Job {overlay.job_id}: {escape(overlay.model)}"
    pictures = "\n".join(
        f'<img src="{escape(_picture(overlay, one))}" alt="slice {number} of {len(overlay.images)}" loading="lazy">'
        for number, one in enumerate(overlay.images, 1)
    )
    said = escape(f"{overlay.state.replace('_', ' ')}: {overlay.reason}".rstrip(": "))
    missing = "" if overlay.images else "<p>There are no images of it here any more, or none yet.</p>"
    if overlay.is_missing:
        missing += "<p>Its segmentation is not in these pictures: it was removed, or is not in the index yet.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }}
main {{ display: grid; gap: .5rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }}
img {{ background: #000; display: block; width: 100%; }}
</style></head>
<body><h1>{title}</h1><p>{said}</p>{missing}
<main>
{pictures}
</main>
<p>Made by a model and not verified by a person. Not for diagnosis on its own.</p>
<p><a href="/admin/jobs/{overlay.job_id}">Every slice, measurements and what happened</a></p></body></html>
"""


def _picture(overlay: Overlay, image: str) -> str:
    asked = {"viewport": "384,384", **({"overlay": overlay.segmentation} if overlay.segmentation else {})}
    where = f"/dicom-web/studies/{overlay.study}/series/{overlay.series}/instances/{image}/rendered"
    return f"{where}?{urlencode(asked)}"
