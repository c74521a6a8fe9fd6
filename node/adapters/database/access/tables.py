"""The tables of who may do what, and of who did."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from node.adapters.database.tables import Moment, metadata

account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("folded", String(64), nullable=False),  # without case: two names must not look alike
    Column("role", String(16), nullable=False),
    Column("sees_patients", Integer, nullable=False),
    Column("origin", String(8), nullable=False),  # local, oidc
    Column("subject", String(300), nullable=False, default=""),  # of oidc: issuer and sub
    Column("password", Text, nullable=False, default=""),  # argon2id, of local
    Column("created_at", Moment, nullable=False),
    Column("password_at", Moment),
    Column("removed_at", Moment),  # its name stays taken: the audit trail speaks of it
    UniqueConstraint("folded"),
    Index(None, "subject"),
)

session = Table(
    "web_session",
    metadata,
    Column("digest", String(64), primary_key=True),  # sha256 of the cookie
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("logout_hint", Text, nullable=False, default=""),  # of oidc: the ID token, for the provider's logout
    Index(None, "account_id"),
    Index(None, "created_at"),
)

token = Table(
    "api_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("shown", String(32), nullable=False),  # its first characters
    Column("scopes", JSON, nullable=False),
    Column("sees_patients", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("revoked_at", Moment),
    UniqueConstraint("digest"),
    Index(None, "account_id"),
)

failure = Table(
    "sign_in_failure",
    metadata,
    Column("key", String(64), primary_key=True),  # sha256 of the name or address that it counts
    Column("number", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
    Index(None, "last_at"),
)

once = Table(
    "one_time_secret",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),  # first_start, oidc
    Column("expires_at", Moment, nullable=False),
    Column("content", JSON, nullable=False),
    Index(None, "expires_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1, without gaps
    Column("at", Moment, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    Column("what", String(64), nullable=False),
    Column("object", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ok", Integer, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index(None, "actor", "number"),
    Index(None, "actor", "what", "number"),
    Index(None, "what", "number"),
    Index(None, "object", "number"),
)

exported = Table(
    "audit_export",
    metadata,
    Column("name", String(80), primary_key=True),  # audit, or receipts:CHAIN
    Column("number", Integer, nullable=False),  # the last one that was sent
    Column("at", Moment, nullable=False),
)
