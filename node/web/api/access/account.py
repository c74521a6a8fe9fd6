"""/api/v1/account: one's own password, sessions and tokens. For people: a token makes no other token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from node.adapters.database.access import accounts, sessions, tokens
from node.core.access import Actor, Right
from node.errors import NoSuch, NotSignedIn, Usage
from node.pipeline.access.signing_in import SigningIn
from node.web.access import may
from node.web.api.access.shapes import MadeToken, NewPassword, NewToken, SessionLine, Token
from node.web.api.numbers import row_number

Self = Annotated[Actor, Depends(may(Right.READ, in_person=True))]


def account_router(signing_in: SigningIn) -> APIRouter:
    """What everybody may do with what is his own."""
    router = APIRouter(prefix="/account", tags=["account"])
    database, clock, people = signing_in.database, signing_in.clock, signing_in.people

    @router.put("/password", status_code=204, summary="Change one's password; other sessions end")
    def change_password(new: NewPassword, actor: Self) -> None:
        me = accounts.get(database, actor.name)
        try:
            signing_in.demand_password(me.name, new.current.get_secret_value(), actor.address)
        except NotSignedIn as wrong:
            raise Usage("current: this is not your password") from wrong
        people.set_password(me.name, new.new.get_secret_value(), keep_session=actor.session)

    @router.get("/sessions", summary="Where one is signed in")
    def listed(actor: Self) -> list[SessionLine]:
        return [
            SessionLine(
                session=one.shown,
                address=one.address,
                agent=one.agent,
                created_at=one.created_at,
                seen_at=one.seen_at,
                this=one.digest == actor.session,
            )
            for one in sessions.of_account(database, actor.name, clock(), signing_in.lifetime)
        ]

    @router.delete("/sessions/{session}", status_code=204, summary="Sign out elsewhere")
    def end(session: str, actor: Self) -> None:
        if not sessions.end_shown(database, actor.name, session, clock()):
            raise NoSuch("there is no such session, or not any more")

    @router.get("/tokens", summary="One's API tokens")
    def my_tokens(actor: Self) -> list[Token]:
        return [Token.of(one) for one in tokens.listed(database, actor.name)]

    @router.post("/tokens", status_code=201, summary="Make an API token; its secret is shown this once")
    def create(new: NewToken, actor: Self) -> MadeToken:
        made, secret = people.create_token(
            actor.name, new.name, new.scopes, days=new.days, sees_patients=new.sees_patients
        )
        return MadeToken(**Token.of(made).model_dump(), secret=secret)

    @router.delete("/tokens/{token}", status_code=204, summary="Revoke one of one's API tokens")
    def revoke(token: int, actor: Self) -> None:
        tokens.revoke(database, row_number(token), clock(), user=actor.name)

    return router
