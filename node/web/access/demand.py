"""What a handler needs, as a dependency that tests can find and read."""

# No postponed annotations: FastAPI resolves those of a callable object only when they are real.
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection, Request

from node.core.access import Actor, Right
from node.errors import NotAllowed, NotSignedIn

VISIT = "node.visit"  # where the layer puts it in the request's scope
CSRF_HEADER = "X-CSRF-Token"


@dataclass
class Visit:
    """A request, and who makes it."""

    actor: Actor | None  # None: nobody, at a door that is open to all
    csrf: str = ""  # what a change by cookie must show
    demanded: list[Right] = field(default_factory=list)


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


def csrf_token(request: HTTPConnection) -> str:
    """What a page's script sends as X-CSRF-Token with each change; "" where nobody signed in by a cookie."""
    visit = request.scope.get(VISIT)
    return visit.csrf if isinstance(visit, Visit) else ""
