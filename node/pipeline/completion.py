"""Completion: a waiting series is judged by stored facts and the time; a complete one is given to the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from pydicom.dataset import Dataset

from node.adapters.database import Database, conclusions
from node.adapters.database import series as rows
from node.adapters.database.routing import Notice, StudyLine
from node.adapters.database.routing import study as study_lines
from node.adapters.database.series import StoredInstance, WaitingSeries
from node.adapters.files import Files
from node.adapters.headers import NOTHING, Header, read_header
from node.adapters.telemetry import OFF, Tracing
from node.core import completion
from node.core.completion import Arrivals, Known, Policy
from node.core.dicom import Facts, from_json, to_json
from node.core.jobs import NewJob
from node.core.rules import (
    Decision,
    Disposition,
    FactValue,
    Inference,
    Results,
    RuleSet,
    Sibling,
    Subject,
    decide,
    header_facts,
    result_facts,
)
from node.core.states import SeriesState
from node.core.tracing import Value, Whose
from node.core.volume import Volume, orientation, volumes
from node.errors import BadInstance, NotProcessable
from node.pipeline.studies import study_facts, study_of

_log = structlog.get_logger(__name__)

_NEVER = timedelta(days=3650)
_AFTER_A_FAULT = timedelta(minutes=1)

_STATES = {
    Disposition.INFER: SeriesState.ROUTED,
    Disposition.HOLD: SeriesState.HELD,
    Disposition.IGNORE: SeriesState.FILTERED,
}


@dataclass(frozen=True)
class Completion:
    """Looks at series that wait."""

    database: Database
    files: Files
    clock: Callable[[], datetime]
    rule_set: Callable[[], RuleSet]
    policy: Callable[[str], Policy]  # by the calling AE title
    known: Callable[[WaitingSeries, Sequence[Facts]], Known] = lambda _series, _facts: Known()
    learn: Callable[[WaitingSeries, Sequence[Facts]], None] = lambda _series, _facts: None  # told of complete ones
    keep: Callable[[WaitingSeries, Subject, Decision], None] = lambda _series, _subject, _decision: None
    tracing: Tracing = OFF

    def due(self) -> list[str]:
        """The series that are to be judged now."""
        return rows.due(self.database, self.clock())

    def next_look(self) -> datetime | None:
        return rows.next_look(self.database)

    def put_off(self, series_instance_uid: str) -> None:
        """The node broke on this series: try again later, and let the others through."""
        seen = rows.waiting(self.database, series_instance_uid)
        if seen is not None:
            rows.postpone(
                self.database, seen, self.clock() + _AFTER_A_FAULT, "the node failed to judge it: see the log"
            )

    def judge(self, series_instance_uid: str) -> bool:
        """Judge a waiting series, and give it to the rules when it is complete; whether it was."""
        seen = rows.waiting(self.database, series_instance_uid)
        if seen is None:
            return False
        read = self._facts(seen)
        now = self.clock()
        verdict = completion.judge(
            list(read.values()),
            Arrivals(seen.first_at, seen.last_at),
            self.known(seen, list(read.values())),
            self.policy(seen.calling_ae),
            now,
        )
        if not verdict.complete:
            rows.postpone(self.database, seen, verdict.look_again_at or now + _NEVER, verdict.sentence)
            return False
        return self._route(seen, read, verdict.sentence)

    def _facts(self, seen: WaitingSeries) -> dict[str, Facts]:
        """SOP Instance UID → facts; headers that nobody read yet are read now and remembered."""
        known = {one.sop_instance_uid: read for one in seen.instances if (read := _remembered(one)) is not None}
        new = {
            one.sop_instance_uid: self._header(one).facts for one in seen.instances if one.sop_instance_uid not in known
        }
        rows.remember_facts(self.database, {uid: to_json(one) for uid, one in new.items()})
        return known | new

    def _header(self, one: StoredInstance) -> Header:
        try:
            return read_header(self.files.path(one.path))
        except BadInstance as bad:
            _log.warning("header not readable", sop_instance_uid=one.sop_instance_uid, reason=str(bad))
            return NOTHING

    def reconsider(self, series_instance_uid: str, version: int) -> int:
        """Ask the rules once more, now that a model found something; how many jobs were added.

        Nothing is taken back, and nothing is done for a series that changed meanwhile: its new version is judged anew.
        A rule that would wait for other series of the study is not waited for.
        """
        seen = rows.received(self.database, series_instance_uid)
        if seen is None or seen.version != version:
            return 0
        now = self.clock()
        decision, subject, found = self._decide(seen, self._facts(seen), now)
        if decision.disposition is not Disposition.INFER:
            return 0
        added = rows.extend(self.database, seen, _verdict(decision, found, seen, "a model found something"), now)
        if added:
            self.keep(seen, subject, decision)
        return added

    def objection(self, series_instance_uid: str, version: int) -> str:
        """Why a rule would hold the series, now that a model found something; "" when none would, or it changed."""
        seen = rows.received(self.database, series_instance_uid)
        if seen is None or seen.version != version:
            return ""
        decision, _, _ = self._decide(seen, self._facts(seen), self.clock())
        held = decision.rule and decision.disposition is Disposition.HOLD
        return f"rule {decision.rule}: {decision.reason}" if held else ""

    def _decide(
        self, seen: WaitingSeries, read: Mapping[str, Facts], now: datetime
    ) -> tuple[Decision, Subject, tuple[Volume, ...]]:
        lines = study_lines(self.database, seen.study_instance_uid)
        subject, found = self._subject(seen, read, lines)
        own = Sibling(seen.series_instance_uid, seen.last_at, subject)
        study = study_of(own, lines, lambda uid: self._other(uid, lines), now)
        return decide(self.rule_set(), subject, study), subject, found

    def _route(self, seen: WaitingSeries, read: Mapping[str, Facts], evidence: str) -> bool:
        now = self.clock()
        decision, subject, found = self._decide(seen, read, now)
        if decision.disposition is Disposition.WAIT:
            look_at, sentence = decision.look_again_at or now + _NEVER, f"{evidence}; {decision.reason}"
            rows.postpone_for_study(self.database, seen, look_at, sentence, now)
            return False
        verdict = _verdict(decision, found, seen, evidence)
        settled = rows.settle(self.database, seen, verdict, self.clock())
        if settled:
            self._trace(seen, decision, now)
            self.learn(seen, list(read.values()))
            self.keep(seen, subject, decision)
            _log.info(
                "series complete",
                series_instance_uid=seen.series_instance_uid,
                instances=len(seen.instances),
                evidence=evidence,
                state=verdict.state.value,
                reason=decision.reason,
            )
        return settled

    def _trace(self, seen: WaitingSeries, decision: Decision, judged_at: datetime) -> None:
        """The way of a series so far: what was received, what was waited for, what the rules took."""
        of, end = Whose(seen.series_instance_uid, seen.version), self.clock()
        about: dict[str, Value | None] = {
            "disposition": str(decision.disposition),
            "rule": decision.rule,
            "instances": len(seen.instances),
        }
        self.tracing.whole(of, seen.first_at, end, **about)
        self.tracing.over("receive", of, seen.first_at, seen.last_at, instances=len(seen.instances))
        self.tracing.over("complete", of, seen.last_at, judged_at)
        self.tracing.over("rules", of, judged_at, end, **about, rule_set=decision.rule_set)

    def _subject(
        self, seen: WaitingSeries, read: Mapping[str, Facts], lines: Sequence[StudyLine]
    ) -> tuple[Subject, tuple[Volume, ...]]:
        return subject_of(
            [self._header(one).ds for one in seen.instances],
            list(read.values()),
            calling_ae=seen.calling_ae,
            called_ae=seen.called_ae,
            host=seen.host,
            received_at=seen.last_at,
            study=lines,
            results=conclusions.found(self.database, seen.series_instance_uid, seen.version),
        )

    def _other(self, series_instance_uid: str, lines: Sequence[StudyLine]) -> Subject:
        """Another series of the study."""
        seen = rows.received(self.database, series_instance_uid)
        return Subject([]) if seen is None else self._subject(seen, self._facts(seen), lines)[0]


def _verdict(decision: Decision, found: Sequence[Volume], seen: WaitingSeries, evidence: str) -> rows.Verdict:
    asked = decision.for_volumes(one.key for one in found) if decision.disposition is Disposition.INFER else ()
    return rows.Verdict(
        state=_STATES[decision.disposition],
        reason=decision.reason,
        evidence=evidence,
        rule_set_version=decision.rule_set,
        rule=decision.rule,
        outcomes=[_outcome(one.rule.name, one.standing.value, one.sentence) for one in decision.outcomes],
        jobs=[_job(decision, inference, key, seen.last_at) for inference, key in asked],
        tags=decision.tags,
        notices=[Notice(one.rule, one.to, one.text) for one in decision.notices],
    )


def _remembered(one: StoredInstance) -> Facts | None:
    """What was read of a header before; None when nobody did, or another release remembered it otherwise."""
    try:
        return from_json(one.facts) if one.facts else None
    except BadInstance:
        return None


def subject_of(
    headers: Sequence[Dataset],
    read: Sequence[Facts],
    *,
    calling_ae: str,
    called_ae: str,
    host: str,
    received_at: datetime | None = None,
    study: Sequence[StudyLine] = (),
    results: Results | None = None,
) -> tuple[Subject, tuple[Volume, ...]]:
    """What the rules look at, and the volumes that the series holds. What is not given stays unknown to them."""
    found = _volumes(read)
    largest = max(found, key=lambda one: len(one.slices), default=None)
    values: dict[str, FactValue] = {
        "series.instances": len(read),
        "series.frames": sum(max(1, len(one.frames)) for one in read),
        "series.volumes": len(found),
        "series.sop_class": sorted({one.sop_class_uid for one in read}),
        "series.sender": calling_ae,
        "series.sender_host": host,
        "series.called_ae": called_ae,
        **header_facts(Subject(headers)),
        **(study_facts(study) if study else {}),
        **result_facts(results or {}),
    }
    if received_at is not None:
        values["series.received"] = f"{received_at.astimezone():%Y-%m-%dT%H:%M:%S}"
    if largest is not None:
        values["series.slices"] = len(largest.slices)
        values["series.spacing"] = largest.slice_spacing
        values["series.orientation"] = orientation(largest)
    return Subject(headers, values), found


def _volumes(read: Sequence[Facts]) -> tuple[Volume, ...]:
    """Those there are; none is no fault here: a rule may still take the series, and the job will say why not."""
    try:
        return volumes(read)
    except NotProcessable:
        return ()


def _outcome(rule: str, standing: str, sentence: str) -> dict[str, object]:
    return {"rule": rule, "standing": standing, "why": sentence}


def _job(decision: Decision, inference: Inference, key: str, last_at: datetime) -> NewJob:
    return NewJob(
        rule=inference.rule or decision.rule,
        rule_set_version=decision.rule_set,
        model=inference.model,
        model_version=inference.version or "",
        volume=key,
        destinations=inference.deliver,
        priority=decision.priority.value,
        deadline_at=last_at + decision.deadline if decision.deadline else None,
        inputs=inference.inputs,
    )
