"""Notices reach a real mail server and a real receiver of webhooks, or wait: none is lost, and none is told twice."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import insert, select

from node.adapters.database import Database, processes
from node.adapters.database import notices as rows
from node.adapters.database.routing_tables import notice
from node.adapters.destinations.tls import client_context
from node.adapters.notices import Channel, Email, MailServer, Message, Webhook
from node.adapters.notices.webhook import ID, SIGNATURE, TIME, signature
from node.core.board import Standing
from node.core.notices import Kind, Listener, Severity
from node.errors import BadConfiguration, DestinationUnavailable, NoSuch
from node.pipeline.board import Snapshot
from node.pipeline.board.items import BalanceItem, CertificateItem, DestinationItem, DiskItem, Item, JobsItem, ModelItem
from node.pipeline.notices.notifier import Notifier, Somebody
from node.pipeline.notices.people import Notices
from node.pipeline.notices.texts import Texts
from node.pipeline.notices.watch import LIMITS, Beside, sightings
from tests.certificates import Authority
from tests.clock import Clock
from tests.databases import url
from tests.orthanc import free_port
from tests.posting import Hook, hook_receiver
from tests.processes import PATIENCE_S
from tests.waiting import emptied, wait

__all__ = ["url"]

SECRET = "a secret of both sides"
ACT, OK = Standing.ACT, Standing.OK


@dataclass
class Mail:
    """What a mail server took."""

    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuses: str = ""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return self.refuses
        content = envelope.original_content or b""
        self.taken.append(message_from_bytes(content, policy=policy.default))
        self.recipients.append([*envelope.rcpt_tos])
        return "250 taken"


def authenticated(_server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"node", b"secret")
    return AuthResult(success=known, handled=False)


@contextmanager
def mail_server(authority: Authority, port: int = 0) -> Iterator[tuple[Mail, MailServer]]:
    """STARTTLS and a password, or nothing is taken."""
    mail = Mail()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("mail"))
    controller = Controller(
        mail,
        hostname="127.0.0.1",
        port=port or free_port(),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticated,
        ready_timeout=PATIENCE_S,
    )
    controller.start()
    tls = client_context("test", authority.file)
    try:
        yield mail, MailServer("127.0.0.1", controller.port, "starttls", "node", "secret", 60, tls)
    finally:
        controller.stop()


def snapshot(clock: Clock, **what: Any) -> Snapshot:
    """A board on which all is well, but for what is said."""
    well = Snapshot(
        number=1,
        at=clock(),
        standing=OK,
        balance=BalanceItem("balance", OK, "", "", 5, 5, 0, 0, 0, 0, 0, clock()),
        sources=(),
        destinations=(),
        triton=(),
        models=(),
        jobs=JobsItem("jobs", OK, "", "", {}, 0, None),
        disk=DiskItem("disk", OK, "", "", 10**12, None, None),
        certificates=(),
        processes=(),
        clock=Item("clock", OK, "", ""),
    )
    return replace(well, **what)


def broken_model(name: str = "head") -> ModelItem:
    return ModelItem(name, ACT, "a peer said: DOE^JANE", "", "1", False, None, 0, 0, 0, None, None, None)


def failed(number: int) -> JobsItem:
    return JobsItem("jobs", Standing.ATTENTION, "", "", {"failed": number}, 0, None)


@dataclass
class Bell:
    """A notifier on a told clock, with a board that a test writes."""

    database: Database
    clock: Clock
    everybody: list[Somebody] = field(default_factory=list)
    what: dict[str, Any] = field(default_factory=dict)
    accession: bool = False

    @property
    def notifier(self) -> Notifier:
        return Notifier(
            self.database,
            lambda: snapshot(self.clock, **self.what),
            self.everybody,
            Texts(),
            self.clock,
            "MRICORE",
            accession=self.accession,
        )

    def step(self, minutes: float = 0) -> int:
        self.clock.advance(60 * minutes)
        self.notifier.look()
        return self.notifier.tell()

    def add(self, channel: Channel, **listener: Any) -> None:
        self.everybody.append(Somebody(Listener(channel.name, **listener), channel))


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    database = emptied(Database(f"sqlite:///{tmp_path / 'node.db'}"))
    yield Bell(database, Clock())
    database.close()


def hooked(hook: Hook, clock: Clock, name: str = "chat") -> Webhook:
    return Webhook(name, f"http://127.0.0.1:{hook.port}/hook", SECRET, clock, 60)


def test_a_mail_is_taken_over_tls_with_a_password_and_says_what_is_wrong(tmp_path: Path, bell: Bell) -> None:
    with mail_server(Authority(tmp_path / "ca")) as (mail, server):
        bell.add(Email("it", server, "MRICORE <node@hospital.example>", ["a@example.org", "b@example.org"]))
        bell.what = {"models": (broken_model(),)}
        assert bell.step() == 1
        assert bell.step(600) == 0
    (one,) = mail.taken
    assert one["Subject"].strip() == "[MRICORE] critical: the model head is not ready: its canary does not pass"
    assert (one["Auto-Submitted"], one["Message-ID"]) == ("auto-generated", "<notice-1-it-1@hospital.example>")
    assert mail.recipients == [["a@example.org", "b@example.org"]]
    assert "notices ack 1" in one.get_content()
    assert "DOE" not in one.as_string()  # what a peer said does not leave the house


def test_a_wrong_password_and_a_refusal_are_told_and_tried_again(tmp_path: Path, bell: Bell) -> None:
    with mail_server(Authority(tmp_path / "ca")) as (mail, server):
        mine = Email("it", replace(server, password="wrong"), "node@example.org", ["a@example.org"])
        with pytest.raises(DestinationUnavailable, match="answered 535"):
            mine.send(Message("1", "a", "b"))
        mail.refuses = "451 later"
        bell.add(Email("it", server, "node@example.org", ["a@example.org"]))
        bell.what = {"models": (broken_model(),)}
        assert bell.step() == 0
        assert rows.reaches(bell.database)["it"].breaker.reason.endswith("answered 451 later")
        mail.refuses = ""
        assert bell.step(30) == 1
        assert rows.reaches(bell.database)["it"].breaker.failures == 0
    assert len(mail.taken) == 1


def test_a_server_without_a_certificate_that_is_trusted_gets_nothing(tmp_path: Path) -> None:
    with mail_server(Authority(tmp_path / "ca")) as (mail, server):
        other = client_context("test", Authority(tmp_path / "another").file)
        with pytest.raises(DestinationUnavailable, match="cannot be reached"):
            Email("it", replace(server, tls=other), "node@example.org", ["a@example.org"]).send(Message("1", "a", "b"))
    assert mail.taken == []


def test_a_webhook_is_signed_and_says_the_same_to_programs(bell: Bell) -> None:
    with hook_receiver() as hook:
        bell.add(hooked(hook, bell.clock))
        bell.what = {"models": (broken_model(),)}
        assert bell.step() == 1
        bell.what = {}
        assert bell.step(45) == 1
    first, second = hook.got
    assert (first["state"], first["cause"], first["severity"]) == ("raised", "model:head", "critical")
    assert (second["state"], second["alarm"]) == ("resolved", first["alarm"])
    headers = {name.lower(): value for name, value in hook.headers[0].items()}
    assert headers[SIGNATURE.lower()] == signature(SECRET.encode(), headers[TIME.lower()], hook.bodies[0])
    assert headers[ID.lower()] == first["id"] == "notice-1-chat-1"


def test_a_receiver_that_is_down_is_left_alone_and_hears_everything_once_when_it_is_back(bell: Bell) -> None:
    with hook_receiver() as hook:
        hook.status, hook.more = 503, {"Retry-After": "600"}
        bell.add(hooked(hook, bell.clock))
        bell.what = {"jobs": failed(1)}
        assert bell.step() == 0
        for number in range(2, 8):
            bell.what = {"jobs": failed(number)}
            bell.step(1)
        assert len(hook.bodies) == 1  # it asked for ten minutes
        hook.status = 200
        assert bell.step(10) == 1
    (heard,) = hook.got
    assert (heard["state"], heard["number"]) == ("raised", 7)


def test_one_who_is_down_stops_nobody_else(bell: Bell) -> None:
    with hook_receiver() as dead, hook_receiver() as well:
        dead.status = 500
        bell.add(hooked(dead, bell.clock, "dead"))
        bell.add(hooked(well, bell.clock, "well"))
        bell.what = {"models": (broken_model("a"), broken_model("b"))}
        assert bell.step() == 2
        assert sorted(one["name"] for one in well.got) == ["a", "b"]


def test_a_restart_in_between_loses_nothing_and_repeats_nothing(tmp_path: Path, bell: Bell) -> None:
    with hook_receiver() as hook:
        bell.add(hooked(hook, bell.clock))
        bell.what = {"models": (broken_model(),)}
        bell.notifier.look()
        bell.database.close()
        again = replace(bell, database=Database(f"sqlite:///{tmp_path / 'node.db'}"))
        assert again.step() == 1
        again.database.close()
        third = replace(again, database=Database(f"sqlite:///{tmp_path / 'node.db'}"))
        assert third.step(5) == 0
        third.database.close()
    assert len(hook.got) == 1


def test_a_death_between_sending_and_writing_it_down_sends_again_under_the_same_identifier(bell: Bell) -> None:
    class Dies(Webhook):
        def send(self, message: Message) -> None:
            super().send(message)
            raise RuntimeError("power cut")

    with hook_receiver() as hook:
        bell.add(Dies("chat", f"http://127.0.0.1:{hook.port}/", SECRET, bell.clock))
        bell.what = {"models": (broken_model(),)}
        with pytest.raises(RuntimeError):
            bell.step()
        bell.everybody.clear()
        bell.add(hooked(hook, bell.clock))
        assert bell.step() == 1
    assert [one["id"] for one in hook.got] == ["notice-1-chat-1"] * 2


def test_an_acknowledged_cause_is_silent_until_there_is_more_of_it(bell: Bell) -> None:
    people = Notices(
        bell.database, lambda: [("webhook", one) for one in bell.everybody], lambda: bell.notifier, bell.clock
    )
    with hook_receiver() as hook:
        bell.what = {"jobs": failed(2)}
        bell.step()
        (alarm,) = people.listed().alarms
        known = people.acknowledge(alarm.id, "anna")
        assert known.acknowledged_by == "anna"
        bell.add(hooked(hook, bell.clock))
        assert bell.step(60) == 0
        bell.what = {"jobs": failed(3)}
        assert bell.step(1) == 1
        with pytest.raises(NoSuch):
            people.acknowledge(77, "anna")
        people.test("chat")
        assert hook.got[-1]["state"] == "test"
        with pytest.raises(NoSuch, match="there is chat"):
            people.test("nobody")
        assert [(one.name, one.kind, one.sent) for one in people.reached()] == [("chat", "webhook", 1)]


def say(bell: Bell, uid: str, recipients: Sequence[str], text: str = "come and see") -> None:
    with bell.database.transaction() as connection:
        row = {"at": bell.clock(), "series_instance_uid": uid, "version": 1, "rule": "tumour"}
        connection.execute(insert(notice).values(**row, recipients=[*recipients], text=text))


def unsent(bell: Bell) -> int:
    return rows.unsent(bell.database)


def test_what_rules_say_is_told_to_whom_they_name_and_counted(bell: Bell) -> None:
    wait(bell.database, "a")
    with hook_receiver() as neuro, hook_receiver() as it:
        bell.add(hooked(neuro, bell.clock, "neuro"), causes=())
        bell.add(hooked(it, bell.clock, "it"))
        say(bell, "a", ["neuro"])
        assert bell.step() == 1
        assert unsent(bell) == 0
        for _ in range(4):
            say(bell, "a", ["neuro"])
        assert bell.step(5) == 0
        assert unsent(bell) == 4
        assert bell.step(30) == 1
        assert unsent(bell) == 0
    assert [(one["state"], one["what"], one["new"]) for one in neuro.got] == [
        ("rule", "come and see", 1),
        ("rule", "come and see", 4),
    ]
    assert it.got == []
    assert "4711" not in json.dumps(neuro.got)


def test_every_database_keeps_causes_and_who_was_told_alike(url: str) -> None:
    database = emptied(Database(url))
    bell = Bell(database, Clock())
    people = Notices(database, list, lambda: bell.notifier, bell.clock)
    wait(database, "a")
    with hook_receiver() as hook:
        bell.add(hooked(hook, bell.clock, "neuro"), minimum=Severity.INFO)
        bell.what = {"jobs": failed(2)}
        say(bell, "a", ["neuro"])
        assert bell.step() == 2
        known = people.acknowledge(people.listed(only_open=True).alarms[-1].id, "anna")
        assert known.acknowledged_by == "anna"
        bell.what = {}
        assert bell.step(45) == 1
    assert [one["state"] for one in hook.got] == ["raised", "rule", "resolved"]
    assert (rows.unsent(database), rows.held(database), rows.open_by_severity(database)) == (0, 0, {"info": 1})
    assert [one.what for one in people.sent()] == ["resolved", "rule", "raised"]
    database.close()


def test_a_name_that_nobody_has_is_shown_and_its_notices_wait(bell: Bell) -> None:
    wait(bell.database, "a")
    people = Notices(bell.database, list, lambda: bell.notifier, bell.clock)
    say(bell, "a", ["neuro"])
    assert bell.step() == 0
    assert (people.unreachable(), unsent(bell)) == (["neuro"], 1)


def test_a_stat_series_does_not_wait_for_the_morning(bell: Bell) -> None:
    from node.core.windows import Window

    night = (Window.read("00:00-00:00"),)
    wait(bell.database, "routine")
    wait(bell.database, "stat", priority="stat")
    with hook_receiver() as hook:
        bell.add(hooked(hook, bell.clock, "neuro"), quiet=night)
        say(bell, "routine", ["neuro"])
        assert bell.step() == 0
        say(bell, "stat", ["neuro"], "at once")
        assert bell.step() == 1
    assert [one["what"] for one in hook.got] == ["at once"]


def test_accession_numbers_are_told_where_the_settings_say_so_and_nowhere_else(bell: Bell) -> None:
    wait(bell.database, "a")
    with bell.database.reading() as connection:
        from node.adapters.database.tables import series

        accession = connection.scalar(select(series.c.accession_number))
    assert accession
    with hook_receiver() as hook:
        bell.add(hooked(hook, bell.clock, "neuro"))
        say(bell, "a", ["neuro"])
        bell.accession = True
        assert bell.step() == 1
    assert hook.got[0]["accession_numbers"] == [accession]
    assert accession in hook.got[0]["text"]


def test_a_lost_process_is_a_cause_until_another_takes_its_place(bell: Bell) -> None:
    processes.arrive(bell.database, "one", bell.clock(), "work")
    processes.arrive(bell.database, "two", bell.clock(), "work")
    processes.bury(bell.database, "two", -1.0, bell.clock())
    bell.step()
    (alarm,) = rows.page(bell.database, None, 5)
    assert (alarm.kind, alarm.name) == (Kind.REPLICA, "one")
    processes.arrive(bell.database, "three", bell.clock(), "work")
    bell.step()
    (alarm,) = rows.page(bell.database, None, 5)
    assert not alarm.is_open


def test_every_kind_of_cause_is_seen_on_the_board_and_its_words_are_numbers_and_names() -> None:
    clock = Clock()
    now = clock()
    long_ago = now - timedelta(hours=3)
    bad = snapshot(
        clock,
        balance=BalanceItem("balance", ACT, "DOE^JANE", "", 5, 3, 0, 0, 0, 0, -2, now),
        triton=(Item("node", ACT, "DOE^JANE", ""),),
        models=(broken_model(),),
        jobs=JobsItem("jobs", ACT, "DOE^JANE", "", {"failed": 1, "not_processable": 2}, 1, long_ago),
        disk=DiskItem("disk", ACT, "", "", -1, None, None),
        certificates=(CertificateItem("DICOM TLS", ACT, "", "", "CN=DOE^JANE", now, 12),),
        destinations=(
            DestinationItem("pacs", ACT, "DOE^JANE", "", 4, long_ago, "open", 9, None, None, "", None, ()),
            DestinationItem("new", ACT, "DOE^JANE", "", 4, long_ago, "open", 9, None, None, "", None, ()),
        ),
    )
    beside = Beside(held=2, lost=[("two", "work")], failing_since={"pacs": long_ago, "new": now})
    found = {one.cause: one for one in sightings(bad, beside, LIMITS, now)}
    assert set(found) == {
        "residue", "waiting:late", "waiting:oldest", "failed", "destination:pacs", "server:node", "model:head", "disk",
        "certificate:DICOM TLS", "replica:two", "held",
    }  # fmt: skip
    assert found["residue"].severity is Severity.CRITICAL
    assert found["failed"].what == "3 jobs failed or could not be processed"
    assert not any("DOE" in one.what for one in found.values())
    assert sightings(snapshot(clock), Beside(), LIMITS, now) == []


def test_a_site_replaces_words_and_a_template_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raised.txt").write_text("Achtung: $what\n\nSeit $since.\n")
    subject, body = Texts(tmp_path).fill("raised", {"what": "etwas", "since": "heute"})
    assert (subject, body) == ("Achtung: etwas", "Seit heute.\n")
    (tmp_path / "raised.txt").write_text("$patient\n")
    with pytest.raises(BadConfiguration, match=r"fills in \$patient"):
        Texts(tmp_path)
    (tmp_path / "raised.txt").write_text("100 $\n")
    with pytest.raises(BadConfiguration, match="is no template"):
        Texts(tmp_path)
