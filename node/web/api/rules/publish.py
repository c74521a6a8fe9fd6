"""Putting rule sets into use."""

from __future__ import annotations

from fastapi import APIRouter, Response

from node.adapters.database import proposals as proposal_rows
from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication
from node.core.rules import version_of
from node.errors import Overtaken
from node.pipeline.rule_sets.trials import summary
from node.pipeline.rule_sets.versions import Change, Versions
from node.web.api.numbers import row_number
from node.web.api.rules.shapes import By, Proposed, Published, ToPublish, ToRollBack
from node.web.api.rules.who import Approver, Reader, Writer, author_of


def add_publishing(router: APIRouter, versions: Versions) -> None:
    """Routes that change what is in use."""
    database = versions.database

    @router.post(
        "/publications",
        status_code=201,
        summary="Put rule files into use, or propose them where another person has to approve",
        responses={202: {"model": Proposed, "description": "Proposed: it waits for another person"}},
    )
    def publish(new: ToPublish, response: Response, actor: Writer) -> Published | Proposed:
        if new.digest is not None:
            found = summary(database, version_of(new.files), versions.files(new.base)[0])
            if found is None or found.get("digest") != new.digest:
                raise Overtaken("these rules are not what was simulated: simulate them again")
        done = versions.publish(
            new.files,
            Change(author_of(actor, new.author), new.reason),
            base=new.base,
            foretold=lambda version, in_use: summary(database, version, in_use),
        )
        return done_or_proposed(done, response)

    @router.post("/rollback", status_code=201, summary="Put a version that was in use before into use again, at once")
    def rollback(back: ToRollBack, actor: Writer) -> Published:
        change = Change(author_of(actor, back.author), back.reason)
        return Published.of(versions.rollback(back.version, change, back.base))

    @router.get("/proposals", summary="Rule sets that wait for another person")
    def proposals(actor: Reader) -> list[Proposed]:
        return [Proposed.of(one) for one in proposal_rows.waiting(database)]

    @router.post("/proposals/{proposal}/approve", status_code=201, summary="Approve what another person proposed")
    def approve(proposal: int, by: By, actor: Approver) -> Published:
        return Published.of(versions.approve(row_number(proposal), author_of(actor, by.author)))

    @router.post("/proposals/{proposal}/reject", summary="Close a proposal without using it")
    def reject(proposal: int, by: By, actor: Writer) -> Proposed:
        versions.reject(row_number(proposal), author_of(actor, by.author))
        return Proposed.of(proposal_rows.get(database, proposal))


def done_or_proposed(done: Publication | Proposal, response: Response) -> Published | Proposed:
    """What a publication came to: in use, or waiting."""
    if isinstance(done, Publication):
        return Published.of(done)
    response.status_code = 202
    return Proposed.of(done)
