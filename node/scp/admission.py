"""Who may send: called AE title, calling AE title and host of an association request (PS3.8 9.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A modality or PACS that may send."""

    name: str
    ae_title: str
    hosts: tuple[str, ...]  # addresses; empty: from anywhere


@dataclass(frozen=True)
class Refusal:
    """A-ASSOCIATE-RJ: result, source and reason as PS3.8 table 9-21 numbers them, and a sentence for people."""

    result: int
    source: int
    diagnostic: int
    sentence: str


_CALLING_NOT_RECOGNISED = (0x01, 0x01, 0x03)
_CALLED_NOT_RECOGNISED = (0x01, 0x01, 0x07)


@dataclass(frozen=True)
class Admission:
    """The site's policy."""

    ae_title: str
    anybody: bool  # dicom.accept = "any"
    sources: Sequence[Source]

    def judge(self, *, called_ae: str, calling_ae: str, host: str) -> Refusal | None:
        """None when the association may be accepted."""
        if called_ae.strip() != self.ae_title:
            return Refusal(*_CALLED_NOT_RECOGNISED, "the called AE title is not this node's")
        if self.anybody:
            return None
        named = [source for source in self.sources if source.ae_title == calling_ae.strip()]
        if not named:
            return Refusal(*_CALLING_NOT_RECOGNISED, "the calling AE title is not listed as a source")
        if not any(not source.hosts or host in source.hosts for source in named):
            return Refusal(*_CALLING_NOT_RECOGNISED, "the calling AE title is listed, but not with this host")
        return None
