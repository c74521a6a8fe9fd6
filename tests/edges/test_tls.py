"""DICOM TLS: who gets in, what is refused, and certificates that change while the node runs."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
import warnings
from pathlib import Path

import pytest

from node.errors import BadConfiguration
from node.scp import Admission, Source
from node.scp.tls import Certificates
from tests.certificates import Authority
from tests.listening import Listening, associate, echoes, listening
from tests.synthetic import Grid, mr_series


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def presented(node: Listening, authority: Authority) -> bytes:
    """The certificate that the node shows to a sender."""
    context = authority.client("looker")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", node.tls_port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def test_a_sender_with_a_certificate_of_the_authority_gets_in(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        assert echoes(associate(node.tls_port, tls=authority.client("scanner")))
        assert echoes(associate(node.port)), "the plain port goes on as it was"


def test_a_sender_without_a_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        assert not associate(node.tls_port, tls=authority.client()).is_established
        assert node.noted == []


def test_a_sender_with_a_certificate_of_another_authority_is_refused(tmp_path: Path, authority: Authority) -> None:
    stranger = authority.client()
    stranger.load_cert_chain(*Authority(tmp_path / "other").issue("stranger"))
    with listening(tmp_path, certificates=authority.server()) as node:
        assert not associate(node.tls_port, tls=stranger).is_established


def test_a_sender_needs_no_certificate_where_the_node_names_no_authority(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server(ask_senders=False)) as node:
        assert echoes(associate(node.tls_port, tls=authority.client()))


def test_plain_dicom_on_the_tls_port_is_refused_and_the_port_goes_on(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        assert not associate(node.tls_port).is_established
        assert echoes(associate(node.tls_port, tls=authority.client("scanner")))


def test_tls_older_than_1_2_is_refused(tmp_path: Path, authority: Authority) -> None:
    old = authority.client("scanner")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is what is tested
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with listening(tmp_path, certificates=authority.server()) as node:
        assert not associate(node.tls_port, tls=old).is_established


def test_a_peer_that_never_finishes_the_handshake_holds_nobody_up(tmp_path: Path, authority: Authority) -> None:
    with (
        listening(tmp_path, certificates=authority.server()) as node,
        socket.create_connection(("127.0.0.1", node.tls_port), timeout=60),
    ):
        assert echoes(associate(node.tls_port, tls=authority.client("scanner")))


def test_an_instance_sent_over_tls_is_in_the_ledger_with_the_name_of_the_certificate(
    tmp_path: Path, authority: Authority
) -> None:
    series = mr_series(Grid(slices=3, rows=256, columns=256))
    with listening(tmp_path, certificates=authority.server()) as node:
        association = associate(node.tls_port, tls=authority.client("mr1.example"))
        assert [association.send_c_store(ds).Status for ds in series] == [0, 0, 0]
        association.release()
        assert [line.association.partition(" ")[2] for line in node.receipts()] == ["CN=mr1.example"] * 3
        assert echoes(associate(node.port))


def test_an_ae_title_bound_to_a_certificate_gets_in_with_it_only(tmp_path: Path, authority: Authority) -> None:
    policy = Admission("MRICORE", True, [Source("scanner", "SCANNER", (), certificate_name="mr1.example")])
    with listening(tmp_path, certificates=authority.server(), admission=policy) as node:
        assert echoes(associate(node.tls_port, tls=authority.client("mr1.example")))
        assert associate(node.tls_port, tls=authority.client("mr2.example")).is_rejected
        assert associate(node.port).is_rejected


def test_a_new_certificate_is_shown_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        before = presented(node, authority)
        authority.issue("node")  # in the same files
        assert presented(node, authority) != before
        assert echoes(associate(node.tls_port, tls=authority.client("scanner")))


def test_files_that_are_no_certificate_any_more_leave_the_old_one_in_use(tmp_path: Path, authority: Authority) -> None:
    certificates = authority.server()
    with listening(tmp_path, certificates=certificates) as node:
        before = presented(node, authority)
        certificates.certificate.write_text("half a certi")
        assert presented(node, authority) == before
        certificates.key.unlink()
        assert presented(node, authority) == before


def test_an_authority_taken_out_of_the_file_is_not_accepted_any_more(tmp_path: Path, authority: Authority) -> None:
    other = Authority(tmp_path / "other")
    certificates = authority.server()
    with listening(tmp_path, certificates=certificates) as node:
        scanner = authority.client("scanner")
        assert echoes(associate(node.tls_port, tls=scanner))
        shutil.copy(other.file, certificates.authorities or tmp_path)
        assert not associate(node.tls_port, tls=scanner).is_established


def test_the_node_does_not_start_with_files_that_make_no_server(tmp_path: Path, authority: Authority) -> None:
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")
    for files in (Certificates(certificate, key), Certificates(tmp_path / "none.pem", key)):
        with pytest.raises(BadConfiguration, match="tls_certificate"), listening(tmp_path, certificates=files):
            pass


def test_an_encrypted_key_is_an_error_and_not_a_question_at_the_terminal(tmp_path: Path, authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization

    certificate, key = authority.issue("node")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    began = time.monotonic()
    with pytest.raises(BadConfiguration), listening(tmp_path, certificates=Certificates(certificate, key)):
        pass
    assert time.monotonic() - began < 60  # who is asked at a terminal waits for ever
