"""What a handler needs, as a dependency that tests can find and read."""

# No postponed annotations: FastAPI resolves those of a callable object only when they are real.
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request

from node.core.access import Actor, Right
from node.errors import NotAllowed, NotSignedIn

# Where the layer puts them in the request's scope.
ACTOR = "node.actor"
CSRF = "node.csrf"

CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True)
class Demand:
    """One right that whoever asks must have."""

    right: Right

    async def __call__(self, request: Request) -> Actor:
        """Raises NotSignedIn or NotAllowed."""
        actor = actor_of(request)
        demand(actor, self.right)
        return actor


def may(right: Right) -> Demand:
    """For `Depends`: the actor, if he has the right."""
    return Demand(right)


def demand(actor: Actor, right: Right) -> None:
    """Raises NotAllowed."""
    if not actor.may(right):
        raise NotAllowed(f"this needs the right to {right.value.replace('_', ' ')}, which {actor.name} does not have")


def actor_of(request: HTTPConnection) -> Actor:
    """Who asks. Raises NotSignedIn where nobody was found to be asking."""
    found = request.scope.get(ACTOR)
    if not isinstance(found, Actor):
        raise NotSignedIn("sign in first")
    return found


def csrf_token(request: HTTPConnection) -> str:
    """What a page's script sends as X-CSRF-Token with each change; "" where nobody signed in by a cookie."""
    return str(request.scope.get(CSRF, ""))
