"""The audit trail on its way to a collector: nothing is lost while it is away, and nothing is sent for nothing."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lxml import etree

from node.adapters.database import audit, exports
from node.adapters.syslog import Collector
from node.core.audit import What
from node.core.audit.parts import Source
from node.core.audit.transfers import Transfer
from node.errors import BadConfiguration, DestinationUnavailable
from node.pipeline.access.export import Collector as Carrier
from node.pipeline.access.export import Export
from tests.certificates import Authority
from tests.clock import Clock
from tests.receiving import Store, encoded
from tests.synthetic import Grid, mr_series


@dataclass
class Syslog:
    """A collector that speaks TLS; it may hang up before it has read anything."""

    port: int
    messages: list[bytes] = field(default_factory=list)
    hangs_up: bool = False


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def collector(authority: Authority) -> Iterator[Syslog]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("collector"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    listening = socket.create_server(("127.0.0.1", 0))
    made, over = Syslog(listening.getsockname()[1]), threading.Event()

    def serve() -> None:
        while not over.is_set():
            connection, _ = listening.accept()
            with connection:
                if made.hangs_up or over.is_set():
                    continue
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        made.messages += _unframed(secured)
                        secured.unwrap().close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield made
    over.set()
    socket.create_connection(("127.0.0.1", made.port)).close()
    thread.join(30)
    listening.close()


def _unframed(secured: ssl.SSLSocket) -> list[bytes]:
    """Messages by their octet counts (RFC 5425 4.3), until the sender says that this is all."""
    content = b""
    while chunk := secured.recv(65536):
        content += chunk
    found = []
    while content:
        count, _, content = content.partition(b" ")
        found.append(content[: int(count)])
        content = content[int(count) :]
    return found


@pytest.fixture
def export(store: Store, collector: Syslog, authority: Authority) -> Export:
    certificate, key = authority.issue("node")
    there = Collector("localhost", collector.port, authority.file, certificate, key)
    return Export(store.database, there, Source("MRICORE"), "node", store.clock, host="host1")


@dataclass
class CutOff:
    """Brings messages there, and is killed before it can say so."""

    there: Carrier

    def send(self, messages: Sequence[bytes]) -> None:
        self.there.send(messages)
        raise DestinationUnavailable("killed")


def note(store: Store, what: str, on: str) -> None:
    with store.database.transaction() as connection:
        audit.note(connection, store.clock(), what, on, actor="anna")


def events(collector: Syslog) -> list[str]:
    """The event codes that arrived, in their order."""
    read = [etree.fromstring(one.partition(b"\xef\xbb\xbf")[2]) for one in collector.messages]
    return [one.find("EventIdentification/EventID").get("csd-code") for one in read]


def test_lines_arrive_in_their_order_and_once(store: Store, collector: Syslog, export: Export) -> None:
    note(store, What.SIGNED_IN, "user anna")
    note(store, "user.add", "user bernd")
    assert export.step()
    note(store, What.SIGNED_OUT, "user anna")
    assert export.step()
    assert not export.step()
    assert events(collector) == ["110114", "110113", "110114"]
    assert [b'sequenceId="%d"' % number in one for number, one in enumerate(collector.messages, 1)] == [True] * 3
    assert collector.messages[0].startswith(b"<85>1 ")


def test_what_is_not_known_to_have_arrived_is_sent_again(store: Store, collector: Syslog, export: Export) -> None:
    note(store, What.SIGNED_IN, "user anna")
    collector.hangs_up = True
    with pytest.raises(DestinationUnavailable, match="does not answer"):
        export.step()
    assert exports.cursor(store.database, exports.TRAIL) is None
    note(store, What.SIGNED_OUT, "user anna")
    collector.hangs_up = False
    export.step()
    assert events(collector) == ["110114", "110114"]


def test_a_batch_that_was_sent_before_a_kill_has_the_same_numbers(
    store: Store, collector: Syslog, export: Export
) -> None:
    note(store, What.SIGNED_IN, "user anna")
    there = export.collector
    export.collector = CutOff(there)
    with pytest.raises(DestinationUnavailable):
        export.step()
    export.collector = there
    export.step()
    assert len(collector.messages) == 2
    assert collector.messages[0] == collector.messages[1]


def test_what_an_association_brought_is_told_once_it_is_over(
    store: Store, clock: Clock, collector: Syslog, export: Export
) -> None:
    before = mr_series(Grid(slices=2))
    for ds in before:
        store.receive(encoded(ds))
    export.begin()
    for ds in mr_series(Grid(slices=3), name="other"):
        store.receive(encoded(ds))
    assert not export.step()  # it may go on
    clock.advance(31)
    assert export.step()
    assert not export.step()
    assert events(collector) == ["110104"]
    read = etree.fromstring(collector.messages[0].partition(b"\xef\xbb\xbf")[2])
    (kind,) = read.iter("SOPClass")
    assert kind.get("NumberOfInstances") == "3"


def test_a_collector_of_another_authority_is_told_nothing(store: Store, collector: Syslog, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    note(store, What.SIGNED_IN, "user anna")
    there = Collector("localhost", collector.port, other.file)
    with pytest.raises(DestinationUnavailable):
        Export(store.database, there, Source("MRICORE"), "node", store.clock).step()
    assert collector.messages == []


def test_certificates_that_are_no_good_are_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(BadConfiguration, match=r"audit\.syslog_ca"):
        Collector("localhost", 6514, tmp_path / "ca.pem").check()


def test_what_went_out_and_who_looked_at_it_are_told_with_the_patient(
    store: Store, collector: Syslog, export: Export
) -> None:
    (ds,) = mr_series(Grid(slices=1), change={"PatientID": "P-4711", "PatientName": "Yamada^Tarou"})
    store.receive(encoded(ds))
    went = Transfer("pacs", "PACS", "10.0.0.9", {"1.2.840.10008.5.1.4.1.1.66.4": 1}, 12)
    with store.database.transaction() as connection:
        for what, after in ((What.DELIVERED, went.text()), (What.SENT, went.text()), (What.RETRIEVED, "")):
            audit.note(connection, store.clock(), what, f"study {ds.StudyInstanceUID}", actor="AE PACS", after=after)
        audit.note(connection, store.clock(), What.VIEWED, "job 99", actor="anna")  # which there is not
    assert export.step()
    assert events(collector) == ["110104", "110104", "110103", "110103"]
    told = [etree.fromstring(one.partition(b"\xef\xbb\xbf")[2]) for one in collector.messages]
    whose = [[one.get("ParticipantObjectID") for one in read.iter("ParticipantObjectIdentification")] for read in told]
    assert whose[:3] == [[str(ds.StudyInstanceUID), "P-4711"]] * 3
    classes = [[one.get("UID") for one in read.iter("SOPClass")] for read in told]
    assert classes == [["1.2.840.10008.5.1.4.1.1.66.4"]] * 2 + [[str(ds.SOPClassUID)], []]
