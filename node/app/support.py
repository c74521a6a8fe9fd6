"""The support bundle: what a stranger needs to help, and nothing of a patient's or a secret's.

Each part is text, cut to a size; UIDs are replaced with a key that is thrown away, so that nobody, not even the site,
leads back from it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache, partial
from importlib.metadata import distributions
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url

from node import __version__
from node.adapters.database import Database, support
from node.adapters.headers import read_header
from node.app.checking import all_parts
from node.app.clock import Clock
from node.app.places import Places
from node.app.store import build_store
from node.config import Settings
from node.core.deidentify import replaced, technical, without, without_uids
from node.errors import NodeError
from node.logs import recent
from node.pipeline.board.totals import Totals, count
from node.pipeline.checking import look_at
from node.web.metrics import Sources, exposition

_PART_AT_MOST = 2 * 1024 * 1024  # characters
_JOBS, _SERIES = 200, 40
_SECRET = re.compile(r"password|token|secret|key$", re.IGNORECASE)
_WHERE_ONLY = re.compile(r"notif|webhook|smtp|oidc|auth", re.IGNORECASE)
_README = """\
Support bundle of mricore-node {version}, made {at}.

In it: versions, settings without secrets, what `mricore-node check` saw, the latest log lines, metrics, the latest jobs
with their histories, and headers of the latest series: technical attributes only (docs/support.md lists them).

Not in it: names, identifiers, dates and descriptions of patients, studies and series; pixels; private elements;
passwords, tokens and keys. UIDs are replaced by others, with a key that was thrown away.
"""


def build_bundle(places: Places, database: Database, clock: Clock, *, starts: bool, log: Path | None = None) -> bytes:
    """A ZIP file. `log`: a file of the service's log, where this is another process than the one that writes it.

    A part that cannot be had says why.
    """
    key = secrets.token_bytes(32)
    made: dict[str, str] = {"README.txt": _README.format(version=__version__, at=f"{clock():%Y-%m-%d %H:%M:%S} UTC")}
    never = _identifying(database)
    totals = cache(partial(count, database))

    def counted() -> tuple[Totals, datetime]:
        return totals(), clock()

    parts: Mapping[str, Callable[[], str]] = {
        "versions.json": lambda: _json(_versions()),
        "settings.json": lambda: _json(_settings(places.settings())),
        "check.json": lambda: _json([vars(one) for one in look_at(all_parts(places, database, clock, starts=starts))]),
        "ledger.json": lambda: _json(asdict(totals().balance)),
        "jobs.json": lambda: _json(support.latest_jobs(database, _JOBS)),
        "headers.json": lambda: _json(_headers(places.file, database, key)),
        "metrics.txt": lambda: exposition(Sources(database, build_store(places.file)[0], None, counted)).decode(),
        "log.txt": lambda: _log(log),
        "triton.txt": lambda: _tails(places.file.node.data_dir / "triton"),
    }
    for name, make in parts.items():
        made[name] = without(without_uids(_safely(make), key), never)[:_PART_AT_MOST]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in made.items():
            file.writestr(name, text)
    return packed.getvalue()


def _safely(make: Callable[[], str]) -> str:
    try:
        return make()
    except (NodeError, OSError, ValueError) as fault:
        return f"not to be had: {fault if isinstance(fault, NodeError) else type(fault).__name__}\n"


def _identifying(database: Database) -> frozenset[str]:
    """What no text may hold, whatever wrote it there."""
    try:
        found = support.latest_series(database, _SERIES)
    except NodeError:
        return frozenset()
    return frozenset(part for one in found for part in one.identifying)


def _versions() -> dict[str, object]:
    return {
        "mricore-node": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": dict(sorted((one.metadata["Name"], one.version) for one in distributions())),
    }


def _settings(settings: Settings) -> Any:
    told = settings.model_dump(mode="json")
    told["database"]["url"] = make_url(settings.database_url).render_as_string(hide_password=True)
    return _masked(told)


def _masked(value: Any, above: str = "") -> Any:
    """Without whatever may be a secret: by its name, or as part of a URL."""
    if isinstance(value, dict):
        return {key: _hidden(key, one, above) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, above) for one in value]
    if isinstance(value, str) and "://" in value:
        return _address(value, above)
    if isinstance(value, str) and "@" in value:
        return f"[removed]@{value.rpartition('@')[2]}"
    return value


def _hidden(key: str, value: Any, above: str) -> Any:
    if _SECRET.search(key) and isinstance(value, str) and not key.endswith("tls_key"):
        return "[set]" if value else ""
    return _masked(value, f"{above}.{key}")


def _address(url: str, above: str) -> str:
    """A webhook's path is its password."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "[removed]"
    return f"{parts.scheme}://{host}{'/[removed]' if _WHERE_ONLY.search(above) else parts.path}"


def _headers(settings: Settings, database: Database, key: bytes) -> list[dict[str, object]]:
    files, _ = build_store(settings)
    told = []
    for one in support.latest_series(database, _SERIES):
        seen = {
            "series": replaced(one.series_instance_uid, key),
            "state": one.state,
            "reason": without(one.reason, one.identifying),
            "evidence": one.evidence,
            "instances": one.instances,
            "transfer_syntax": one.transfer_syntax_uid,
        }
        try:
            header = technical(read_header(files.path(one.path)).ds, key, one.identifying) if one.path else {}
        except (NodeError, OSError) as fault:
            header = {"unreadable": type(fault).__name__}
        told.append({**seen, "header": header})
    return told


def _log(file: Path | None) -> str:
    if file is None:
        return "\n".join(recent())
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _PART_AT_MOST))
        return opened.read().decode(errors="replace")


def _tails(folder: Path) -> str:
    """The ends of the embedded server's logs."""
    found = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)[-3:] if folder.is_dir() else []
    return "\n".join(f"== {path.name}\n{_log(path)[-100_000:]}" for path in found)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
