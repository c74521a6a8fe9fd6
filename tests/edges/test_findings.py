"""What a job found, for people: its picture, its figures over time, what made it, the objects themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO

import httpx
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from starlette.types import ASGIApp, Receive, Scope, Send

from node.adapters.database.index import Index
from node.adapters.imaging import Imaging
from node.core.access import LOCAL, Actor
from node.pipeline.archive import Archive, Indexing
from node.pipeline.overlay import overlay
from node.web import Web, api_routes
from node.web.access import Access, Visit
from node.web.access.demand import VISIT
from node.web.api.results import Findings, results_router
from node.worker import Worker
from tests.bench import Bench, bench, decoder, rules
from tests.fakes import CARD
from tests.synthetic import Grid, mr_series

__all__ = ["bench", "decoder"]


def asking(actor: Actor) -> Access:
    """Everybody is this one."""

    def around(app: ASGIApp) -> ASGIApp:
        async def asked(scope: Scope, receive: Receive, send: Send) -> None:
            scope[VISIT] = Visit(actor)
            await app(scope, receive, send)

        return asked

    return around


@contextmanager
def archive_of(bench: Bench) -> Iterator[tuple[Archive, Indexing]]:
    """What was received and made, indexed."""
    folder = bench.store.folder
    index = Index(f"sqlite:///{folder / 'index.db'}")
    index.migrate()
    roots = {"instances": bench.store.files.root, "results": folder / "results"}
    with Imaging() as imaging:
        archive = Archive(index, imaging, lambda store, path: roots[store] / path)
        yield archive, Indexing(bench.store.database, index, imaging, archive.path_of, bench.clock, "MRICORE")
    index.close()


@contextmanager
def served(bench: Bench, archive: Archive, actor: Actor = LOCAL) -> Iterator[httpx.Client]:
    router = results_router(Findings(bench.store.database, archive, lambda: {CARD.name: CARD}))
    web = Web(api_routes([router]), access=asking(actor))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/jobs", timeout=60, trust_env=False) as client:
        yield client
    web.stop()


def finished(bench: Bench, datasets: Sequence[Dataset]) -> int:
    """The number of a job that was delivered."""
    job = bench.complete(datasets)
    Worker("worker", bench.store.database, bench.work, bench.clock)._step()
    assert bench.row(job.id).state == "completed", bench.row(job.id).reason
    return job.id


def of_patient(name: str, patient_id: str = "P7", issuer: str = "", study_date: str = "20260105") -> list[Dataset]:
    change = {"PatientID": patient_id, "IssuerOfPatientID": issuer, "StudyDate": study_date}
    return mr_series(Grid(slices=10), name=name, change=change)


def test_the_picture_begins_with_the_slice_that_shows_most_of_a_segment(bench: Bench) -> None:
    number = finished(bench, mr_series(Grid(slices=10)))
    with archive_of(bench) as (archive, indexing), served(bench, archive) as client:
        while indexing.step():
            pass
        found = client.get(f"/{number}/picture").json()
        assert [one["number"] for one in found["slices"]] == [*range(1, 11)]
        head, brain = found["key_slices"]
        assert (head["label"], brain["label"], brain["slice"]) == ("Head", "Brain", 0)  # no brain was found
        assert found["begin"] == head["slice"] >= 1
        assert found["has_segmentation"]
        plain = client.get(f"/{number}/slices/{head['slice']}", params={"overlay": False})
        overlaid = client.get(f"/{number}/slices/{head['slice']}")
        assert overlaid.headers["content-type"] == "image/jpeg"
        assert overlaid.content != plain.content
        assert Image.open(BytesIO(overlaid.content)).mode == "RGB"
        assert client.get(f"/{number}/slices/11").status_code == 404
        assert client.get("/99/picture").status_code == 404
        assert client.get(f"/{10**30}/picture").status_code == 404


def test_a_segmentation_is_named_to_viewers_once_it_can_be_shown(bench: Bench) -> None:
    number = finished(bench, mr_series(Grid(slices=10)))
    with archive_of(bench) as (archive, indexing):
        early = overlay(bench.store.database, archive, number)
        assert (early.segmentation, early.segmentation_series, early.is_missing) == ("", "", True)
        while indexing.step():
            pass
        found = overlay(bench.store.database, archive, number)
        assert archive.find(found.study, [found.segmentation])
        assert not found.is_missing


def test_figures_are_kept_beside_the_volume(bench: Bench) -> None:
    number = finished(bench, mr_series(Grid(slices=10)))
    head, brain = bench.row(number).segments
    assert head["volume_ml"] > 0
    assert head["diameter_mm"] > 0
    assert head["mean"] > head["sd"] > 0
    assert head["slice_uid"]
    assert (brain["mean"], brain["slice_uid"]) == (None, "")


def test_a_patients_earlier_figures_stand_before_this_one_and_nobody_elses(bench: Bench) -> None:
    first = finished(bench, of_patient("a", study_date="20250301"))
    finished(bench, of_patient("b", patient_id="P8"))
    finished(bench, of_patient("c", issuer="another hospital"))
    last = finished(bench, of_patient("d"))
    with archive_of(bench) as (archive, _):
        with served(bench, archive) as client:
            traces = client.get(f"/{last}/earlier").json()
        volume = next(one for one in traces if (one["label"], one["figure"]) == ("Head", "volume_ml"))
        assert volume["unit"] == "ml"
        assert [(one["job_id"], one["study_date"]) for one in volume["values"]] == [
            (first, "20250301"),
            (last, "20260105"),
        ]
        with served(bench, archive, replace(LOCAL, sees_patients=False)) as client:
            traces = client.get(f"/{last}/earlier").json()
            assert {one["study_date"] for trace in traces for one in trace["values"]} == {""}


def test_patients_without_a_number_are_not_one_patient(bench: Bench) -> None:
    finished(bench, of_patient("a", patient_id=""))
    last = finished(bench, of_patient("b", patient_id=""))
    with archive_of(bench) as (archive, _), served(bench, archive) as client:
        assert {len(one["values"]) for one in client.get(f"/{last}/earlier").json()} == {1}


def test_what_made_it_is_told_with_weights_and_rule(bench: Bench) -> None:
    number = finished(bench, mr_series(Grid(slices=10)))
    with archive_of(bench) as (archive, _), served(bench, archive) as client:
        found = client.get(f"/{number}/provenance").json()
    assert (found["model"], found["weights_sha256"]) == (CARD.name, CARD.weights.sha256)
    assert (found["rule"], found["inputs"][0]["slices"]) == ("mr", 10)


def test_a_report_is_read_in_words_and_a_segmentation_as_attributes(bench: Bench) -> None:
    number = finished(bench, of_patient("a"))
    with archive_of(bench) as (archive, indexing):
        with served(bench, archive) as client:
            (here,) = {one["here"] for one in client.get(f"/{number}/results").json()}
            assert not here
            assert "is not here" in client.get(f"/{number}/results/SR").json()["detail"]
            while indexing.step():
                pass
            assert [one["kind"] for one in client.get(f"/{number}/results").json() if one["here"]] == ["SEG", "SR"]
            report = client.get(f"/{number}/results/SR").json()
            segmentation = client.get(f"/{number}/results/SEG").json()
            assert report["content"]["concept"] == "Imaging Measurement Report"
            assert "cubic centimeter" in str(report["content"])
            assert segmentation["content"] is None
            assert "P7" in str(segmentation["tree"])
            assert client.get(f"/{number}/results/PDF").status_code == 404
            assert client.get(f"/{number}/results/nonsense").status_code == 422
        with served(bench, archive, replace(LOCAL, sees_patients=False)) as client:
            hidden = client.get(f"/{number}/results/SEG").json()
            assert "P7" not in str(hidden)
            assert client.get(f"/{number}/slices/1").status_code == 403


def test_every_echo_is_a_picture_of_its_own(bench: Bench) -> None:
    bench.rule_set = rules(
        {
            "_set.yaml": "otherwise: hold\n",
            "10.yaml": "name: mr\ndescription: each\nwhen: {Modality: MR}\n"
            "then: [{infer: {model: mri_core_head, volume: each}}, {deliver: [out]}]\n",
        }
    )
    bench.complete(mr_series(Grid(slices=10), echo_times=(5.0, 50.0)))
    worker = Worker("worker", bench.store.database, bench.work, bench.clock)
    for _ in range(2):
        worker._step()
    with archive_of(bench) as (archive, indexing), served(bench, archive) as client:
        while indexing.step():
            pass
        pictures = [client.get(f"/{job.id}/picture").json() for job in bench.jobs()]
        uids = [{one["sop_instance_uid"] for one in picture["slices"]} for picture in pictures]
        assert [len(one) for one in uids] == [10, 10]
        assert not uids[0] & uids[1]


@pytest.mark.parametrize("address", ["picture", "earlier", "provenance", "results", "results/SEG", "slices/1"])
def test_a_job_that_is_not_there_is_not_found(bench: Bench, address: str) -> None:
    with archive_of(bench) as (archive, _), served(bench, archive) as client:
        for number in (0, -1, 99, 2**31):
            assert client.get(f"/{number}/{address}").status_code == 404
