"""/api/v1/users and /api/v1/tokens: for administrators. What makes a credential is for somebody who signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from node.adapters.database.access import accounts, tokens
from node.core.access import Actor, Right
from node.pipeline.access.people import People
from node.web.access import may
from node.web.api.access.shapes import ChangedUser, MadeToken, NewToken, NewUser, SetPassword, Token, User
from node.web.api.numbers import row_number

Reads = Annotated[Actor, Depends(may(Right.ADMINISTER))]
Changes = Annotated[Actor, Depends(may(Right.ADMINISTER, in_person=True))]


def users_router(people: People) -> APIRouter:
    """Who may do what."""
    router = APIRouter(tags=["users"])
    database, clock = people.database, people.clock

    @router.get("/users", summary="Users, those that were removed last")
    def listed(_actor: Reads) -> list[User]:
        return [User.of(one) for one in accounts.listed(database)]

    @router.post("/users", status_code=201, summary="Add a user")
    def add(new: NewUser, _actor: Changes) -> User:
        password = new.password.get_secret_value()
        return User.of(people.add(new.name, new.role, password, sees_patients=new.sees_patients))

    @router.patch("/users/{name}", summary="Give a user another role, or other eyes; his sessions end")
    def change(name: str, new: ChangedUser, _actor: Changes) -> User:
        return User.of(people.change(name, role=new.role, sees_patients=new.sees_patients, reason=new.reason))

    @router.put("/users/{name}/password", status_code=204, summary="Set a user's password; his sessions end")
    def set_password(name: str, new: SetPassword, _actor: Changes) -> None:
        people.set_password(name, new.password.get_secret_value())

    @router.delete("/users/{name}", status_code=204, summary="Remove a user: sessions and tokens end")
    def remove(name: str, _actor: Changes, reason: Annotated[str, Query(max_length=500)] = "") -> None:
        people.remove(name, reason=reason)

    @router.post("/users/{name}/tokens", status_code=201, summary="Make an API token for a user; shown this once")
    def create(name: str, new: NewToken, _actor: Changes) -> MadeToken:
        made, secret = people.create_token(name, new.name, new.scopes, days=new.days, sees_patients=new.sees_patients)
        return MadeToken(**Token.of(made).model_dump(), secret=secret)

    @router.get("/tokens", summary="All API tokens, the newest first")
    def all_tokens(_actor: Reads) -> list[Token]:
        return [Token.of(one) for one in tokens.listed(database)]

    @router.delete("/tokens/{token}", status_code=204, summary="Revoke an API token")
    def revoke(token: int, _actor: Reads) -> None:
        tokens.revoke(database, row_number(token), clock())

    return router
