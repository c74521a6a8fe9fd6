"""/api/v1/destinations, /destination-groups and /sources: what is written down of them. All are the same routes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from node.core.access import Actor, Right
from node.core.places import Family, Place
from node.pipeline.places import Places
from node.web.access import may

Reading = Annotated[Actor, Depends(may(Right.READ))]
Operating = Annotated[Actor, Depends(may(Right.OPERATE))]
Administering = Annotated[Actor, Depends(may(Right.ADMINISTER))]


class Shown(BaseModel):
    """A destination, a group of them, or a source. Secrets are never shown: `secrets` names those that are set."""

    name: str
    kind: str
    keys: dict[str, Any]
    secrets: tuple[str, ...]
    origin: str = Field(description='"file": node.toml, where it is changed; or "row"')
    revision: int = Field(description="To be sent back with a change; 0: of node.toml")
    fault: str = Field(description="Why it is not in use")

    @classmethod
    def of(cls, one: Place) -> Shown:
        return cls(
            name=one.name,
            kind=one.kind,
            keys=dict(one.keys),
            secrets=one.secrets,
            origin=one.origin,
            revision=one.revision,
            fault=one.fault,
        )


class Asked(BaseModel):
    """A key that a kind has, for who makes a form."""

    name: str
    shape: str
    help: str
    group: str
    default: Any
    choices: tuple[str, ...]
    required: bool


class New(BaseModel):
    """One to be added. Keys are those of node.toml."""

    name: str = Field(max_length=64)
    kind: str = Field("", max_length=16, description="May be left out where there is one kind only")
    keys: dict[str, Any] = {}
    secrets: dict[str, str | None] = Field({}, description="password, token")


class Edited(BaseModel):
    """What takes the place of `revision`. A secret that is left out or empty stays; null takes it away."""

    revision: int = Field(ge=1, le=2**31 - 1)
    kind: str = Field("", max_length=16, description="May be left out where there is one kind only")
    keys: dict[str, Any] = {}
    secrets: dict[str, str | None] = {}


class Line(BaseModel):
    """Who changed what."""

    action: str
    at: datetime
    actor: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def add_keeping(router: APIRouter, family: Family, places: Places) -> None:
    """Routes that look at a family of places and change it."""

    def asked(name: str, said: New | Edited, revision: int = 0) -> Place:
        kinds = places.book.kinds(family)
        kind = said.kind or (kinds[0] if len(kinds) == 1 else "")
        return Place(family, name, kind, said.keys, revision=revision)

    @router.get("/kinds", summary=f"The kinds of {family}s, and the keys of each")
    def kinds(_actor: Reading) -> dict[str, list[Asked]]:
        return {
            kind: [Asked.model_validate(vars(key)) for key in places.book.keys(family, kind)]
            for kind in places.book.kinds(family)
        }

    @router.post("", status_code=201, summary=f"Add a {family}: the node takes it up within seconds")
    def added(new: New, actor: Administering) -> Shown:
        return Shown.of(places.add(asked(new.name.strip(), new), new.secrets, actor.name))

    @router.get("/{name}", summary=f"One {family}")
    def shown(name: str, _actor: Reading) -> Shown:
        return Shown.of(places.get(family, name))

    @router.get("/{name}/history", summary="Who changed it, newest first")
    def history(name: str, _actor: Reading) -> list[Line]:
        places.get(family, name)
        return [Line.model_validate(vars(one)) for one in places.history(family, name)]

    @router.put("/{name}", summary=f"Change a {family}; 409 when somebody was quicker")
    def edited(name: str, new: Edited, actor: Administering) -> Shown:
        return Shown.of(places.edit(asked(name, new, new.revision), new.secrets, actor.name))

    @router.delete("/{name}", status_code=204, summary=f"Remove a {family}; refused while something needs it")
    def removed(name: str, revision: Annotated[int, Query(ge=1, le=2**31 - 1)], actor: Administering) -> None:
        places.remove(family, name, revision, actor.name)
