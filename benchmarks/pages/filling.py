"""A node's database with any number of series that came over the last ten days, written by SQL alone.

Eight series make a study, one instance a series; a third of them has a job, of which most are delivered. Some jobs
failed for a few causes, some series are held. Nothing of it has a file: who asks for images finds none.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node.adapters.database import Database
from node.adapters.database.index import Index
from node.core.causes import Kind, key, of_series
from node.core.dicomweb.names import words
from node.core.states import JobState

PER_STUDY = 8
FAILED_EVERY, HELD_EVERY = 500, 211  # jobs, series
_DAYS = 10
_CAUSES = ("the model raised: out of memory", "it did not answer in time", "slices are missing")
_FAMILIES = (
    "Müller", "Schmidt", "Yamada", "Sato", "Suzuki", "Kim", "Hong", "Park", "Smith", "Jones", "Garcia", "Rossi",
    "Nguyen", "Novak", "Ivanov", "Kowalski", "Dubois", "Jensen", "Virtanen", "Silva", "Öztürk", "Papadopoulos",
)  # fmt: skip
_GIVEN = ("Anna", "Taro", "Jiho", "Seán", "Élodie", "Marek", "Olga", "Björn", "Inês", "Lan", "Zoë", "Mehmet")


def fill(folder: Path, number: int) -> None:
    """Make node.db and index.db of a node below the folder, unless they are there."""
    path = folder / "node.db"
    if path.exists():
        return
    unfinished = folder / "unfinished.db"
    unfinished.unlink(missing_ok=True)
    database = Database(f"sqlite:///{unfinished}")
    database.migrate()
    database.close()
    with sqlite3.connect(unfinished, isolation_level=None) as connection:
        _quickly(connection)
        _write(connection, number)
    connection.close()
    _skip_the_index(folder, number)
    unfinished.rename(path)


def _quickly(connection: sqlite3.Connection) -> None:
    for pragma in (
        "journal_mode=OFF",
        "synchronous=OFF",
        "cache_size=-400000",
        "temp_store=MEMORY",
        "foreign_keys=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _write(connection: sqlite3.Connection, number: int) -> None:
    begin = datetime.now(UTC) - timedelta(days=_DAYS)  # noqa: TID251 # the benchmark's own clock
    step = timedelta(days=_DAYS).total_seconds() / number
    names = [(n, f"{family}^{given} {n // 264}") for n in range(5000) for family, given in [_of(n)]]
    connection.execute("CREATE TEMP TABLE who(who INTEGER PRIMARY KEY, name TEXT)")
    connection.executemany("INSERT INTO who VALUES (?, ?)", names)
    connection.execute("CREATE TEMP TABLE spelled(who INTEGER, word TEXT)")
    spelled = [(n, word) for n, name in names for word in words(name)]
    connection.executemany("INSERT INTO spelled VALUES (?, ?)", spelled)
    connection.execute("CREATE TEMP TABLE cause(one INTEGER PRIMARY KEY, reason TEXT, cause TEXT)")
    causes = [(n, why, key(Kind.FAILED, "mri_core_head", why)) for n, why in enumerate(_CAUSES)]
    connection.executemany("INSERT INTO cause VALUES (?, ?, ?)", causes)
    told = {
        "number": number,
        "begin": begin.replace(tzinfo=None).isoformat(sep=" "),
        "step": step,
        "study": PER_STUDY,
        "failed": FAILED_EVERY,
        "held": HELD_EVERY,
        "unknown": of_series("", "no rule takes this series"),
        "failure": JobState.FAILED,
    }
    connection.execute("BEGIN")
    for statement in _STATEMENTS:
        connection.execute(statement if statement.startswith("INSERT") else f"{_EACH}\nINSERT INTO {statement}", told)
    connection.execute("COMMIT")


def _of(n: int) -> tuple[str, str]:
    return _FAMILIES[n % len(_FAMILIES)], _GIVEN[n // len(_FAMILIES) % len(_GIVEN)]


_AT = "strftime('%Y-%m-%d %H:%M:%f', :begin, '+' || (n * :step) || ' seconds') || '000'"
_EACH = f"""
WITH RECURSIVE each(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < :number),
row AS (
  SELECT n, '1.2.3.4.' || n AS uid, '1.2.3.9.' || (n / :study) AS study, {_AT} AS at,
         (n / :study) % 5000 AS patient, n % 3 = 0 AS has_job, n % :held = 1 AS held FROM each
)"""  # noqa: S608 # nothing in it comes from elsewhere
_STATEMENTS = (
    """receipt (chain, number, at, channel, calling_ae, called_ae, host, association, sop_class_uid, sop_instance_uid,
       series_instance_uid, study_instance_uid, transfer_syntax_uid, sha256, size, status, disposition, reason, path,
       previous, digest)
       SELECT 'BENCH', n + 1, at, 'dicom', 'SCANNER' || n % 7, 'BENCH', '192.0.2.1', 'a' || n / 100,
       '1.2.840.10008.5.1.4.1.1.4', uid || '.1', uid, study, '1.2.840.10008.1.2.1', 'a', 100000, 0, 'stored', '',
       'none', '', '' FROM row""",
    """instance (sop_instance_uid, sop_class_uid, series_instance_uid, study_instance_uid, transfer_syntax_uid, sha256,
       size, path, received_at, removed_at)
       SELECT uid || '.1', '1.2.840.10008.5.1.4.1.1.4', uid, study, '1.2.840.10008.1.2.1', 'a', 100000, 'none', at, at
       FROM row""",
    """series (series_instance_uid, study_instance_uid, state, reason, version, channel, calling_ae, called_ae, host,
       first_at, last_at, completed_at, evidence, modality, series_description, patient_id, issuer_of_patient_id,
       patient_name, search_name, accession_number, study_date, study_description, removed_at, promised, cause)
       SELECT uid, study, CASE WHEN held THEN 'held' WHEN has_job THEN 'routed' ELSE 'filtered' END,
       CASE WHEN held THEN 'no rule takes this series' ELSE '' END, 1, 'dicom', 'SCANNER' || n % 7, 'BENCH',
       '192.0.2.1', at, at, at, 'grid of 1 slice', 'MR', 't1_mprage_' || n % 50, 'P' || patient, '', who.name, '',
       'A' || n / :study,
       '20261120', 'MR Head', at, 0, CASE WHEN held THEN :unknown END
       FROM row JOIN who ON who.who = patient""",
    """decision (series_instance_uid, version, rule_set_version, rule, at, outcomes)
       SELECT uid, 1, 'v1', CASE WHEN held THEN '' ELSE 'head' END, at,
       '[{"rule": "head", "standing": "matched", "why": "head matched"}]' FROM row""",
    """change (at, actor, series_instance_uid, state, reason)
       SELECT at, 'completion', uid, CASE WHEN held THEN 'held' WHEN has_job THEN 'routed' ELSE 'filtered' END,
       'grid of 1 slice' FROM row""",
    """job (id, series_instance_uid, version, rule, rule_set_version, model, model_version, volume, destinations,
       priority, state, reason, attempts, created_at, started_at, finished_at, seconds, segments, lane, rank, claim,
       cut_off, overdue, cause)
       SELECT n / 3 + 1, uid, 1, 'head', 'v1', 'mri_core_head', '1', '', '["pacs"]', 'routine',
       CASE WHEN n / 3 % :failed = 7 THEN :failure ELSE 'completed' END,
       CASE WHEN n / 3 % :failed = 7 THEN (SELECT cause.reason FROM cause WHERE one = n % 3)
       ELSE 'delivered to pacs' END,
       1, at, at, at, '{"infer": 1.5, "deliver": 0.2}', '[{"number": 1, "label": "Head", "volume_ml": 1400.0}]',
       'make mri_core_head', 1, 1, 0, 0,
       CASE WHEN n / 3 % :failed = 7 THEN (SELECT cause.cause FROM cause WHERE one = n % 3) END
       FROM row WHERE has_job AND NOT held""",
    """INSERT INTO change (at, actor, series_instance_uid, job_id, state, reason)
       SELECT created_at, 'completion', series_instance_uid, id, 'scheduled', 'rule head' FROM job UNION ALL
       SELECT finished_at, 'worker', series_instance_uid, id, state, reason FROM job""",
    """INSERT INTO result (id, job_id, kind, sop_class_uid, series_instance_uid, sop_instance_uid, path, sha256, size,
       removed_at)
       SELECT id, id, 'SEG', '1.2.840.10008.5.1.4.1.1.66.4', '2.25.7' || id, '2.25.8' || id, 'none', 'a', 9000,
       finished_at FROM job WHERE state = 'completed'""",
    """INSERT INTO delivery (result_id, destination, state, answer, attempts, at)
       SELECT result.id, 'pacs', 'delivered', '0000', 1, finished_at FROM result JOIN job ON job.id = job_id""",
    """name_word (word, study_instance_uid)
       SELECT DISTINCT word, study FROM row JOIN spelled ON spelled.who = patient WHERE n % :study = 0""",
)


def _skip_the_index(folder: Path, number: int) -> None:
    """DICOMweb's index begins behind these series: there are no files to read."""
    index = Index(f"sqlite:///{folder / 'index.db'}")
    index.migrate()
    index.close()
    with sqlite3.connect(folder / "index.db") as connection:
        connection.execute("INSERT OR REPLACE INTO index_follow VALUES ('ledger BENCH', ?)", (number,))
        connection.execute("INSERT OR REPLACE INTO index_follow VALUES ('results', ?)", (number,))
    connection.close()
