"""Who may do what: roles, rights, and the one table between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """What a request may need. An API token is given some of them as its scopes."""

    READ = "read"
    STORE = "store"  # instances, by STOW-RS
    OPERATE = "operate"  # retry, cancel, reroute, pause, admit a sender
    WRITE_RULES = "write_rules"
    APPROVE = "approve"  # a rule set that another person proposed
    ADMINISTER = "administer"  # users, sources, destinations, models


class Role(StrEnum):
    """What a person is, from the one who looks to the one who runs the node."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    AUTHOR = "author"
    APPROVER = "approver"
    ADMIN = "admin"


_VIEWER = frozenset({Right.READ})
_OPERATOR = _VIEWER | {Right.STORE, Right.OPERATE}
_AUTHOR = _OPERATOR | {Right.WRITE_RULES}
_APPROVER = _AUTHOR | {Right.APPROVE}

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.AUTHOR: _AUTHOR,
    Role.APPROVER: _APPROVER,
    Role.ADMIN: _APPROVER | {Right.ADMINISTER},
}


@dataclass(frozen=True)
class Actor:
    """Who asks."""

    name: str  # what histories and the audit trail call it
    role: Role
    sees_patients: bool  # False: names and other identifiers are masked, and DICOMweb is closed
    scopes: frozenset[Right] | None = None  # of a token: it may no more than these; None: all that the role may
    address: str = ""  # where the request came from
    session: str = ""  # digest of the session, of somebody who signed in

    @property
    def in_person(self) -> bool:
        """Whether somebody signed in, and not a program with a token."""
        return self.scopes is None

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role] and (self.scopes is None or right in self.scopes)


LOCAL = Actor("local", Role.ADMIN, sees_patients=True)  # where nobody has to sign in
