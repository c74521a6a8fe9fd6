"""/api/v1/senders: an unknown sender is seen with what it asked for, and admitted while the node runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.adapters.database.audit import Wanted, page
from node.adapters.database.sender_requests import known
from node.adapters.database.senders import known_senders
from node.app.receiving import Receiving
from tests.bench import until
from tests.edges.test_places_taken_up import receiving
from tests.keeping import Kept, keeping
from tests.listening import associate, echoes, now
from tests.synthetic import MR_IMAGE_STORAGE

__all__ = ["receiving"]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with keeping(tmp_path, now) as found:
        yield found


def test_an_unknown_sender_is_shown_with_what_it_wanted_and_admitted(kept: Kept, receiving: Receiving) -> None:
    assert not associate(receiving.dicom_port, calling="MR_NEW").is_established
    until(lambda: known(kept.database), "the request is noted, behind the answer")
    (seen,) = kept.api.get("/senders").json()
    assert (seen["ae_title"], seen["host"], seen["may_send"]) == ("MR_NEW", "127.0.0.1", False)
    assert (seen["called_ae"], seen["proposed"]) == ("MRICORE", ["MR Image Storage", "Verification SOP Class"])
    assert "not listed" in seen["reason"]
    assert kept.api.post("/senders/admit", json={"ae_title": "MR_NEW", "host": "127.0.0.1"}).status_code == 200
    assert echoes(associate(receiving.dicom_port, calling="MR_NEW"))
    assert kept.api.get("/senders").json()[0]["admitted"]
    assert kept.api.post("/senders/forget", json={"ae_title": "MR_NEW"}).status_code == 200
    assert not associate(receiving.dicom_port, calling="MR_NEW").is_established
    assert [one.line.what for one in page(kept.database, Wanted(), None, 9)] == ["sender.forget", "sender.admit"]


@pytest.mark.parametrize("ae_title", ["", "much too long for one", "a\nb"])
def test_what_is_no_ae_title_is_refused(kept: Kept, ae_title: str) -> None:
    assert kept.api.post("/senders/admit", json={"ae_title": ae_title}).status_code == 422
    assert kept.api.post("/senders/forget", json={"ae_title": "NOBODY"}).status_code == 404


def test_requests_of_senders_that_the_list_dropped_go_with_them(kept: Kept, receiving: Receiving) -> None:
    associate(receiving.dicom_port, calling="FIRST")
    until(lambda: ("FIRST", "127.0.0.1") in known(kept.database), "the first is noted")
    kept.api.post("/senders/forget", json={"ae_title": "FIRST"})
    associate(receiving.dicom_port, calling="SECOND", sop_classes=(MR_IMAGE_STORAGE,))
    until(lambda: {ae for ae, _ in known(kept.database)} == {"SECOND"}, "only the second is left")
    assert {one.calling_ae for one in known_senders(kept.database)} == {"SECOND"}


def test_every_change_of_a_place_is_in_the_audit_trail(kept: Kept) -> None:
    keys = {"url": "https://127.0.0.1:9/dicom-web", "user": "node"}
    kept.add("destinations", "web", "stow", keys, secrets={"password": "open sesame"})
    kept.api.put("/destinations/web", json={"revision": 1, "kind": "stow", "keys": {**keys, "url": "https://h"},
                                            "secrets": {"password": "open barley"}})  # fmt: skip
    kept.api.delete("/destinations/web", params={"revision": 2})
    lines = [one.line for one in page(kept.database, Wanted(), None, 9)]
    assert [one.what for one in lines] == ["destination.remove", "destination.edit", "destination.add"]
    assert "https://h" in lines[1].after
    assert "127.0.0.1" in lines[1].before
    assert "open" not in str(lines)
