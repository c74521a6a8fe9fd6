"""By which words of a patient's name a study is found."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from node.adapters.database.tables import name_word, series
from node.core.dicomweb.names import words


def forget_old(connection: Connection, study_instance_uid: str) -> None:
    """The study is no longer found by words of a name that none of its series has any more: it was corrected."""
    mine = name_word.c.study_instance_uid == study_instance_uid
    names = select(series.c.patient_name).where(series.c.study_instance_uid == study_instance_uid).distinct()
    now = {word for name in connection.scalars(names) for word in words(name)}
    # In one order: two series of a study may be settled at once, and each would wait for the other.
    for word in sorted(set(connection.scalars(select(name_word.c.word).where(mine))) - now):
        connection.execute(delete(name_word).where(mine, name_word.c.word == word))
