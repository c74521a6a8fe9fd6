"""Files that pages need, held in memory and served under an address that names their content.

One digest stands for all of them, so that a file may name its neighbour; browsers keep them for ever.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from node.web.pages.security import SAFE

FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
_FOR_EVER = "public, max-age=31536000, immutable"
_SMALL = 512  # bytes, below which packing does not pay


@dataclass(frozen=True)
class _File:
    content: bytes
    packed: bytes | None
    media_type: str


class Static:
    """The files below static/ whose kind is known; others are not served."""

    @cached_property
    def _files(self) -> dict[str, _File]:
        found = sorted(path for path in FOLDER.rglob("*") if path.suffix in _TYPES)
        return {path.relative_to(FOLDER).as_posix(): _file(path) for path in found}

    @cached_property
    def digest(self) -> str:
        """Of every file and its name."""
        whole = hashlib.sha256()
        for name, file in self._files.items():
            whole.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
        return whole.hexdigest()[:16]

    def address(self, name: str) -> str:
        """Where a file is to be had. Raises KeyError for one that is not there."""
        self._files[name]
        return f"/admin/static/{self.digest}/{name}"

    def serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("There is no such file.\n", 404, headers=dict(SAFE))
        known = request.path_params["digest"] == self.digest  # an older page asks for what it knew
        headers = {**SAFE, "Cache-Control": _FOR_EVER if known else "no-cache", "Vary": "Accept-Encoding"}
        if file.packed and "gzip" in request.headers.get("accept-encoding", "").lower():
            return Response(file.packed, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})
        return Response(file.content, media_type=file.media_type, headers=headers)


def _file(path: Path) -> _File:
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0) if len(content) > _SMALL else None
    return _File(content, packed, _TYPES[path.suffix])
