"""Rule files as they are, to be kept elsewhere."""

from __future__ import annotations

import io
import zipfile
from typing import Annotated

from fastapi import APIRouter, Query, Response

from node.pipeline.rule_sets.versions import Versions
from node.web.api.rules.who import Reader

_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows: the same files are the same bytes


def add_files(router: APIRouter, versions: Versions) -> None:
    """What a person takes away."""

    @router.get(
        "/export",
        summary="The files of a version, or of what is in use, byte for byte, in one archive",
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}}},
    )
    def export(actor: Reader, version: Annotated[str | None, Query(max_length=64)] = None) -> Response:
        found, files = versions.files(version)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                archive.writestr(zipfile.ZipInfo(name, _DAY), files[name].encode("utf-8"), zipfile.ZIP_DEFLATED)
        named = {"Content-Disposition": f'attachment; filename="rules-{found[:12]}.zip"'}
        return Response(content.getvalue(), media_type="application/zip", headers=named)
