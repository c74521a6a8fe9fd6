"""Storage commitment: asked for by a scanner, reported to it on an association that the node opens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from sqlalchemy import select, update

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.database.service_tables import commitment as table
from node.adapters.database.tables import instance
from node.adapters.files import Files
from node.config import load
from node.core.storage_commitment import SOP_CLASS_UID, SOP_INSTANCE_UID, Reference, Report, judge
from node.errors import BadConfiguration
from node.pipeline.commitment import Commitments, wait_after
from node.scp.commitment import commitment
from tests.clock import Clock
from tests.listening import Listening, associate, listening
from tests.orthanc import free_port
from tests.synthetic import MR_IMAGE_STORAGE, Grid, mr_series

TRANSACTION = "2.25.555"


@dataclass
class Scanner:
    """Hears event reports on a port of its own."""

    port: int
    heard: list[tuple[int, Dataset, str]] = field(default_factory=list)  # event type, information, calling AE title
    answers: int = 0x0000

    def report(self, event: evt.Event) -> tuple[int, None]:
        told = cast("N_EVENT_REPORT", event.request).EventTypeID
        self.heard.append((told or 0, event.event_information, event.assoc.requestor.ae_title))
        return self.answers, None

    @contextmanager
    def on(self, *, scp_role: bool = True) -> Iterator[ApplicationEntity]:
        ae = AE(ae_title="SCANNER")
        ae.add_supported_context(SOP_CLASS_UID, scu_role=not scp_role, scp_role=scp_role)
        ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.report)])
        try:
            yield ae
        finally:
            ae.shutdown()


@dataclass
class Site:
    """A node that may commit, and a scanner."""

    node: Listening
    scanner: Scanner
    commitments: Commitments
    clock: Clock

    def send(self, datasets: Sequence[Dataset]) -> None:
        association = associate(self.node.port)
        assert [association.send_c_store(ds).Status for ds in datasets] == [0] * len(datasets)
        association.release()

    def ask(self, references: Sequence[Reference], *, calling: str = "SCANNER", action: int = 1) -> Dataset:
        association = associate(self.node.port, calling=calling, sop_classes=[SOP_CLASS_UID])
        asked = Dataset()
        asked.TransactionUID = TRANSACTION
        asked.ReferencedSOPSequence = [item(one) for one in references]
        status, _ = association.send_n_action(asked, action, SOP_CLASS_UID, SOP_INSTANCE_UID)
        association.release()
        return status

    def state(self) -> tuple[str, int]:
        with self.node.database.reading() as connection:
            row = connection.execute(select(table)).one()
        return row.state, row.attempts


def item(one: Reference) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
    return ds


def references(datasets: Sequence[Dataset]) -> list[Reference]:
    return [Reference(str(ds.SOPClassUID), str(ds.SOPInstanceUID)) for ds in datasets]


@contextmanager
def at_site(folder: Path, scanner: Scanner, clock: Clock) -> Iterator[Site]:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    remote = RemoteAE("SCANNER", "127.0.0.1", scanner.port, "MRICORE", 60)
    commitments = Commitments(database, Files(folder / "instances", 0), clock, {"SCANNER": remote}, lambda: None)
    with listening(folder, services=[commitment(commitments)], database=database) as node:
        yield Site(node, scanner, commitments, clock)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with at_site(tmp_path, Scanner(free_port()), Clock()) as one:
        yield one


def test_stored_instances_are_committed_on_a_new_association(site: Site) -> None:
    series = mr_series(Grid(slices=3))
    site.send(series)
    assert site.ask(references(series)).Status == 0
    with site.scanner.on():
        assert site.commitments.report_next()
    ((event_type, information, calling),) = site.scanner.heard
    assert (event_type, information.TransactionUID, calling) == (1, TRANSACTION, "MRICORE")
    assert [one.ReferencedSOPInstanceUID for one in information.ReferencedSOPSequence] == [
        ds.SOPInstanceUID for ds in series
    ]
    assert "FailedSOPSequence" not in information
    assert site.state() == ("reported", 1)
    assert not site.commitments.report_next()


def test_what_is_not_stored_or_of_another_class_fails_with_its_reason(site: Site) -> None:
    series = mr_series(Grid(slices=3))
    site.send(series)
    first, second, third = references(series)
    site.ask(
        [first, replace(second, sop_class_uid="1.2.840.10008.5.1.4.1.1.2"), replace(third, sop_instance_uid="2.25.9")]
    )
    with site.scanner.on():
        site.commitments.report_next()
    ((event_type, information, _),) = site.scanner.heard
    assert event_type == 2
    assert [one.ReferencedSOPInstanceUID for one in information.ReferencedSOPSequence] == [first.sop_instance_uid]
    assert [(one.ReferencedSOPInstanceUID, one.FailureReason) for one in information.FailedSOPSequence] == [
        (second.sop_instance_uid, 0x0119),
        ("2.25.9", 0x0112),
    ]


def test_an_instance_that_came_with_different_bytes_is_not_promised(site: Site) -> None:
    one = mr_series(Grid(slices=1))
    site.send(one)
    one[0].PatientComments = "another"
    site.send(one)
    site.ask(references(one))
    with site.scanner.on():
        site.commitments.report_next()
    assert site.scanner.heard[0][1].FailedSOPSequence[0].FailureReason == 0x0110


def test_an_instance_whose_file_is_gone_is_not_promised(site: Site, tmp_path: Path) -> None:
    one = mr_series(Grid(slices=1))
    site.send(one)
    for line in site.node.receipts():
        (tmp_path / "instances" / line.path).unlink()
    site.ask(references(one))
    with site.scanner.on():
        site.commitments.report_next()
    assert site.scanner.heard[0][1].FailedSOPSequence[0].FailureReason == 0x0112


def test_an_instance_whose_file_is_about_to_go_is_not_promised(site: Site) -> None:
    """First a row says that it was removed; the file follows, after a kill an hour later."""
    one = mr_series(Grid(slices=1))
    site.send(one)
    with site.node.database.transaction() as connection:
        connection.execute(update(instance).values(removed_at=site.clock()))
    site.ask(references(one))
    with site.scanner.on():
        site.commitments.report_next()
    assert site.scanner.heard[0][1].FailedSOPSequence[0].FailureReason == 0x0112


def test_a_scanner_that_is_off_is_told_when_it_is_on_again_even_after_a_restart(tmp_path: Path) -> None:
    scanner, clock = Scanner(free_port()), Clock()
    series = mr_series(Grid(slices=2))
    with at_site(tmp_path, scanner, clock) as before:
        before.send(series)
        assert before.ask(references(series)).Status == 0
        assert before.commitments.report_next()
        assert before.state() == ("waiting", 1)
        assert not before.commitments.report_next(), "not before it is due again"
    with at_site(tmp_path, scanner, clock) as after, scanner.on():
        clock.advance(5)
        assert after.commitments.report_next()
        assert after.state() == ("reported", 2)
    assert [event_type for event_type, _, _ in scanner.heard] == [1]


def test_a_scanner_that_answers_with_a_failure_is_told_again(site: Site) -> None:
    series = mr_series(Grid(slices=1))
    site.send(series)
    site.ask(references(series))
    site.scanner.answers = 0x0110
    with site.scanner.on():
        site.commitments.report_next()
        assert site.state() == ("waiting", 1)
        site.scanner.answers = 0x0000
        site.clock.advance(5)
        site.commitments.report_next()
    assert site.state() == ("reported", 2)


def test_a_scanner_that_does_not_give_the_role_is_tried_again(site: Site) -> None:
    site.ask([Reference(MR_IMAGE_STORAGE, "2.25.9")])
    with site.scanner.on(scp_role=False):
        site.commitments.report_next()
    assert site.state() == ("waiting", 1)


def test_after_a_week_the_node_gives_up(site: Site) -> None:
    site.ask([Reference(MR_IMAGE_STORAGE, "2.25.9")])
    site.clock.advance(timedelta(days=8).total_seconds())
    site.commitments.report_next()
    assert site.state()[0] == "given_up"


def test_waits_grow_to_an_hour() -> None:
    assert [wait_after(attempts).total_seconds() for attempts in (1, 2, 3, 50)] == [5, 10, 20, 3600]


def test_the_same_transaction_asked_for_again_is_reported_again(site: Site) -> None:
    for _ in range(2):
        assert site.ask([Reference(MR_IMAGE_STORAGE, "2.25.9")]).Status == 0
        with site.scanner.on():
            assert site.commitments.report_next()
        site.clock.advance(1)
    assert len(site.scanner.heard) == 2


def test_requests_that_cannot_be_served_are_refused(site: Site) -> None:
    one = [Reference(MR_IMAGE_STORAGE, "2.25.9")]
    assert site.ask(one, calling="ANOTHER").Status == 0x0110
    assert site.ask(one, action=2).Status == 0x0123
    assert site.ask([]).Status == 0x0115
    assert site.ask([Reference("", "")]).Status == 0x0115
    assert not site.commitments.report_next()


def test_a_node_that_may_not_commit_does_not_offer_it(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        association = associate(node.port, sop_classes=[SOP_CLASS_UID])
        assert not association.accepted_contexts


def test_commitment_without_anybody_to_report_to_is_a_wrong_configuration(tmp_path: Path) -> None:
    settings = tmp_path / "node.toml"
    settings.write_text('[commitment]\nenabled = true\n[[source]]\nname = "mr"\nae_title = "MR"\n')
    with pytest.raises(BadConfiguration, match=r"commitment\.enabled"):
        load(settings, {})
    settings.write_text(
        settings.read_text().replace("[[source]]", "[[source]]\ncommitment = {host = '127.0.0.1', port = 104}")
    )
    assert load(settings, {}).commitment.mode == "kept"


def test_a_verdict_keeps_the_order_of_the_request() -> None:
    one, two = Reference("1.2.3", "2.25.1"), Reference("1.2.3", "2.25.2")
    assert judge([two, one], {"2.25.1": "1.2.3", "2.25.2": "1.2.3"}, ()) == Report((two, one), ())
