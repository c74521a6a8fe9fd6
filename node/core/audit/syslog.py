"""A syslog message around a DICOM audit message (RFC 5424; PS3.15 A.6)."""

from __future__ import annotations

from datetime import UTC, datetime

_PRIORITY = 10 * 8 + 5  # security and authorization; notice
_MESSAGE_ID = "DICOM+RFC3881"  # PS3.15 A.6
_BOM = b"\xef\xbb\xbf"


def syslog(at: datetime, host: str, process: str, sequence: int, xml: bytes) -> bytes:
    """`sequence` tells a message that was sent twice from two (RFC 5424 7.3.1)."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    number = f'[meta sequenceId="{1 + (sequence - 1) % 2147483647}"]' if sequence > 0 else "-"
    head = f"<{_PRIORITY}>1 {moment} {_name(host, 255)} mricore-node {_name(process, 128)} {_MESSAGE_ID} {number} "
    return head.encode("ascii") + _BOM + xml


def framed(message: bytes) -> bytes:
    """Counted in octets (RFC 5425 4.3)."""
    return f"{len(message)} ".encode("ascii") + message


def _name(text: str, longest: int) -> str:
    """Printable ASCII without spaces (RFC 5424 6)."""
    return "".join(letter for letter in text if "!" <= letter <= "~")[:longest] or "-"
