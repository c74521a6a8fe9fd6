"""The viewer: installed from a checked package, served below /ohif/; and from a job to its picture."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import httpx
import pytest

from node.adapters.database import Database
from node.adapters.viewer import install
from node.errors import NoSuch, StoreUnavailable, Usage
from node.pipeline.archive import Archive
from node.pipeline.overlay import Overlay, overlay
from node.web import Web, viewer_routes
from tests.command_line import mricore_node

BUNDLE = "app.bundle.0f6159c501addfe9.js"
DIST = {
    "index.html": b'<script>window.PUBLIC_URL="/"</script><script src="/init-service-worker.js"></script>'
    b'<script src="/app-config.js"></script><script src="/' + BUNDLE.encode() + b'"></script>',
    BUNDLE: b'__webpack_require__.p = "/";' + b"// code\n" * 1000,
    f"{BUNDLE}.map": b"{}",
    "app.bundle.css": b"a{src:url(/font.woff2)}",
    "manifest.json": b'{"icons":["/assets/icon.png"]}',
    "assets/icon.png": b"\x89PNG",
    "ort/huge.wasm": b"0" * 5000,
    "sw.js": b"old",
}
# As the package has it
BETWEEN_PIXELS_AND_PATIENT = b"""
scaleAndAdd(imageCoordsInWorld, origin, rowCosines, rowPixelSpacing * (imageCoords[0] - 0.5));
scaleAndAdd(imageCoordsInWorld, imageCoordsInWorld, columnCosines, columnPixelSpacing * (imageCoords[1] - 0.5));
const imageCoords = [rowDistance / rowPixelSpacing, columnDistance / columnPixelSpacing];
"""
OVERLAY = Overlay(
    7, "mri_core_head", "completed", "delivered to pacs", "1.2.3", "1.2.3.4", "1.2.9", "1.2.9.1", ("1.5",)
)


def package(folder: Path, members: dict[str, bytes]) -> tuple[Path, str]:
    """A package as npm brings it, and its SHA-512."""
    path = folder / "ohif.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path, hashlib.sha512(path.read_bytes()).hexdigest()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    packed, sha512 = package(tmp_path, {f"package/dist/{name}": content for name, content in DIST.items()})
    install(packed, tmp_path / "viewer", "/ohif/", sha512=sha512)
    return tmp_path / "viewer"


def test_an_outline_lies_on_what_it_outlines_where_pixels_are_not_square(tmp_path: Path) -> None:
    packed, sha512 = package(
        tmp_path, {"package/dist/index.html": b"", "package/dist/app.js": BETWEEN_PIXELS_AND_PATIENT}
    )
    install(packed, tmp_path / "viewer", "/ohif/", sha512=sha512)
    code = (tmp_path / "viewer" / "app.js").read_text()
    assert "rowCosines, columnPixelSpacing * (imageCoords[0]" in code
    assert "columnCosines, rowPixelSpacing * (imageCoords[1]" in code
    assert "[rowDistance / columnPixelSpacing, columnDistance / rowPixelSpacing]" in code


Open = Callable[..., httpx.Client]


@pytest.fixture
def client() -> Iterator[Open]:
    """A server for a folder and what is found of a job."""
    with ExitStack() as stack:

        def opened(folder: Path, found: Overlay | Exception = OVERLAY) -> httpx.Client:
            def find(_job_id: int) -> Overlay:
                if isinstance(found, Exception):
                    raise found
                return found

            web = Web(viewer_routes(folder, find))
            stack.callback(web.stop)
            port = web.start("127.0.0.1", 0)
            return stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))

        yield opened


def test_what_is_installed_lives_below_its_path_without_what_it_does_not_need(installed: Path) -> None:
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    kept = {"index.html", BUNDLE, f"{BUNDLE}.gz", "app.bundle.css", "manifest.json", "assets/icon.png"}
    assert names == kept
    page = (installed / "index.html").read_text()
    assert 'src="/ohif/app-config.js"' in page
    assert "service-worker" not in page
    assert b'p = "/ohif/"' in (installed / BUNDLE).read_bytes()
    assert gzip.decompress((installed / f"{BUNDLE}.gz").read_bytes()) == (installed / BUNDLE).read_bytes()
    assert (installed / "app.bundle.css").read_text() == "a{src:url(/ohif/font.woff2)}"


def test_another_package_than_the_pinned_one_is_refused_and_the_old_viewer_stays(installed: Path) -> None:
    packed, _ = package(installed.parent, {"package/dist/index.html": b"another"})
    with pytest.raises(Usage, match=r"is not @ohif/app .*: its SHA-512 is"):
        install(packed, installed, "/ohif/")
    assert "app-config" in (installed / "index.html").read_text()


def test_a_cut_package_and_one_without_a_viewer_are_refused(tmp_path: Path) -> None:
    packed, _ = package(tmp_path, {f"package/dist/{name}": content for name, content in DIST.items()})
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(Usage, match="cannot be unpacked"):
        install(packed, tmp_path / "viewer", "/ohif/", sha512=hashlib.sha512(packed.read_bytes()).hexdigest())
    packed, sha512 = package(tmp_path, {"package/README": b"nothing"})
    with pytest.raises(Usage, match=r"holds no package/dist/index\.html"):
        install(packed, tmp_path / "viewer", "/ohif/", sha512=sha512)
    assert not (tmp_path / "viewer").exists()


def test_nothing_is_written_outside_the_viewers_folder(tmp_path: Path) -> None:
    names = ("package/dist/index.html", "package/dist/../../../escaped", "/escaped", "package/dist/x/../../../escaped")
    packed, sha512 = package(tmp_path, dict.fromkeys(names, b"content"))
    (tmp_path / "deep").mkdir()
    install(packed, tmp_path / "deep" / "viewer", "/ohif/", sha512=sha512)
    assert not list(tmp_path.rglob("escaped"))
    assert not Path("/escaped").exists()


def test_files_are_served_compressed_and_for_ever_where_their_names_say_so(client: Open, installed: Path) -> None:
    page = client(installed)
    bundle = page.get(f"/ohif/{BUNDLE}", headers={"Accept-Encoding": "gzip"})
    assert bundle.headers["content-encoding"] == "gzip"
    assert "immutable" in bundle.headers["cache-control"]
    assert bundle.content == (installed / BUNDLE).read_bytes()
    plain = page.get(f"/ohif/{BUNDLE}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert page.get("/ohif/index.html").headers["cache-control"] == "no-cache"


def test_addresses_of_the_viewers_own_router_get_its_first_page(client: Open, installed: Path) -> None:
    page = client(installed)
    for path in ("/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2.3", "/ohif/local"):
        assert "app-config.js" in page.get(path).text
    assert page.get("/ohif/missing.js").status_code == 404


@pytest.mark.parametrize(
    "path", ["/ohif/..%2f..%2fsecret.txt", "/ohif/%2e%2e/secret.txt", "/ohif/a%00b", "/ohif//etc/passwd"]
)
def test_nothing_outside_the_viewer_is_served(client: Open, installed: Path, path: str) -> None:
    (installed.parent / "secret.txt").write_text("secret")
    answer = client(installed).get(path)
    assert "secret" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", [f"/ohif/{'a' * 300}", f"/ohif/{'a/' * 3000}", f"/ohif/{'a' * 300}.js"])
def test_an_address_that_no_file_can_have_is_answered_like_any_other(client: Open, installed: Path, path: str) -> None:
    assert client(installed).get(path).status_code == (404 if path.endswith(".js") else 200)


def test_a_number_that_no_job_can_have_is_not_looked_for(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    database.migrate()
    for number in (0, 2**31, 10**30):
        with pytest.raises(NoSuch, match="there is no job"):
            overlay(database, cast("Archive", None), number)
    database.close()


def test_a_viewer_that_is_not_installed_says_how_it_is(client: Open, tmp_path: Path) -> None:
    answer = client(tmp_path / "none").get("/ohif/")
    assert answer.status_code == 404
    assert "mricore-node viewer install" in answer.text


def test_its_configuration_asks_this_server_and_for_frames(client: Open, installed: Path) -> None:
    script = client(installed).get("/ohif/app-config.js").text
    assert '"wadoRoot": "/dicom-web"' in script
    assert '"loadMultiframeAsPart10": false' in script


def test_a_job_leads_to_its_overlay_with_no_click(client: Open, installed: Path) -> None:
    answer = client(installed).get("/view/jobs/7")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ohif/viewer?StudyInstanceUIDs=1.2.3&initialSeriesInstanceUID=1.2.9"


def test_a_job_whose_images_are_gone_says_so_rather_than_open_an_empty_viewer(client: Open, installed: Path) -> None:
    answer = client(installed, replace(OVERLAY, images=())).get("/view/jobs/7")
    assert answer.status_code == 200
    assert "no images of it here any more" in answer.text


def test_a_job_whose_segmentation_is_not_to_be_had_shows_its_images_and_says_so(client: Open, installed: Path) -> None:
    missing = replace(OVERLAY, segmentation="", segmentation_series="", is_missing=True)
    answer = client(installed, missing).get("/view/jobs/7")
    assert answer.status_code == 200
    assert 'instances/1.5/rendered?viewport=384%2C384"' in answer.text
    assert "it was removed, or is not in the index yet" in answer.text


def test_a_job_whose_result_was_replaced_leads_to_pictures_of_it_and_says_so(client: Open, installed: Path) -> None:
    replaced = replace(OVERLAY, state="superseded", reason="replaced by the result of job 9")
    answer = client(installed, replaced).get("/view/jobs/7")
    assert "superseded: replaced by the result of job 9" in answer.text
    assert "overlay=1.2.9.1" in answer.text


def test_without_the_viewer_a_job_leads_to_pictures_with_the_overlay_burnt_in(client: Open, tmp_path: Path) -> None:
    answer = client(tmp_path / "none", replace(OVERLAY, reason="<script>alert(1)</script>")).get("/view/jobs/7")
    assert answer.status_code == 200
    assert "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.5/rendered?viewport=384%2C384&amp;overlay=1.2.9.1" in (
        answer.text
    )
    assert "<script>" not in answer.text
    assert 'href="/admin/jobs/7"' in answer.text  # and on from there


def test_a_job_that_is_not_there_and_a_database_that_is_gone_are_told_apart(client: Open, installed: Path) -> None:
    assert client(installed, NoSuch("there is no job 7")).get("/view/jobs/7").status_code == 404
    assert client(installed, StoreUnavailable("the database does not answer")).get("/view/jobs/7").status_code == 503


def test_the_command_line_refuses_a_file_that_is_not_the_viewer(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"no")
    (tmp_path / "node.toml").write_text(f'[node]\ndata_dir = "{tmp_path}"\n')
    done = mricore_node("viewer", "install", "--config", tmp_path / "node.toml", "--from", tmp_path / "x.tgz")
    assert done.status == 2
    assert "is not @ohif/app" in done.err
