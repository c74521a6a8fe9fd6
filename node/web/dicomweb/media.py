"""Media types of requests and answers (PS3.18 8.7), read leniently: what clients send is rarely by the book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

from node.errors import NodeError

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
MULTIPART = "multipart/related"


class Refusal(NodeError):  # noqa: N818 # an answer rather than a fault of ours
    """A request that gets a status and a sentence, and nothing else."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True)
class MediaType:
    """A Content-Type: lower case, without its other parameters."""

    name: str  # "" when the client did not say, or not so that it can be read
    boundary: bytes = b""
    related: str = ""  # the type parameter of multipart/related (RFC 2387); "" where the client left it out
    transfer_syntax: str = ""  # its parameter (PS3.18 8.7.3.5.2); "" where the client left it out


def media_type(content_type: str) -> MediaType:
    """Read a Content-Type, parameters quoted or not."""
    try:
        name, options = parse_options_header(content_type)
    except (ValueError, LookupError, IndexError):  # characters or parameters (RFC 2231) that no header may have
        return MediaType("")
    related = options.get(b"type", b"").decode("latin-1").strip().lower()
    syntax = options.get(b"transfer-syntax", b"").decode("latin-1").strip()
    kind = name.decode("latin-1").strip().lower()
    return MediaType(kind, options.get(b"boundary", b""), related, "" if syntax == "*" else syntax)


def acceptable(accept: str, offered: Sequence[str]) -> str:
    """The offered media type that the client likes best; the first one where it likes none.

    An answer in a form that was not asked for is of more use than 406 once instances were stored.
    """
    best, liking = offered[0], 0.0
    for wanted in accept.split(","):
        name, quality = _wish(wanted)
        if name in offered and quality > liking:
            best, liking = name, quality
    return best


def _wish(wanted: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in wanted.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0.0
    return name, 1.0
