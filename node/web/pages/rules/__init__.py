"""Rules: what they do, what a change would have done, and how it gets into use. Everything works on the reader's draft.

listing.py     /rules             order, on and off, how often each matched, problems, drafts, proposals
editing.py     /rules/{name}      one file as form and text; /rules/-/from: a rule from a series
reviewing.py   /rules/-/draft     what the draft changes, what it would have done, publish; /rules/-/shadow
past.py        /rules/-/history   versions, compare, roll back
asking.py      /rules/-/why       why, and why not
"""

from __future__ import annotations

from fastapi import APIRouter

from node.web.pages.pages import Pages
from node.web.pages.rules.asking import add_asking
from node.web.pages.rules.editing import add_editing
from node.web.pages.rules.listing import add_listing
from node.web.pages.rules.past import add_past
from node.web.pages.rules.reviewing import add_reviewing
from node.web.pages.rules.room import Room

__all__ = ["Room", "rules_pages"]


def rules_pages(pages: Pages, room: Room) -> APIRouter:
    """/admin/rules and all below it."""
    router = APIRouter(prefix="/rules", include_in_schema=False)
    add_reviewing(router, pages, room)
    add_past(router, pages, room)
    add_asking(router, pages, room)
    add_editing(router, pages, room)
    add_listing(router, pages, room)
    return router
