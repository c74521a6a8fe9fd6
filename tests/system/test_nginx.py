"""A real nginx with our configuration in front of a real node: what streams streams, what is long goes through."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.bench import until
from tests.certificates import Authority
from tests.command_line import mricore_node, settings_file
from tests.nginx import Nginx, nginx
from tests.processes import PATIENCE_S, line_with, python
from tests.synthetic import Grid, mr_series, to_bytes, uid

_BOUNDARY = "part-boundary"
_MEGABYTES = 8  # of one instance
_PASSWORD = "seven lamps beside the quiet scanner"


@dataclass(frozen=True)
class Behind:
    """A node that is reached through nginx alone, by somebody with a token."""

    nginx: Nginx
    client: httpx.Client
    stored: Path

    def browser(self) -> httpx.Client:
        """Somebody else, without a token."""
        verify = ssl.create_default_context(cafile=str(self.nginx.folder.parent / "certificates" / "ca.pem"))
        return httpx.Client(base_url=self.nginx.url, verify=verify, timeout=PATIENCE_S)

    def instances(self) -> int:
        return sum(1 for one in self.stored.rglob("*.dcm"))


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("node")
    file = settings_file(folder)
    environment = {
        "MRICORE_HTTP__BEHIND_PROXY": "true",
        "MRICORE_HTTP__PROXIES": '["127.0.0.1"]',
        "MRICORE_TRITON__URL": "grpc://127.0.0.1:1",
    }
    said = mricore_node(
        *("user", "add", "operator", "--role", "admin", "--password-stdin", "--config", file),
        environment=environment,
        given=_PASSWORD,
    )
    assert said.status == 0, said.err
    scopes = [part for one in ("read", "store", "operate") for part in ("--scope", one)]
    made = mricore_node(
        *("token", "create", "--user", "operator", "--name", "test", *scopes, "--see-patients", "--json"),
        *("--config", file),
        environment=environment,
    )
    assert made.status == 0, made.err
    token = made.json["secret"]
    authority = Authority(folder / "certificates")
    with python(["-m", "node", "serve", "--config", str(file)], log=folder / "log", environment=environment) as process:
        listens = re.search(r"http://\S+:(\d+);", line_with(process, "listens", folder / "log"))
        assert listens
        port = int(listens[1])
        with (
            nginx(folder / "nginx", authority, port, port) as front,
            httpx.Client(
                base_url=front.url,
                verify=ssl.create_default_context(cafile=str(authority.file)),
                timeout=PATIENCE_S,
                headers={"Authorization": f"Bearer {token}"},
            ) as client,
        ):
            yield Behind(front, client, folder / "instances")


def parts(number: int, name: str) -> Iterator[bytes]:
    """Bodies of a STOW-RS request: instances of 8 MB."""
    side = 2048
    ds = mr_series(Grid(slices=1, rows=side, columns=side), name=name)[0]
    content, old = to_bytes(ds), str(ds.SOPInstanceUID).encode()
    for n in range(number):
        new = uid("instance", name, n)[: len(old)].ljust(len(old), "7").encode()
        yield f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield content.replace(old, new)
        yield b"\r\n"
    yield f"--{_BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize("megabytes", [48, pytest.param(1024, marks=pytest.mark.slow)])
def test_a_study_streams_through_and_the_node_has_its_beginning_before_its_end(behind: Behind, megabytes: int) -> None:
    number, before = megabytes // _MEGABYTES, behind.instances()
    aside: list[str] = []

    def body() -> Iterator[bytes]:
        for n, piece in enumerate(parts(number, f"study-{megabytes}")):
            if n == 3 * (number - 1):  # the last instance is held back until the node has the others
                until(lambda: behind.instances() >= before + number - 2, "what was sent", PATIENCE_S)
            aside.extend(behind.nginx.set_aside())
            yield piece

    answer = behind.client.post(
        "/dicom-web/studies",
        content=body(),
        headers={"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'},
    )
    assert answer.status_code == 200, answer.text
    assert behind.instances() == before + number
    assert aside == []
    assert behind.nginx.memory() < 64 << 20


def test_an_instance_comes_back_without_resting_in_nginx(behind: Behind) -> None:
    one = mr_series(Grid(slices=1, rows=2048, columns=2048), name="back")[0]
    body = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + to_bytes(one)
    answer = behind.client.post(
        "/dicom-web/studies",
        content=body + f"\r\n--{_BOUNDARY}--\r\n".encode(),
        headers={"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'},
    )
    assert answer.status_code == 200, answer.text
    path = f"/dicom-web/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
    until(lambda: behind.client.get(f"{path}/metadata").status_code == 200, "the index", PATIENCE_S)
    with behind.client.stream("GET", path) as streamed:
        assert streamed.status_code == 200
        size = sum(len(piece) for piece in streamed.iter_bytes() if not behind.nginx.set_aside())
    assert size > 2048 * 2048 * 2


def test_events_come_as_they_happen(behind: Behind) -> None:
    with behind.client.stream("GET", "/api/v1/board/events") as events:
        assert events.status_code == 200
        assert events.headers["content-type"].startswith("text/event-stream")
        first = next(events.iter_lines())
    assert first.startswith(("event:", "id:", ":", "retry:"))


def test_long_headers_and_searches_go_through(behind: Behind) -> None:
    assert behind.client.get("/api/v1/jobs", headers={"X-Long": "a" * 30_000}).status_code == 200
    many = behind.client.get(f"/dicom-web/studies?StudyInstanceUID={'1.2.3,' * 5000}1")
    assert many.status_code in (200, 204, 400)  # whatever the node thinks of it
    assert "nginx" not in many.text


def test_what_is_not_dicomweb_stays_small(behind: Behind) -> None:
    assert behind.client.post("/api/v1/jobs/pause", content=b"a" * (3 << 20)).status_code == 413


def test_clear_text_leads_to_tls_and_tells_nothing(behind: Behind) -> None:
    clear = f"http://localhost:{behind.nginx.port}"
    answer = httpx.get(f"{clear}/dicom-web/studies?PatientName=Doe", timeout=PATIENCE_S)
    assert answer.status_code == 308
    assert answer.headers["location"].startswith(f"{behind.nginx.url}/")
    assert httpx.get(f"{clear}/alive", timeout=PATIENCE_S).status_code == 204


def test_old_tls_is_refused_and_the_answer_demands_tls_for_a_year(behind: Behind) -> None:
    assert behind.client.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("AES128-SHA:@SECLEVEL=0")  # without forward secrecy
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{behind.nginx.url}/healthz", verify=old, timeout=PATIENCE_S)


def test_who_shows_no_token_is_turned_away_and_what_watches_the_node_is_not_for_the_street(behind: Behind) -> None:
    with behind.browser() as nobody:
        for path in ("/dicom-web/studies", "/api/v1/jobs"):
            assert nobody.get(path).status_code == 401, path
        assert nobody.get("/dicom-web/studies", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401
    for path in ("/metrics", "/readyz"):
        assert behind.client.get(path).status_code == 404, path


def signed_in(behind: Behind, **said: str) -> httpx.Response:
    """Waits while nginx lets nobody of this address try."""
    answers = list[httpx.Response]()

    def asked() -> bool:
        who = {"name": "operator", "password": _PASSWORD}
        with behind.browser() as browser:
            answers.append(browser.post("/api/v1/session", json=who, headers=said))
        return answers[-1].status_code != 429

    until(asked, "a try", PATIENCE_S)
    return answers[-1]


def test_a_browser_signs_in_at_whatever_port_is_published(behind: Behind) -> None:
    assert signed_in(behind, Origin=behind.nginx.url).status_code == 201
    assert signed_in(behind, Origin="https://localhost").status_code == 403


def test_the_port_that_browsers_leave_out_is_no_part_of_the_name(behind: Behind) -> None:
    assert signed_in(behind, Host="localhost:443", Origin="https://localhost").status_code == 201


def test_who_tries_passwords_without_end_is_stopped_by_nginx_and_who_only_looks_is_not(behind: Behind) -> None:
    wrong = {"name": "", "password": ""}  # no password is looked at: this is about how often one may ask

    def stopped(answer: httpx.Response) -> bool:
        return answer.status_code == 429 and "nginx" in answer.text

    with behind.browser() as browser:
        assert any(stopped(browser.post("/api/v1/session", json=wrong)) for _ in range(200))
        assert not any(stopped(browser.get(path)) for path in ("/api/v1/session", "/admin/sign-in") for _ in range(30))


def test_nobody_s_searches_stand_in_nginx_s_log(behind: Behind) -> None:
    def logged() -> str:
        return (behind.nginx.folder / "access.log").read_text()

    before = len(logged())
    assert behind.client.get("/dicom-web/studies?PatientName=Musterfrau").status_code == 204
    written = re.compile(r'"GET \S+" 204 .*\n')
    until(lambda: written.search(logged(), before), "the line, which nginx writes after the answer", PATIENCE_S)
    assert "Musterfrau" not in logged() + (behind.nginx.folder / "error.log").read_text()
