"""What the reception runs with every batch, compiled once."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Dialect, bindparam, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import PoolProxiedConnection

from node.adapters.database.prepared import Prepared
from node.adapters.database.tables import change, instance, name_word, receipt, series
from node.core.arrival import Arrival
from node.core.dicom import Identity
from node.core.ledger import Receipt
from node.core.states import SeriesState

_REOPENED = "an instance came after the series was complete"


class Known(NamedTuple):
    """An instance that came before."""

    sha256: str
    removed: bool = False  # its bytes are gone
    erased: bool = False  # at a person's wish
    series: str = ""  # of which it is; asked for only where it was erased
    study: str = ""


class Statements:
    """Each with its parameters by name."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._stored: dict[int, Prepared] = {}
        kind = sqlite if dialect.name == "sqlite" else postgresql
        one_series = series.c.series_instance_uid == bindparam("uid")
        gone = (instance.c.sop_instance_uid == bindparam("sop")) & instance.c.removed_at.is_not(None)
        self.append = Prepared(dialect, insert(receipt))
        self.store = Prepared(dialect, insert(instance).values({name: bindparam(name) for name in _INSTANCE}))
        self.store_again = Prepared(
            dialect,
            update(instance)
            .where(gone, instance.c.erased_by.is_(None))
            .values(path=bindparam("file"), removed_at=None),
        )
        self.store_anew = Prepared(
            dialect,
            update(instance)
            .where(gone, instance.c.erased_by.is_not(None))
            .values(
                {name: bindparam(f"new_{name}") for name in _OF_BYTES}
                | {"facts": null(), "removed_at": null(), "erased_by": null()}
            ),
        )
        self.add_to_waiting = Prepared(
            dialect,
            update(series)
            .where(one_series, series.c.state == SeriesState.WAITING.value)
            .values(last_at=bindparam("at"), look_at=bindparam("look")),
        )
        self.keep_again = Prepared(
            dialect, update(series).where(one_series).values(last_at=bindparam("at"), removed_at=None)
        )
        self.version = Prepared(dialect, select(series.c.version).where(one_series))
        self.open_series = Prepared(dialect, insert(series))
        self.identify = Prepared(
            dialect,
            update(series)
            .where(one_series, series.c.removed_at.is_not(None))
            .values({name: bindparam(f"new_{name}") for name in identified(None)}),
        )
        self.note_word = Prepared(dialect, kind.insert(name_word).on_conflict_do_nothing())
        self.reopen = Prepared(
            dialect,
            update(series)
            .where(one_series)
            .values(
                state=SeriesState.WAITING.value,
                reason=_REOPENED,
                version=series.c.version + 1,  # of this moment: a person may have had it decided anew meanwhile
                completed_at=None,
                removed_at=None,
                evidence="",
                cause=None,
                last_at=bindparam("at"),
                look_at=bindparam("look"),
            ),
        )
        self.note_change = Prepared(
            dialect,
            insert(change).values(
                at=bindparam("at"),
                actor="reception",
                series_instance_uid=bindparam("series_instance_uid"),
                state=SeriesState.WAITING.value,
                reason=_REOPENED,
            ),
        )

    def stored(self, connection: PoolProxiedConnection, uids: Sequence[str]) -> dict[str, Known]:
        """SOP Instance UID → what is known of those that came before."""
        if not uids:
            return {}
        places = 1 << (len(uids) - 1).bit_length()  # few different statements, whatever the batch
        if places not in self._stored:
            asked = instance.c.sop_instance_uid.in_([bindparam(f"uid{place}") for place in range(places)])
            self._stored[places] = Prepared(self._dialect, select(*_KNOWN).where(asked))
        row = {f"uid{place}": uids[min(place, len(uids) - 1)] for place in range(places)}
        found = self._stored[places].run(connection, [row])
        return {
            uid: Known(sha256, removed_at is not None, erased_by is not None, series_uid, study_uid)
            for uid, sha256, removed_at, erased_by, series_uid, study_uid in found.fetchall()
        }


_KNOWN = (
    instance.c.sop_instance_uid,
    instance.c.sha256,
    instance.c.removed_at,
    instance.c.erased_by,
    instance.c.series_instance_uid,
    instance.c.study_instance_uid,
)
_OF_BYTES = ("sop_class_uid", "transfer_syntax_uid", "sha256", "size", "path", "received_at")
_INSTANCE = ("sop_instance_uid", "series_instance_uid", "study_instance_uid", *_OF_BYTES)


def instance_row(line: Receipt) -> dict[str, object]:
    return {**vars(line), "received_at": line.at}


def anew_row(line: Receipt) -> dict[str, object]:
    """For `store_anew`."""
    row = instance_row(line)
    return {"sop": line.sop_instance_uid, **{f"new_{name}": row[name] for name in _OF_BYTES}}


def series_row(one: Arrival, line: Receipt, at: datetime, settle: timedelta) -> dict[str, object]:
    return {
        "series_instance_uid": line.series_instance_uid,
        "study_instance_uid": line.study_instance_uid,
        "state": SeriesState.WAITING,
        "reason": "",
        "version": 1,
        "channel": line.channel,
        "calling_ae": line.calling_ae,
        "called_ae": line.called_ae,
        "host": line.host,
        "first_at": line.at,
        "last_at": at,
        "look_at": at + settle,
        "evidence": "",
        "promised": 0,
        **identified(one.identity),
    }


def identified(who: Identity | None) -> dict[str, str]:
    """By what people look for a series."""
    return {
        "modality": who.modality if who else "",
        "series_description": who.series_description if who else "",
        "patient_id": who.patient_id if who else "",
        "issuer_of_patient_id": who.issuer_of_patient_id if who else "",
        "patient_name": who.patient_name if who else "",
        "search_name": _folded(who.patient_name) if who else "",
        "accession_number": who.accession_number if who else "",
        "study_date": who.study_date if who else "",
        "study_description": who.study_description if who else "",
    }


def _folded(text: str) -> str:
    """Text for the search: without case, accents and width."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()
