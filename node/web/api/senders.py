"""/api/v1/senders: who asked for associations, and who may send although no source names him."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from node.pipeline.senders import Sender, Senders
from node.web.api.places import Operating, Reading


class Seen(BaseModel):
    """A calling AE title at a host."""

    ae_title: str
    host: str = Field(description='"": admitted from anywhere, and did not call yet')
    first_at: datetime
    last_at: datetime
    associations: int = Field(description="That it asked for")
    may_send: bool
    admitted: bool = Field(description="By a person")
    reason: str = Field(description="Why it was refused")
    called_ae: str
    certificate_name: str
    proposed: tuple[str, ...] = Field(description="SOP classes of its last request")

    @classmethod
    def of(cls, one: Sender) -> Seen:
        known = one.known
        return cls(
            ae_title=known.calling_ae,
            host=known.host,
            first_at=known.first_at,
            last_at=known.last_at,
            associations=known.associations,
            may_send=known.accepted or known.admitted,
            admitted=known.admitted,
            reason=known.reason,
            called_ae=one.called_ae,
            certificate_name=one.certificate_name,
            proposed=one.proposed,
        )


class Admitted(BaseModel):
    """Who may send from now on."""

    ae_title: str = Field(max_length=64)
    host: str = Field("", max_length=64, description='"": from anywhere')


class Forgotten(BaseModel):
    """Whose entry goes."""

    ae_title: str = Field(max_length=64)
    host: str | None = Field(None, max_length=64, description="null: all of its entries")


class Done(BaseModel):
    """It is done."""

    done: bool = True


def senders_router(senders: Senders) -> APIRouter:
    """Everything below /api/v1/senders."""
    router = APIRouter(prefix="/senders", tags=["senders"])

    @router.get("", summary="Who asked for an association, the latest first, and what he asked for")
    def listed(_actor: Reading) -> list[Seen]:
        return [Seen.of(one) for one in senders.listed()]

    @router.post("/admit", summary="Let an AE title send from now on")
    def admit(who: Admitted, actor: Operating) -> Done:
        senders.admit(who.ae_title, who.host, actor.name)
        return Done()

    @router.post("/forget", summary="Take an admission back, and strike the sender off the list")
    def forget(who: Forgotten, actor: Operating) -> Done:
        senders.forget(who.ae_title, who.host, actor.name)
        return Done()

    return router
