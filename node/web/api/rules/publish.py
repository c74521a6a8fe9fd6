"""Putting rule sets into use."""

from __future__ import annotations

from fastapi import APIRouter, Response

from node.adapters.database import proposals as proposal_rows
from node.adapters.database.rules import Publication
from node.pipeline.rule_sets.trials import summary
from node.pipeline.rule_sets.versions import Change, Versions
from node.web.api.rules.shapes import By, Proposed, Published, ToPublish, ToRollBack


def add_publishing(router: APIRouter, versions: Versions) -> None:
    """Routes that change what is in use."""
    database = versions.database

    @router.post(
        "/publications",
        status_code=201,
        summary="Put rule files into use, or propose them where another person has to approve",
        responses={202: {"model": Proposed, "description": "Proposed: it waits for another person"}},
    )
    def publish(new: ToPublish, response: Response) -> Published | Proposed:
        done = versions.publish(
            new.files,
            Change(new.author, new.reason),
            base=new.base,
            foretold=lambda version, in_use: summary(database, version, in_use),
        )
        if isinstance(done, Publication):
            return Published.of(done)
        response.status_code = 202
        return Proposed.of(done)

    @router.post("/rollback", status_code=201, summary="Put a version that was in use before into use again, at once")
    def rollback(back: ToRollBack) -> Published:
        return Published.of(versions.rollback(back.version, Change(back.author, back.reason), back.base))

    @router.get("/proposals", summary="Rule sets that wait for another person")
    def proposals() -> list[Proposed]:
        return [Proposed.of(one) for one in proposal_rows.waiting(database)]

    @router.post("/proposals/{proposal}/approve", status_code=201, summary="Approve what another person proposed")
    def approve(proposal: int, by: By) -> Published:
        return Published.of(versions.approve(_number(proposal), by.author))

    @router.post("/proposals/{proposal}/reject", summary="Close a proposal without using it")
    def reject(proposal: int, by: By) -> Proposed:
        versions.reject(_number(proposal), by.author)
        return Proposed.of(proposal_rows.get(database, proposal))


def _number(given: int) -> int:
    """A number that no database has is nobody's."""
    return given if 0 < given < 2**31 else 0
