"""What every page is made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from node.core.access import Actor, Right
from node.errors import NotSignedIn
from node.web.access import actor_of, csrf_token
from node.web.pages import shown
from node.web.pages.live import Live
from node.web.pages.security import NOT_KEPT
from node.web.pages.static import Static
from node.web.pages.texts import Texts

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Crumb:
    """A step of the way to a page; "" as address: the page itself."""

    text: str
    address: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of the navigation."""

    name: str  # texts: base.nav.<name>
    address: str


NAVIGATION: Sequence[Entry] = (
    Entry("trace", "/admin/"),
    Entry("board", "/admin/board"),
    Entry("inbox", "/admin/inbox"),
    Entry("rules", "/admin/rules"),
    Entry("places", "/admin/places"),
    Entry("drill", "/admin/drill"),
    Entry("models", "/admin/models"),
    Entry("notices", "/admin/notices"),
    Entry("users", "/admin/users"),
    Entry("audit", "/admin/audit"),
)


class Pages:
    """Templates with the texts, the time and who asks."""

    def __init__(self, clock: Callable[[], datetime], site: str = "") -> None:
        """`site`: what this node is called, for the head of every page: its AE title."""
        self.clock, self.site = clock, site
        self.texts, self.static, self.live = Texts(), Static(), Live()
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._templates.filters |= shown.FILTERS
        self._templates.globals |= {
            "t": self.texts,
            "static": self.static.address,
            "navigation": NAVIGATION,
            "site": site,
            "Crumb": Crumb,
            "may": _may,
        }

    def page(
        self,
        request: Request,
        template: str,
        here: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **what: Any,
    ) -> HTMLResponse:
        """A whole page. `here`: its name in the navigation, "" for none; `what`: what its template shows."""
        text = self.render(request, template, here=here, **what)
        return HTMLResponse(text, status, headers={**NOT_KEPT, **(headers or {})})

    def fragment(self, request: Request, template: str, **what: Any) -> HTMLResponse:
        """A part of a page, for a script that puts it in the place of what has its id."""
        return HTMLResponse(self.render(request, template, here="", **what), headers=dict(NOT_KEPT))

    def render(self, request: Request, template: str, **what: Any) -> str:
        about = {"request": request, "now": self.clock(), "actor": _actor(request), "here": ""}
        about["csrf"] = csrf_token(request)
        return self._templates.get_template(template).render(about | what)

    def refusal(self, request: Request, status: int, what: str) -> Response:
        """The page of something that is not there, or may not be seen."""
        return self.page(request, "refusal.html", "", status=status, what=what, code=status)


def _actor(request: Request) -> Actor | None:
    """Who asks; None on the page where people sign in."""
    try:
        return actor_of(request)
    except NotSignedIn:
        return None


@pass_context
def _may(context: Context, right: str) -> bool:
    """Whether who asks may do something: a button that would be refused is not offered."""
    actor = context.get("actor")
    return isinstance(actor, Actor) and actor.may(Right(right))
