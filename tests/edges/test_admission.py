"""Association requests that are refused, and those that are let in later."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from click.testing import CliRunner, Result
from pynetdicom.association import Association

from node.adapters.database import Database
from node.adapters.database.senders import admit, is_admitted, known_senders, note_sender
from node.cli import entry
from node.scp import Admission
from tests.bench import until
from tests.listening import associate, echoes, listening, now


def rejection(association: Association) -> tuple[int | None, int | None, int | None]:
    """Result, source and diagnostic of the A-ASSOCIATE-RJ."""
    assert association.is_rejected
    primitive = association.acceptor.primitive
    assert primitive is not None
    return (primitive.result, primitive.result_source, primitive.diagnostic)


def test_an_unknown_sender_is_refused_and_told_to_the_list(tmp_path: Path) -> None:
    with listening(tmp_path, admission=Admission("MRICORE", False, [])) as node:
        assert rejection(associate(node.port)) == (1, 1, 3)
        until(lambda: node.noted, "the list is told, behind the answer")
    caller, refused = node.noted[0]
    assert (caller.calling_ae, caller.host) == ("SCANNER", "127.0.0.1")
    assert refused is not None


def test_another_called_ae_title_is_refused(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        assert rejection(associate(node.port, called="OTHER")) == (1, 1, 7)


def test_a_sender_admitted_meanwhile_may_send_without_a_restart(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    policy = Admission("MRICORE", False, [], lambda ae, host: is_admitted(database, ae, host))
    with listening(tmp_path, admission=policy, database=database) as node:
        assert not associate(node.port).is_established
        admit(database, "SCANNER", "127.0.0.1", actor="test", at=now())
        assert echoes(associate(node.port))
        assert not associate(node.port, calling="ANOTHER").is_established


def test_a_policy_that_cannot_be_asked_lets_nobody_in_and_says_try_again(tmp_path: Path) -> None:
    def broken(_ae: str, _host: str) -> bool:
        raise OSError

    with listening(tmp_path, admission=Admission("MRICORE", False, [], broken)) as node:
        assert rejection(associate(node.port)) == (2, 3, 1)


def test_one_association_more_than_the_limit_is_refused_for_the_moment(tmp_path: Path) -> None:
    with listening(tmp_path, max_associations=2) as node:
        first, second = associate(node.port), associate(node.port)
        assert first.is_established
        assert second.is_established
        assert rejection(associate(node.port)) == (2, 3, 2)
        first.release()
        assert eventually_echoes(node.port)
        second.release()


def test_open_connections_that_ask_for_nothing_do_not_count(tmp_path: Path) -> None:
    with listening(tmp_path, max_associations=1) as node:
        idle = [socket.create_connection(("127.0.0.1", node.port), timeout=60) for _ in range(5)]
        try:
            assert echoes(associate(node.port))
        finally:
            for one in idle:
                one.close()


def eventually_echoes(port: int) -> bool:
    """The other side may notice a release a moment later than we do."""
    until(lambda: echoes(associate(port)), "a seat")
    return True


def note(database: Database, calling: str, host: str = "10.0.0.7", reason: str = "not listed") -> None:
    note_sender(database, calling_ae=calling, host=host, at=now(), admitted=False, reason=reason)


def test_the_list_counts_the_associations_of_each_sender_and_keeps_the_last_reason(tmp_path: Path) -> None:
    database = migrated(tmp_path)
    note(database, "NEW", reason="first")
    note(database, "NEW", reason="second")
    note(database, "NEW", host="10.0.0.8")
    listed = {(one.calling_ae, one.host): one for one in known_senders(database)}
    database.close()
    assert listed["NEW", "10.0.0.7"].associations == 2
    assert listed["NEW", "10.0.0.7"].reason == "second"
    assert not listed["NEW", "10.0.0.8"].admitted


def test_made_up_ae_titles_do_not_make_the_list_grow_without_end(tmp_path: Path) -> None:
    database = migrated(tmp_path)
    for number in range(1003):
        note(database, f"AE{number}")
    listed = known_senders(database)
    database.close()
    assert len(listed) == 1000
    assert listed[0].calling_ae == "AE1002"


def test_the_command_line_lists_admits_and_forgets(tmp_path: Path) -> None:
    database = migrated(tmp_path)
    note(database, "NEW")
    settings = tmp_path / "node.toml"
    settings.write_text(f'[database]\nurl = "sqlite:///{tmp_path / "node.db"}"\n')

    assert [(one["calling_ae"], one["admitted"]) for one in listed(settings)] == [("NEW", False)]
    assert run(settings, "admit", "NEW", "--host", "10.0.0.7").exit_code == 0
    assert is_admitted(database, "NEW", "10.0.0.7")
    assert not is_admitted(database, "NEW", "10.0.0.8")
    assert [one["admitted"] for one in listed(settings)] == [True]
    assert "admitted" in run(settings, "list").output
    assert run(settings, "forget", "NEW").exit_code == 0
    assert not is_admitted(database, "NEW", "10.0.0.7")
    assert listed(settings) == []
    assert run(settings, "forget", "NEW").exit_code != 0
    database.close()


def migrated(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    database.migrate()
    return database


def run(settings: Path, *words: str) -> Result:
    return CliRunner().invoke(entry, ["senders", *words, "--config", str(settings)])


def listed(settings: Path) -> list[dict[str, object]]:
    result: list[dict[str, object]] = json.loads(run(settings, "list", "--json").output)
    return result
