"""Notices: who is told, by what way, and who looks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

from node.adapters.database import Database, leases
from node.adapters.destinations.tls import client_context
from node.adapters.notices import Channel, Email, MailServer, Webhook
from node.app.clock import Clock
from node.config import Settings
from node.config.notices import Notify
from node.core.notices import Listener, Severity
from node.core.windows import Window
from node.pipeline.board import Board
from node.pipeline.notices.notifier import Notifier, Somebody
from node.pipeline.notices.people import Notices
from node.pipeline.notices.texts import Texts
from node.pipeline.notices.watch import Limits
from node.worker import NoticeTeller


def build_notices(settings: Settings, database: Database, clock: Clock) -> Notices:
    """What people do with notices. Raises BadConfiguration for templates and TLS files that are no good."""
    everybody = [(one.kind, _somebody(settings, one, clock)) for one in settings.notify]
    notifier = build_notifier(settings, database, _no_board, clock, [one for _, one in everybody])
    return Notices(database, lambda: everybody, lambda: notifier, clock)


def build_notifier(
    settings: Settings,
    database: Database,
    board: Callable[[], Board],
    clock: Clock,
    everybody: list[Somebody] | None = None,
) -> Notifier:
    """What looks and tells. Raises BadConfiguration as `build_notices` does."""
    said = settings.notices
    if everybody is None:
        everybody = [_somebody(settings, one, clock) for one in settings.notify]
    return Notifier(
        database=database,
        snapshot=lambda: board().snapshot(),
        everybody=everybody,
        texts=Texts(Path(said.templates) if said.templates else None),
        clock=clock,
        node=settings.node.ae_title,
        limits=Limits(
            waiting=timedelta(minutes=said.waiting_minutes),
            breaker=timedelta(minutes=said.destination_minutes),
            disk_days=said.disk_days,
            certificate_days=said.certificate_days,
        ),
        link=said.link,
        accession=said.accession,
    )


def build_notice_teller(
    settings: Settings, database: Database, board: Callable[[], Board], clock: Clock
) -> NoticeTeller:
    """The loop that tells; one process of all does it. Raises BadConfiguration as `build_notices` does."""
    alone = partial(leases.hold, database, "notices", settings.process_id)
    notifier = build_notifier(settings, database, board, clock)
    return NoticeTeller(notifier, settings.notices.check_seconds, clock, alone)


def _no_board() -> NoReturn:
    raise RuntimeError("who shows notices does not look for them")


def _somebody(settings: Settings, one: Notify, clock: Clock) -> Somebody:
    listener = Listener(
        name=one.name,
        causes=one.causes,
        minimum=Severity(one.minimum),
        quiet=tuple(Window.read(window) for window in one.quiet),
        digest=timedelta(minutes=settings.notices.digest_minutes),
        remind=timedelta(hours=settings.notices.remind_hours),
        patience=timedelta(seconds=settings.notices.patience_seconds),
    )
    return Somebody(listener, _channel(one, clock))


def _channel(one: Notify, clock: Clock) -> Channel:
    tls = client_context(f"notify {one.name}: tls_ca", one.tls_ca) if one.tls_ca else None
    if one.kind == "webhook":
        return Webhook(one.name, one.url, one.secret.get_secret_value(), clock, one.timeout_seconds, tls)
    password = one.password.get_secret_value()
    server = MailServer(one.host, one.port, one.security, one.user, password, one.timeout_seconds, tls)
    return Email(one.name, server, one.sender, one.to)
