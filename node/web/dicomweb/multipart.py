"""multipart/related (RFC 2387) as it arrives: parts are passed on in pieces and never held whole."""

from __future__ import annotations

from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from node.web.dicomweb.media import Refusal

_MOST_HEADERS = 32  # of a part
_LONGEST_HEADER = 4096


class Parts(Protocol):
    """Who takes the parts."""

    def begin(self, content_type: str, location: str) -> None: ...
    def data(self, chunk: memoryview) -> None: ...
    def end(self) -> None: ...


class MultipartReader:
    """Cuts a body into its parts. Any body is safe: a malformed one is a Refusal."""

    def __init__(self, boundary: bytes, parts: Parts) -> None:
        """Raises Refusal for a boundary that cannot be one (RFC 2046 5.1.1)."""
        if not 0 < len(boundary) <= 200:
            raise Refusal(400, "multipart/related needs a boundary of 1 to 70 characters (RFC 2046 5.1.1)")
        self._parts = parts
        self._header, self._value = bytearray(), bytearray()
        self._content_type, self._location = "", ""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header_ends,
                "on_headers_finished": lambda: self._parts.begin(self._content_type, self._location),
                "on_part_data": lambda data, start, end: self._parts.data(memoryview(data)[start:end]),
                "on_part_end": self._parts.end,
                "on_end": self._end,
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_HEADER,
        )

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body. Raises Refusal when they are not multipart."""
        try:
            self._parser.write(chunk)
        except FormParserError as malformed:
            raise Refusal(400, "the body does not follow multipart/related (RFC 2046 5.1)") from malformed

    def finish(self) -> None:
        """The body ends here. Raises Refusal when its closing delimiter did not come."""
        if not self._ended:
            raise Refusal(400, "the body ends without the closing delimiter of its boundary (RFC 2046 5.1.1)")

    def _begin(self) -> None:
        self._content_type = self._location = ""

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-type":
            self._content_type = self._value.decode("latin-1")
        elif self._header.lower() == b"content-location":
            self._location = self._value.decode("latin-1").strip()
        self._header.clear()
        self._value.clear()

    def _end(self) -> None:
        self._ended = True
