"""The fault drill on a real model server, beside a node's own data."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from node.adapters.database import Database
from node.adapters.database.drills import traces
from node.adapters.database.tables import series
from node.adapters.triton.wheel import Wheel
from node.app.drill.running import Drill
from node.app.places import Places
from node.core.drill import NAMES
from node.errors import BadConfiguration, NoSuch, Overtaken, Usage
from tests.command_line import mricore_node, settings_file
from tests.keeping import keeping, settings_of
from tests.listening import now
from tests.triton_fixture import REPOSITORY


@pytest.fixture(autouse=True)
def server() -> None:
    try:
        Wheel.installed()
    except BadConfiguration as absent:
        pytest.skip(str(absent))


def drill_of(folder: Path) -> Drill:
    settings = settings_of(folder, triton={"models": REPOSITORY})
    database = Database(settings.database_url)
    database.migrate()
    return Drill(Places(settings, database), database, now)


def test_a_full_disk_and_duplicates_are_drilled_and_leave_no_trace(tmp_path: Path) -> None:
    drill = drill_of(tmp_path)
    lines = drill.lines(["duplicate", "full-disk"])
    told = [next(lines)]
    with pytest.raises(Overtaken, match="under way"):
        next(drill.lines([]))
    told += list(lines)
    outcomes = {one["name"]: one for one in told if "seen" in one}
    assert list(outcomes) == ["full-disk", "duplicate"], told
    assert all(one["passed"] for one in outcomes.values()), outcomes
    assert "A700" in outcomes["full-disk"]["seen"]
    assert told[-1] == {"sum": 2, "passed": True, "traces": 0}
    assert drill.last().startswith(b"%PDF-")
    last = drill.last_lines()
    assert last
    assert [one["name"] for one in last["outcomes"]] == ["full-disk", "duplicate"]
    with drill.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(series)) == 0
    assert [path.name for path in (tmp_path / "drills").iterdir() if path.is_dir()] == []
    drill.database.close()


def test_what_cannot_be_drilled_is_told_before_anything_is_started(tmp_path: Path) -> None:
    drill = drill_of(tmp_path)
    with pytest.raises(Usage, match="there is no exercise earthquake: known are dead-pacs"):
        next(drill.lines(["earthquake"]))
    with pytest.raises(NoSuch, match="no drill yet"):
        drill.last()
    assert traces(drill.database) == 0
    drill.database.close()


def test_without_a_model_server_the_drill_says_so_and_ends(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, triton={"models": REPOSITORY, "url": "grpc://127.0.0.1:9"})
    database = Database(settings.database_url)
    database.migrate()
    told = list(Drill(Places(settings, database), database, now).lines(["duplicate"]))
    assert "grpc://127.0.0.1:9 takes no connections" in next(one["fault"] for one in told if "fault" in one)
    assert told[-1] == {"sum": 0, "passed": False, "traces": 0}
    database.close()


def test_the_api_knows_the_exercises_and_refuses_what_cannot_be(tmp_path: Path) -> None:
    with keeping(tmp_path, now) as kept:
        assert [one["name"] for one in kept.api.get("/drill").json()] == list(NAMES)
        assert kept.api.post("/drill", json={"names": ["earthquake"]}).status_code == 422
        assert kept.api.get("/drill/sheet").status_code == 404
        assert kept.api.get("/drill/last").json() == {"at": None, "outcomes": []}


def test_the_command_lists_its_exercises(tmp_path: Path) -> None:
    listed = mricore_node("drill", "--list", "--config", settings_file(tmp_path))
    assert all(name in listed.out for name in NAMES)
    assert mricore_node("drill", "earthquake", "--config", settings_file(tmp_path)).status == 2
