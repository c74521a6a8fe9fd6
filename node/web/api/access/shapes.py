"""What goes in and out of the routes of access."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from node.adapters.database.access.accounts import Account
from node.adapters.database.access.tokens import Token as TokenRow
from node.adapters.database.audit import Numbered
from node.core.access import RIGHTS, Actor, Right, Role

Name = Annotated[str, Field(min_length=1, max_length=64)]
Reason = Annotated[str, Field("", max_length=500)]


class SignIn(BaseModel):
    """A name and a password."""

    name: str = Field(min_length=1, max_length=200)
    password: SecretStr = Field(max_length=1024)


class FirstStart(SignIn):
    """The code that the console showed, and who shall be the first administrator."""

    code: SecretStr = Field(max_length=100)


class Me(BaseModel):
    """Who asks, and what he may."""

    name: str
    role: Role
    rights: list[Right]
    sees_patients: bool
    csrf: str = Field(description="to be sent as X-CSRF-Token with each change; empty for a token or the local user")

    @classmethod
    def of(cls, actor: Actor, csrf: str) -> Me:
        rights = [right for right in Right if actor.may(right)]
        return cls(name=actor.name, role=actor.role, rights=rights, sees_patients=actor.sees_patients, csrf=csrf)


class SignedIn(BaseModel):
    """Signed in: the cookie is in the headers."""

    name: str
    then: str = Field(description="where to go now")


class SignedOut(BaseModel):
    """Signed out."""

    then: str = Field(description="where to go now: the sign-in page, or the provider's logout")


class SessionLine(BaseModel):
    """One of the places where somebody is signed in."""

    session: str
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    this: bool = Field(description="whether it is the one that asks")


class NewPassword(BaseModel):
    """The old one, so that a browser left open is not enough, and the new one."""

    current: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)


class User(BaseModel):
    """A user."""

    name: str
    role: Role
    rights: list[Right]
    sees_patients: bool
    origin: str = Field(description="local, or oidc: signs in at the provider")
    created_at: datetime
    password_at: datetime | None
    removed_at: datetime | None

    @classmethod
    def of(cls, one: Account) -> User:
        rights = [right for right in Right if right in RIGHTS[one.role]]
        return cls.model_validate({**vars(one), "rights": rights})


class NewUser(BaseModel):
    """A user to add."""

    name: Name
    role: Role
    sees_patients: bool = True
    password: SecretStr = Field(max_length=1024)


class ChangedUser(BaseModel):
    """Another role, or other eyes; null: as before."""

    role: Role | None = None
    sees_patients: bool | None = None
    reason: Reason


class SetPassword(BaseModel):
    """A new password, from an administrator."""

    password: SecretStr = Field(max_length=1024)


class Token(BaseModel):
    """A token as lists show it."""

    id: int
    user: str
    name: str
    shown: str = Field(description="its first characters")
    scopes: list[Right]
    sees_patients: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, one: TokenRow) -> Token:
        return cls.model_validate({**vars(one), "scopes": list(one.scopes)})


class NewToken(BaseModel):
    """A token to make: for what, and what it may."""

    name: Name
    scopes: list[Right] = Field(min_length=1, max_length=len(Right))
    days: float = Field(90, gt=0, le=365)
    sees_patients: bool = False


class MadeToken(Token):
    """With the secret, which is shown this once."""

    secret: str


class AuditLine(BaseModel):
    """A line of the audit trail."""

    number: int
    at: datetime
    actor: str
    address: str
    what: str
    object: str
    before: str
    after: str
    reason: str
    ok: bool = Field(description="false: it was refused")
    digest: str

    @classmethod
    def of(cls, one: Numbered) -> AuditLine:
        return cls.model_validate({**vars(one.line), "number": one.number, "digest": one.digest})


class AuditPage(BaseModel):
    """Lines, newest first. `before` asks for the next page; null: this was the last."""

    lines: list[AuditLine]
    before: int | None
