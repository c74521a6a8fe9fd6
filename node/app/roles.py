"""Roles: what one process of a node does, where several share one database and one store."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Every process has HTTP with /healthz, /readyz and /metrics."""

    ALL = "all"
    RECEIVE = "receive"  # DICOM listener, STOW-RS, feeds, MPPS, storage commitment
    WORK = "work"  # rules, clerk, Triton, workers, delivery
    WEB = "web"  # pages, REST, DICOMweb

    @property
    def receives(self) -> bool:
        return self in (Role.ALL, Role.RECEIVE)

    @property
    def works(self) -> bool:
        return self in (Role.ALL, Role.WORK)

    @property
    def shows(self) -> bool:
        return self in (Role.ALL, Role.WEB)
