"""DICOMweb (PS3.18): one file per transaction, and what the transactions share.

stow.py            Store: POST /studies
store_response.py  what Store answers
media.py           media types, and which one an answer is to have
multipart.py       multipart/related, read as it comes
"""

from starlette.routing import BaseRoute, Mount

from node.pipeline.reception import Reception
from node.web.dicomweb.stow import store_routes

__all__ = ["dicomweb_routes", "store_routes"]


def dicomweb_routes(reception: Reception, max_request: int) -> list[BaseRoute]:
    """DICOMweb below /dicom-web. `max_request` bounds the bytes of one Store request."""
    return [Mount("/dicom-web", routes=store_routes(reception, max_request))]
