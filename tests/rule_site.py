"""A site for tests of the rules' pages: series that came, rules in use, API and pages on port 0."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from node.adapters.database import rules as rows
from node.core.access import Actor, Role
from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.lately import Lately
from node.pipeline.rule_sets.suggesting import Known, Suggesting
from node.pipeline.rule_sets.versions import Change, Versions
from node.web import Web, api_routes
from node.web.access.demand import VISIT, Visit
from node.web.api.rules import rules_router
from node.web.pages import Pages, page_routes
from node.web.pages.rules import Room, rules_pages
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

HEAD = """\
# Head series get an outline
name: head
description: Head MR series get the outline of the head
when:
  Modality: MR            # not CT
  BodyPartExamined: {in: lists.head}
  any:
    - SeriesDescription: {contains: t1}
    - SeriesDescription: {matches: 'mprage|flair'}
on_unknown: no-match
then:
  - infer: mri_core_head
  - deliver: [pacs]
"""
SCOUTS = """\
name: scouts
description: Scouts are kept and never segmented
when: {Modality: MR, SeriesDescription: {matches: '^(loc|scout)'}}
then: [{ignore: scouts are not segmented}]
"""
TUMOUR = """\
name: tumour
when: {Modality: MR}
needs:
  t1: {SeriesDescription: {contains: t1ce}}
  flair: {SeriesDescription: {contains: flairce}}
within: 4 h
on_unknown: no-match
then: [{infer: mri_core_head}]
"""
FILES = {
    "_set.yaml": "otherwise: hold\nlists:\n  head: [HEAD, BRAIN]\n", "10-scouts.yaml": SCOUTS, "20-head.yaml": HEAD,
    "30-tumour.yaml": TUMOUR,
}  # fmt: skip
_SERIES = (
    ("t1 mprage sag", "HEAD"), ("t1 mprage sag", "HEAD"), ("localizer", "HEAD"), ("t2 tse tra", "HEAD"),
    ("t2 tse tra", "HEAD"), ("flair cor", "BRAIN"), ("scout", "KNEE"), ("pd tse fs sag", "KNEE"),
)  # fmt: skip


class ByName:
    """Who asks is said by the cookie `who`: name and role. What lets people in in earnest is tested elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            cookies = dict(scope["headers"]).get(b"cookie", b"").decode()
            said = next((one.strip()[4:] for one in cookies.split(";") if one.strip().startswith("who=")), "anna.admin")
            name, _, role = said.partition(".")
            scope[VISIT] = Visit(Actor(name, Role(role), sees_patients=False))
        await self._app(scope, receive, send)


@dataclass
class RuleSite:
    """Where it is, and the series that came, by description."""

    base: str
    bench: Bench
    versions: Versions
    series: dict[str, str]

    def publish(self, files: dict[str, str], author: str, reason: str) -> None:
        self.versions.publish(files, Change(author, reason))

    @property
    def in_use(self) -> dict[str, str]:
        return self.versions.files()[1]

    @property
    def number(self) -> int:
        return rows.newest_number(self.bench.store.database)


@contextmanager
def rule_site(bench: Bench, *, approval: bool = False) -> Iterator[RuleSite]:
    """Eight series, half of them held, and three rules."""
    database = bench.store.database
    versions = Versions(database, bench.clock, approval=approval)
    versions.publish(FILES, Change("anna", "the first rules"))
    bench.in_use = InUse(database)
    known: dict[str, str] = {}
    for number, (description, part) in enumerate(_SERIES):
        change = {"SeriesDescription": description, "BodyPartExamined": part, "StudyInstanceUID": f"1.2.{number}",
                  "AccessionNumber": f"A{number}"}  # fmt: skip
        series = mr_series(Grid(slices=3), name=f"series {number}", change=change)
        known.setdefault(description, str(series[0].SeriesInstanceUID))
        bench.receive(series)
        bench.clock.advance(700)
        bench.judge_due()
    suggesting = Suggesting(
        database, Lately(database, bench.clock), lambda: Known(["mri_core_head"], ["pacs", "archive"])
    )
    pages = Pages(bench.clock, "MRICORE")
    web = Web(
        [
            *api_routes([rules_router(versions, Background(versions, "test"), suggesting)]),
            *page_routes(pages, [rules_pages(pages, Room(versions, suggesting))]),
        ],
        ByName,
        leaving=pages.live.stop,
    )
    port = web.start("127.0.0.1", 0)
    try:
        yield RuleSite(f"http://127.0.0.1:{port}", bench, versions, known)
    finally:
        web.stop()
