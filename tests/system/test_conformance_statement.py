"""The conformance statement says what a running node negotiates, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from node import __version__
from tests.processes import PATIENCE_S
from tests.whole_node import whole_node

_STATEMENT = (Path(__file__).parents[2] / "docs" / "conformance-statement.md").read_text(encoding="utf-8")
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_MOST = 128  # contexts of an association (PS3.8 9.3.2.2)


def rows(table: str) -> list[list[str]]:
    """The cells of a table of the statement."""
    made = re.search(rf"<!-- made: {table} -->\n(.*?)<!-- end -->", _STATEMENT, re.DOTALL)
    assert made, table
    lines = [line for line in made[1].splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


STORAGE = [uid for _, uid in rows("storage")]
SYNTAXES = [uid for _, uid in rows("syntaxes")]
SERVICES = [uid for _, uid, *_ in rows("contexts") if uid]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A node with everything on that the statement calls an option."""
    with whole_node(tmp_path_factory.mktemp("node"), commitment={"enabled": True}) as node:
        yield node.dicom_port


@contextmanager
def associated(port: int, contexts: Sequence[PresentationContext], roles: Sequence[Any] = ()) -> Iterator[Association]:
    """An association with the node, established or not; its end."""
    ae = AE(ae_title="TESTER")
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE_S
    opened: list[socket] = []
    association = ae.associate(
        "127.0.0.1",
        port,
        list(contexts),
        ae_title="MRICORE",
        ext_neg=list(roles) or None,
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))],
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        for connection in opened:  # pynetdicom's SCU leaves it open when the other side went first
            connection.close()


def accepted(
    port: int, wanted: Iterable[tuple[str, Sequence[str]]], roles: Sequence[Any] = ()
) -> list[PresentationContext]:
    """The contexts that the node accepts of those that are proposed, in as many associations as it takes."""
    contexts = [build_context(uid, list(syntaxes)) for uid, syntaxes in wanted]
    found: list[PresentationContext] = []
    for begin in range(0, len(contexts), _MOST):
        with associated(port, contexts[begin : begin + _MOST], roles) as association:
            found += association.accepted_contexts if association.is_established else ()
    return found


def sop_classes(found: Iterable[PresentationContext]) -> set[str]:
    return {str(one.abstract_syntax) for one in found}


def test_every_storage_class_of_the_statement_is_accepted_with_the_preferred_transfer_syntax(port: int) -> None:
    found = accepted(port, [(uid, SYNTAXES[::-1]) for uid in STORAGE])
    assert sop_classes(found) == set(STORAGE)
    assert {str(one.transfer_syntax[0]) for one in found} == {SYNTAXES[0]}


def test_a_storage_class_is_accepted_in_each_transfer_syntax_of_the_statement(port: int) -> None:
    for uid in (STORAGE[0], "1.2.840.10008.5.1.4.1.1.4", STORAGE[-1]):
        found = accepted(port, [(uid, [syntax]) for syntax in SYNTAXES])
        assert [str(one.transfer_syntax[0]) for one in found] == SYNTAXES


def test_the_services_of_the_statement_are_accepted_uncompressed_only(port: int) -> None:
    found = accepted(port, [(uid, [syntax]) for uid in SERVICES for syntax in SYNTAXES])
    assert sorted((str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in found) == sorted(
        (uid, syntax) for uid in SERVICES for syntax in _UNCOMPRESSED
    )


def test_no_other_sop_class_is_accepted(port: int) -> None:
    named = {*STORAGE, *SERVICES}
    others = [uid for uid, (_, kind, *_) in UID_dictionary.items() if "SOP Class" in kind and uid not in named]
    assert len(others) > 50
    assert sop_classes(accepted(port, [(uid, _UNCOMPRESSED) for uid in others])) == set()


def test_roles_are_accepted_for_storage_and_not_for_queries(port: int) -> None:
    proposed = {"1.2.840.10008.5.1.4.1.1.4": True, "1.2.840.10008.5.1.4.1.2.2.1": False}
    roles = []
    for uid in proposed:
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = uid, False, True
        roles.append(role)
    found = accepted(port, [(uid, _UNCOMPRESSED) for uid in proposed], roles)
    assert {str(one.abstract_syntax): bool(one.as_scp) for one in found} == proposed


def test_what_the_statement_says_of_the_implementation_is_what_a_peer_is_told(port: int) -> None:
    with associated(port, [build_context(SERVICES[0])]) as association:
        told = association.acceptor
    assert f"| implementation class UID | {told.implementation_class_uid} |" in _STATEMENT
    assert told.implementation_version_name == f"MRICORE_{__version__.replace('.', '_')}"
    assert f"{told.maximum_length} octets" in _STATEMENT
