"""What a handler needs, as a dependency that tests can find and read."""

# No postponed annotations: FastAPI resolves those of a callable object only when they are real.
from dataclasses import dataclass, field

from fastapi.dependencies.models import Dependant
from starlette.requests import HTTPConnection, Request

from node.core.access import Actor, Right
from node.core.audit import What
from node.errors import NotAllowed, NotSignedIn

VISIT = "node.visit"  # where the layer puts it in the request's scope
CSRF_HEADER = "X-CSRF-Token"


@dataclass
class Visit:
    """A request, and who makes it."""

    actor: Actor | None  # None: nobody, at a door that is open to all
    csrf: str = ""  # what a change by cookie must show
    demanded: list[Right] = field(default_factory=list)
    read: list[tuple[What, str, str]] = field(default_factory=list)  # what, of what, and what was asked: for the trail


@dataclass(frozen=True)
class Demand:
    """One right that whoever asks must have."""

    right: Right
    in_person: bool = False  # a token is not enough: it could make itself another one

    async def __call__(self, request: Request) -> Actor:
        """Raises NotSignedIn or NotAllowed."""
        actor = actor_of(request)
        request.scope[VISIT].demanded.append(self.right)
        demand(actor, self.right)
        if self.in_person and not actor.in_person:
            raise NotAllowed("this is for somebody who signed in, not for a token")
        return actor


@dataclass(frozen=True)
class Anybody:
    """Nothing: signing in is for who is not signed in yet."""

    async def __call__(self) -> None:
        """Says so, where a route must say what it needs."""


def demands_of(dependant: Dependant) -> list[Demand | Anybody]:
    """What a route says that it needs; empty: it does not say."""
    mine = [dependant.call] if isinstance(dependant.call, Demand | Anybody) else []
    return [*mine, *(found for one in dependant.dependencies for found in demands_of(one))]


async def demand_something(request: Request) -> None:
    """For every route: one that does not say what it needs is for reading, and only administrators change by it."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if dependant is None or not demands_of(dependant):
        await Demand(Right.READ if request.method in ("GET", "HEAD", "OPTIONS") else Right.ADMINISTER)(request)


def may(right: Right, *, in_person: bool = False) -> Demand:
    """For `Depends`: the actor, if he has the right."""
    return Demand(right, in_person)


def demand(actor: Actor, right: Right) -> None:
    """Raises NotAllowed."""
    if not actor.may(right):
        raise NotAllowed(f"this needs the right to {right.value.replace('_', ' ')}, which {actor.name} does not have")


def actor_of(request: HTTPConnection) -> Actor:
    """Who asks. Raises NotSignedIn where nobody was found to be asking."""
    visit = request.scope.get(VISIT)
    if not isinstance(visit, Visit) or visit.actor is None:
        raise NotSignedIn("sign in first")
    return visit.actor


def note_read(request: HTTPConnection, what: What, on: str, asked: str = "") -> None:
    """For handlers that search, or show images: it is in the audit trail once it is answered."""
    request.scope[VISIT].read.append((what, on, asked))


def csrf_token(request: HTTPConnection) -> str:
    """What a page's script sends as X-CSRF-Token with each change; "" where nobody signed in by a cookie."""
    visit = request.scope.get(VISIT)
    return visit.csrf if isinstance(visit, Visit) else ""
