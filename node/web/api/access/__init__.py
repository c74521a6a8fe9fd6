"""/api/v1: signing in, one's own account, users, tokens, the audit trail. A thin shell over pipeline.access."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from node.pipeline.access.oidc import Oidc
from node.pipeline.access.signing_in import SigningIn
from node.web.api.access.account import account_router
from node.web.api.access.session import session_router
from node.web.api.access.trail import trail_router
from node.web.api.access.users import users_router


def access_routers(signing_in: SigningIn, oidc: Oidc | None) -> Sequence[APIRouter]:
    """One for each subject."""
    return [
        session_router(signing_in, oidc),
        account_router(signing_in),
        users_router(signing_in.people),
        trail_router(signing_in.database, signing_in.clock),
    ]
