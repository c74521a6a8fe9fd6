"""The series of the last days, column by column, for whoever types: a rule is asked of thousands in an instant.

What is in no chunk yet is read once and remembered; chunks are read by the columns that are asked for. All of it is
bounded, and may be forgotten at any time.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import structlog
from pydicom.datadict import keyword_for_tag

from node.adapters.database import Database, headers
from node.adapters.database.headers import Whose
from node.core.kept import NOT_KEPT, Column, KeptSubject, key_of
from node.core.kept.growing import Growing
from node.core.rules import RuleSet
from node.core.rules.attributes import Attribute, Operand, named
from node.core.rules.conditions import Condition
from node.core.rules.kinds import Kind
from node.core.rules.mistakes import Wrong
from node.core.rules.reading import Known
from node.core.rules.subject import Readable
from node.core.trial.answers import TRUE, UNKNOWN, Answers, Array, Table, keys_of
from node.errors import NodeError

_log = structlog.get_logger(__name__)

DAYS = 7
_CHUNKS_AT_MOST = 12  # of the newest: 50 000 series
_LOOSE_AT_MOST = 20_000
_COLUMNS_AT_MOST = 600
_ASKED_AT_MOST = 300  # questions, until what they answered is forgotten
_LISTED = 20
_VALUES_AT_MOST = 50
_FREE_TEXT = frozenset({"LT", "ST", "UC", "UR", "UT"})  # somebody may have typed a name into it


@dataclass(frozen=True)
class _Part:
    """Some series, and which of them count."""

    whose: Whose
    table: Table
    counts: Array


@dataclass(frozen=True)
class Matching:
    """What a rule makes of the series of the last days."""

    days: int
    series: int
    matched: int
    unknown: int
    taken: int  # of those that it matches, series that an earlier rule takes
    listed: Sequence[tuple[str, datetime, str]]  # the newest: SeriesInstanceUID, when, "matched" or "unknown"


@dataclass(frozen=True)
class SeenValue:
    """A value and the number of series that held it."""

    value: str
    series: int


class Lately:
    """What was kept of the series of the last days."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._begun = False
        self._loose = Growing()
        self._uids: list[str] = []
        self._studies: list[str] = []
        self._times: list[float] = []
        self._place: dict[str, int] = {}
        self._seen = datetime(1970, 1, 1, tzinfo=UTC)
        self._chunks: tuple[int, ...] = ()
        self._whose: dict[int, Whose] = {}
        self._asking = threading.Lock()
        self._answers, self._asked = Answers(), 0  # what values answered is remembered for a while
        self._columns: OrderedDict[tuple[int, str], Column | None] = OrderedDict()

    def begin(self) -> None:
        """Somebody may ask soon: read in the background what is in no chunk yet, where nobody did since the start."""
        if self._begun:
            return
        self._begun = True
        threading.Thread(target=self._begin, name="rows of the last days", daemon=True).start()

    def _begin(self) -> None:
        try:
            self.attributes()
        except NodeError as fault:  # whoever asks reads them, or is told why not
            _log.warning("series of the last days not read", reason=str(fault))

    def matching(self, rule_set: RuleSet, name: str, days: int = DAYS) -> Matching:
        """What the rule of that name matches. Rules that need several series are asked of each by itself."""
        place, rule = next((place, one) for place, one in enumerate(rule_set.rules) if one.name == name)
        earlier = [one for one in rule_set.rules[:place] if one.active and one.stop and not one.needs]
        with self._asking:
            return self._matching(rule.applies, [one.applies for one in earlier], days)

    def _matching(self, wanted: Condition, before_it: Sequence[Condition], days: int) -> Matching:
        self._asked += 1
        if self._asked % _ASKED_AT_MOST == 0:
            self._answers = Answers()
        answers = self._answers
        wanted, *earlier = [answers.alike(one) for one in (wanted, *before_it)]
        series = matched = unknown = taken = 0
        listed: list[tuple[float, str, str]] = []
        for part in self._parts([*keys_of([wanted, *earlier]), NOT_KEPT], days):
            answers.turn_to(part.table)
            rows = np.flatnonzero(part.counts)
            truth = answers.truth(wanted, rows)
            hit = rows[truth == TRUE]
            before = np.zeros(len(hit), bool)
            for one in earlier:
                left = np.flatnonzero(~before)
                before[left] = answers.truth(one, hit[left]) == TRUE
            series, matched, taken = series + len(rows), matched + len(hit), taken + int(before.sum())
            unknown += int((truth == UNKNOWN).sum())
            for which, said in ((hit, "matched"), (rows[truth == UNKNOWN], "unknown")):
                listed += [(part.whose.times[row], part.whose.uids[row], said) for row in which[-_LISTED:].tolist()]
        newest = sorted(listed, reverse=True)[:_LISTED]
        return Matching(
            days, series, matched, unknown, taken,
            [(uid, datetime.fromtimestamp(at, UTC), said) for at, uid, said in newest],
        )  # fmt: skip

    def values(self, attribute: str, days: int = 30) -> list[SeenValue]:
        """What series held, the most frequent first; nothing of what could name a patient or a visit."""
        operand = named(attribute)
        if isinstance(operand, Wrong) or not may_be_shown(operand):
            return []
        key, counted = key_of(operand), Counter[str]()
        for part in self._parts([key], days):
            column = part.table.columns.get(key)
            if column is not None:
                numbers = np.bincount(column.numbers[part.counts], minlength=len(column.texts))
                counted.update({text: int(numbers[place]) for place, text in enumerate(column.texts) if text})
        found: Counter[str] = Counter()
        for text, number in counted.most_common(20 * _VALUES_AT_MOST):
            for value in _values(KeptSubject({key: text}), operand):
                found[value] += number
        return [SeenValue(value, number) for value, number in found.most_common(_VALUES_AT_MOST) if number]

    def attributes(self, days: int = DAYS) -> list[str]:
        """Names of the attributes that series of this site held, in no order."""
        with self._lock:
            self._refresh(days)
            keys = self._loose.keys
        return [name for name in (_name(key) for key in keys) if name]

    def _parts(self, keys: Sequence[str], days: int) -> list[_Part]:
        since = (self._clock() - timedelta(days=days)).timestamp()
        with self._lock:
            self._refresh(days)
            loose = {key: column for key in keys if (column := self._loose.column(key)) is not None}
            times = np.array(self._times)
            newest = np.zeros(len(times), bool)
            newest[list(self._place.values())] = True
            whose = Whose(self._uids[:], self._studies[:], [1] * len(times), self._times[:], self._times[:])
            parts = [_Part(whose, Table(len(times), loose), newest & (times >= since))]
            taken = set(self._place)
            for chunk_id in self._chunks:
                parts += self._chunk(chunk_id, keys, since, taken)
        return parts

    def _chunk(self, chunk_id: int, keys: Sequence[str], since: float, taken: set[str]) -> list[_Part]:
        lacking = [key for key in keys if (chunk_id, key) not in self._columns]
        if lacking or chunk_id not in self._whose:
            batch = headers.chunk(self._database, chunk_id, lacking)
            if batch is None:
                return []
            self._whose[chunk_id] = batch.whose
            for key in lacking:
                self._columns[chunk_id, key] = batch.columns.get(key)
        columns: dict[str, Column] = {}
        for key in keys:
            self._columns.move_to_end((chunk_id, key))
            if (column := self._columns[chunk_id, key]) is not None:
                columns[key] = column
        while len(self._columns) > _COLUMNS_AT_MOST:
            self._columns.popitem(last=False)
        whose = self._whose[chunk_id]
        counts = np.array([uid not in taken for uid in whose.uids], bool) & (np.array(whose.times) >= since)
        taken.update(whose.uids)
        return [_Part(whose, Table(len(whose.uids), columns), counts)]

    def _refresh(self, days: int) -> None:
        now = self._clock()
        chunks = tuple(headers.chunks(self._database, now - timedelta(days=days))[:_CHUNKS_AT_MOST])
        if set(chunks) - set(self._chunks) and self._chunks:  # rows went into a new chunk: begin again
            self._forget()
        self._chunks = tuple(sorted({*chunks, *self._chunks}, reverse=True))[:_CHUNKS_AT_MOST]
        for old in set(self._whose) - set(self._chunks):
            del self._whose[old]
        rows = headers.newer(self._database, max(self._seen, now - timedelta(days=30)), _LOOSE_AT_MOST)
        for kept in reversed(rows):
            place = self._place.get(kept.series_instance_uid)
            at = kept.at.timestamp()
            if place is not None and self._times[place] >= at:
                continue
            if len(self._uids) >= 2 * _LOOSE_AT_MOST or not self._loose.add(kept.cells):
                self._forget()
                self._loose.add(kept.cells)
            self._place[kept.series_instance_uid] = len(self._uids)
            self._uids.append(kept.series_instance_uid)
            self._studies.append(kept.study_instance_uid)
            self._times.append(at)
            self._seen = max(self._seen, kept.at)

    def _forget(self) -> None:
        self._loose, self._place = Growing(), {}
        self._uids, self._studies, self._times = [], [], []
        self._seen = datetime(1970, 1, 1, tzinfo=UTC)


def may_be_shown(operand: Operand) -> bool:
    """Whether values of other series may be shown to who writes a rule."""
    if operand.identifying or operand.kind in (Kind.NAME, Kind.SEQUENCE, Kind.OPAQUE, Kind.CODE):
        return False
    if not isinstance(operand, Attribute):
        return True
    private = any(step.creator for step in operand.path)
    if operand.kind is Kind.UID:
        return operand.text in ("SOPClassUID", "MediaStorageSOPClassUID", "TransferSyntaxUID")
    return operand.vr not in _FREE_TEXT and not (private and operand.kind is not Kind.NUMBER)


def _values(subject: Readable, operand: Operand) -> list[str]:
    """The values of one cell, each once; those that are cut for showing are left out."""
    shown = dict.fromkeys(one.shown for one in subject.every(operand) if isinstance(one, Known))
    parts = [part for text in shown for part in (text.split("\\") if operand.several else [text])]
    return [part.strip() for part in dict.fromkeys(parts) if part.strip() and not part.endswith("…")]


def _name(key: str) -> str:
    return key if "." in key else keyword_for_tag(int(key, 16)) if len(key) == 8 and " " not in key else ""
