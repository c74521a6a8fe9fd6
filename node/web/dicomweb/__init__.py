"""DICOMweb (PS3.18): one file per transaction, and what the transactions share.

stow.py            Store: POST /studies
store_response.py  what Store answers
media.py           media types, and which one an answer is to have
multipart.py       multipart/related, read as it comes
"""

from node.web.dicomweb.stow import store_routes

__all__ = ["store_routes"]
