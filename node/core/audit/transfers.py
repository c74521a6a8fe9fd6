"""Instances that went from one place to another, as audit messages: one for each association or request, and study.

The trail keeps of each where to, and how many of which SOP class: `Transfer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from node.core.audit.lines import Line
from node.core.audit.parts import (
    DESTINATION,
    DESTINATION_MEDIA,
    SOURCE,
    URI_MEDIA,
    Source,
    Study,
    dcm,
    named,
    of_study,
    person,
)
from node.core.audit.xml import MINOR, SUCCESS, Code, Message, Participant, SopClass

EXPORT = dcm("110106", "Export")
INSTANCES_TRANSFERRED = dcm("110104", "DICOM Instances Transferred")


@dataclass(frozen=True)
class Received:
    """What one association or request brought of one study."""

    at: datetime
    association: str
    calling_ae: str
    called_ae: str
    host: str
    study: Study


@dataclass(frozen=True)
class Transfer:
    """Where instances of one study went."""

    to: str  # a destination's name, or an AE title
    ae_title: str = ""
    host: str = ""  # "": no peer, but a folder
    sop_classes: Mapping[str, int] = field(default_factory=dict)  # instances of each
    job: int | None = None  # that made them

    def text(self) -> str:
        """As a line keeps it."""
        told = {name: value for name, value in vars(self).items() if value not in ("", None)}
        return json.dumps(told, sort_keys=True, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Transfer:
        """What `text` wrote; an empty one of what is none of it, for a line is told in any case."""
        try:
            told = json.loads(text)
            counted = {str(uid): int(number) for uid, number in told.get("sop_classes", {}).items()}
            to, ae_title, host = (str(told.get(name, "")) for name in ("to", "ae_title", "host"))
            return cls(to, ae_title, host, counted, told.get("job"))
        except (ValueError, TypeError, AttributeError):
            return cls("")

    def counted(self, study: Study) -> Study:
        sop_classes = tuple(SopClass(uid, number) for uid, number in sorted(self.sop_classes.items()))
        return Study(study.uid, study.patient_id, study.patient_name, sop_classes)


def received(one: Received, source: Source) -> Message:
    """A.5.3.7: instances came here."""
    return Message(
        INSTANCES_TRANSFERRED, "C", one.at, SUCCESS,
        [
            Participant(one.calling_ae or one.host or "unknown", True, one.host, SOURCE, f"AETITLES={one.calling_ae}"),
            source.process(role=DESTINATION),
        ],
        source.ae_title, objects=of_study(one.study),
    )  # fmt: skip


def delivered(line: Line, source: Source, study: Study | None) -> Message:
    """A.5.3.7: results went to a destination, because the node wanted it; A.5.3.4 where that is a folder."""
    transfer = Transfer.read(line.after)
    mine = source.process(requestor=True, role=SOURCE)
    if not transfer.host:
        folder = Participant(transfer.to or "unknown", False, role=DESTINATION_MEDIA, media=URI_MEDIA)
        return _told(EXPORT, line, source, [mine, folder], transfer.counted(study or named(line)))
    participants = [mine, _destination(transfer, requestor=False)]
    return _told(INSTANCES_TRANSFERRED, line, source, participants, transfer.counted(study or named(line)))


def sent(line: Line, source: Source, study: Study | None) -> Message:
    """A.5.3.7: somebody had instances sent, to himself (C-GET) or to another one (C-MOVE)."""
    transfer = Transfer.read(line.after)
    who = person(line)
    to_himself = transfer.ae_title == who.user
    participants = [source.process(role=SOURCE), _destination(transfer, requestor=to_himself)]
    if not to_himself:
        participants.append(who)
    return _told(INSTANCES_TRANSFERRED, line, source, participants, transfer.counted(study or named(line)))


def _destination(transfer: Transfer, *, requestor: bool) -> Participant:
    alternative = f"AETITLES={transfer.ae_title}" if transfer.ae_title else ""
    return Participant(transfer.to or "unknown", requestor, transfer.host, DESTINATION, alternative)


def _told(event: Code, line: Line, source: Source, participants: list[Participant], study: Study) -> Message:
    """Read (R): whether the other one had them before is his to know."""
    outcome, why = (SUCCESS, "") if line.ok else (MINOR, line.reason)
    return Message(event, "R", line.at, outcome, participants, source.ae_title, objects=of_study(study),
                   outcome_text=why)  # fmt: skip
