"""What is added, edited and removed is taken up by every process without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.adapters.database.feeds import states
from node.adapters.database.processes import arrive
from node.adapters.files import Files
from node.adapters.objects import ResultFiles
from node.app.destinations import build_delivering, wanted_forms
from node.app.places import LiveMapping, Places
from node.app.receiving import Receiving
from node.app.rules import build_versions
from node.core.forms import Form
from tests.bench import until
from tests.clock import Clock
from tests.keeping import Kept, keeping
from tests.listening import VERIFICATION, associate, echoes, now
from tests.synthetic import Grid, mr_series, write

RULE = """
name: head
priority: routine
when: {Modality: MR}
on_unknown: hold
then:
  - infer: mri_core_head
  - deliver: [PACS2]
"""
COMMITMENT = "1.2.840.10008.1.20.1"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    (tmp_path / "exchange").mkdir()
    with keeping(tmp_path, places={"folders": [tmp_path / "exchange"]}) as found:
        yield found


@pytest.fixture
def receiving(kept: Kept, tmp_path: Path) -> Iterator[Receiving]:
    """Another process, which receives."""
    places = another(kept)
    arrive(kept.database, places.file.process_id, now())
    delivering = build_delivering(places, kept.database, ResultFiles(tmp_path / "results"), now)
    made = Receiving(places, kept.database, Files(tmp_path / "instances", 0), now, delivering, lambda: None)
    made.listen()
    made.follow()
    yield made
    made.stop(lambda: 5.0)
    made.close(lambda: 5.0)
    made.reception.close()


def another(kept: Kept) -> Places:
    """As another process has it."""
    return Places(kept.places.file, kept.database)


def test_another_process_delivers_to_what_was_added_here(kept: Kept, tmp_path: Path) -> None:
    elsewhere = another(kept)
    delivering = build_delivering(elsewhere, kept.database, ResultFiles(tmp_path), Clock())
    forms = LiveMapping(elsewhere, wanted_forms)
    assert dict(delivering.destinations) == {}
    keys = {"ae_title": "PACS2", "host": "127.0.0.1", "port": 1, "max_parallel": 3, "pdf": True}
    assert kept.add("destinations", "PACS2", "dicom", keys).status_code == 201
    until(lambda: "PACS2" in delivering.destinations, "the destination is taken up")
    assert delivering.gate.policy("PACS2").max_parallel == 3
    assert Form.PDF in forms["PACS2"]
    kept.api.delete("/destinations/PACS2", params={"revision": 1})
    until(lambda: "PACS2" not in delivering.destinations, "it is gone")


def test_a_rule_that_names_a_destination_that_is_not_there_is_told(kept: Kept) -> None:
    versions = build_versions(another(kept), kept.database, Clock(), [])

    def told() -> list[str]:
        return [str(one) for one in versions.check({"head.yaml": RULE}) if "there is no destination" in str(one)]

    assert "there is no destination PACS2" in told()[0]
    kept.add("destinations", "PACS2", "dicom", {"ae_title": "PACS2", "host": "127.0.0.1"})
    until(lambda: not told(), "the check knows it")


def test_a_source_that_was_added_may_send_and_one_that_was_removed_may_not(kept: Kept, receiving: Receiving) -> None:
    assert not associate(receiving.dicom_port).is_established
    assert kept.add("sources", "mr", "dicom", {"ae_title": "SCANNER", "hosts": ["127.0.0.1"]}).status_code == 201
    until(lambda: echoes(associate(receiving.dicom_port)), "it may send")
    kept.api.put("/sources/mr", json={"revision": 1, "kind": "dicom", "keys": {"ae_title": "SCANNER", "hosts": "::1"}})
    until(lambda: not associate(receiving.dicom_port).is_established, "it may send from elsewhere only")


def test_a_watched_folder_is_followed_from_the_moment_it_is_added(
    kept: Kept, receiving: Receiving, tmp_path: Path
) -> None:
    folder = tmp_path / "exchange" / "in"
    write(mr_series(Grid(slices=2)), folder)
    keys = {"path": str(folder), "settle_seconds": 0.01, "poll_seconds": 0.1}
    assert kept.add("sources", "in", "folder", keys).status_code == 201
    until(lambda: len(list((folder / ".received").glob("*.dcm"))) == 2, "the files are in the ledger")
    assert kept.api.delete("/sources/in", params={"revision": 1}).status_code == 204
    until(lambda: not receiving.followed, "it is left alone")
    assert [one.name for one in states(kept.database)] == ["in"]


def test_reports_of_storage_commitment_are_taken_while_a_destination_needs_them(
    kept: Kept, receiving: Receiving
) -> None:
    kept.add("sources", "pacs2", "dicom", {"ae_title": "SCANNER"})

    def is_offered() -> bool:
        association = associate(receiving.dicom_port, sop_classes=(COMMITMENT, VERIFICATION))
        offered = any(one.abstract_syntax == COMMITMENT for one in association.accepted_contexts)
        association.release()
        return offered

    until(lambda: echoes(associate(receiving.dicom_port)), "it may send")
    assert not is_offered()
    keys = {"ae_title": "SCANNER", "host": "127.0.0.1", "proof": "commitment"}
    assert kept.add("destinations", "PACS2", "dicom", keys).status_code == 201
    until(is_offered, "reports are taken")


def test_a_delivery_to_what_was_added_a_moment_ago_elsewhere_is_not_refused(kept: Kept, tmp_path: Path) -> None:
    elsewhere = another(kept)
    delivering = build_delivering(elsewhere, kept.database, ResultFiles(tmp_path), Clock())
    assert delivering.destinations.get("new") is None
    kept.add("destinations", "new", "dicom", {"ae_title": "NEW", "host": "127.0.0.1", "port": 1})
    assert delivering.destinations.get("new") is not None  # at once
