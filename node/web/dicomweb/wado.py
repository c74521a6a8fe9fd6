"""All transactions that read, and their order: the more a path says, the earlier it is looked at."""

from __future__ import annotations

from starlette.routing import Route

from node.pipeline.archive import Archive
from node.web.dicomweb.bulkdata import bulk_routes
from node.web.dicomweb.capabilities import capability_routes
from node.web.dicomweb.delete import delete_routes
from node.web.dicomweb.frames import frame_routes
from node.web.dicomweb.instances import instance_routes
from node.web.dicomweb.metadata import metadata_routes
from node.web.dicomweb.qido import search_routes
from node.web.dicomweb.rendered import rendered_routes


def archive_routes(archive: Archive) -> list[Route]:
    """Search, Retrieve, Delete, capabilities."""
    found = [
        *frame_routes(archive),
        *metadata_routes(archive),
        *search_routes(archive),
        *instance_routes(archive),
        *rendered_routes(archive),
        *bulk_routes(archive),
        *delete_routes(archive.erasing),
    ]
    return [*capability_routes(found), *found]
