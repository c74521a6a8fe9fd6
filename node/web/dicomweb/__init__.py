"""DICOMweb (PS3.18): one file per transaction, and what the transactions share.

stow.py            Store: POST /studies
stow_files.py      … of DICOM files
stow_metadata.py   … of JSON or XML with bulk data
stow_desk.py       … what both share
store_response.py  what Store answers
qido.py            Search: studies, series, instances
wado.py            Retrieve, in all its files
metadata.py        … headers, as JSON or XML
instances.py       … DICOM files, one or many
frames.py          … single frames, as stored or encoded anew
bulkdata.py        … large values, and all pixels
rendered.py        … pictures and thumbnails
delete.py          Delete, for those who may
capabilities.py    what is offered, and what is not
edge.py            what those that read share
threads.py         who waits in which threads
syntaxes.py        transfer syntaxes and their media types
media.py           media types, and which one an answer of Store is to have
multipart.py       multipart/related, read as it comes
parts.py           multipart/related, written as it goes
"""

from starlette.routing import BaseRoute, Mount

from node.pipeline.archive import Archive
from node.pipeline.reception import Reception
from node.web.dicomweb.stow import store_routes
from node.web.dicomweb.wado import archive_routes

__all__ = ["archive_routes", "dicomweb_routes", "store_routes"]


def dicomweb_routes(reception: Reception | None, max_request: int, archive: Archive | None = None) -> list[BaseRoute]:
    """DICOMweb below /dicom-web: Store where the process receives, Search and Retrieve where it has an archive.

    `max_request` bounds the bytes of one Store request.
    """
    stores = store_routes(reception, max_request, retrieves=archive is not None) if reception else []
    reads = archive_routes(archive) if archive else []
    return [Mount("/dicom-web", routes=[*stores, *reads])]
