"""What goes in and out of /api/v1/rules/draft, and of what helps to write."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from node.core.rules.three_way import Both
from node.pipeline.rule_sets.drafts import Standing
from node.pipeline.rule_sets.lately import Matching
from node.pipeline.rule_sets.versions import FILES_AT_MOST
from node.web.api.rules.shapes import Explained, Files, Name, Published

FileName = Annotated[str, Field(min_length=1, max_length=128)]
Text = Annotated[str, Field(max_length=1 << 20)]


class DraftFile(BaseModel):
    """A file that is not as it was."""

    file: str
    change: Literal["mine", "theirs", "same", "conflict"] = Field(
        description="who changed it since the draft was begun; same: both, alike"
    )
    base: str | None = Field(description="as both began with; null: it was not there")
    theirs: str | None = Field(description="as it is in use")
    mine: str | None = Field(description="as it is in the draft")

    @classmethod
    def of(cls, one: Both) -> DraftFile:
        return cls.model_validate({**vars(one), "change": one.change.value})


class DraftView(BaseModel):
    """A draft. Revision 0: nobody changed anything yet, and it is what is in use."""

    author: str
    revision: int = Field(description="also the ETag; a change says which it was made from (If-Match)")
    at: datetime
    base: int = Field(description="publication that it was made from")
    in_use: int = Field(description="publication that is in use")
    overtaken: Published | None = Field(description="what somebody published since; null: nobody did")
    changed: list[str] = Field(description="files that are not as they are in use")
    files: dict[str, str]

    @classmethod
    def of(cls, standing: Standing) -> DraftView:
        draft = standing.draft
        return cls(
            author=draft.author,
            revision=draft.revision,
            at=draft.at,
            base=draft.base,
            in_use=standing.in_use.number,
            overtaken=Published.of(standing.in_use) if standing.overtaken else None,
            changed=list(standing.changed),
            files=dict(draft.files),
        )


class Working(BaseModel):
    """Somebody who works on a draft."""

    author: str
    base: int
    at: datetime


class ToWrite(BaseModel):
    """Rule files, in place of all others."""

    files: Files


class ToWriteFile(BaseModel):
    """One file."""

    text: Text


class ToOrder(BaseModel):
    """Every rule file once, in the order in which they are to be tried."""

    order: Annotated[list[FileName], Field(max_length=FILES_AT_MOST)]


class ToSwitch(BaseModel):
    """A rule, on or off."""

    file: FileName
    active: bool


class ToTakeUp(BaseModel):
    """What is in use now, with my changes."""

    take_theirs: Annotated[list[FileName], Field(max_length=FILES_AT_MOST)] = []


class ToPublishDraft(BaseModel):
    """The draft as it was simulated."""

    reason: Name
    digest: str = Field(min_length=1, max_length=64, description="of the simulation that was looked at")


class ToSimulate(BaseModel):
    """How far to look back."""

    days: int = Field(0, ge=0, le=3650, description="0: all that is kept")


class ToBegin(BaseModel):
    """A new rule: empty, or like a series that came."""

    name: str = Field("", max_length=64)
    series: str | None = Field(None, max_length=128, description="SeriesInstanceUID")
    model: str | None = Field(None, max_length=64, description="null: the first one there is; empty: hold the series")


class TakenFrom(BaseModel):
    """Where a value in a new rule comes from."""

    attribute: str
    value: str = Field(description="empty: left out")
    from_where: str
    others: int | None = Field(description="series of the last 30 days with the same value; null: not counted")


class Begun(BaseModel):
    """A new rule in the draft."""

    file: str
    name: str
    text: str
    taken: list[TakenFrom]
    revision: int


class ToComplete(BaseModel):
    """Where somebody types."""

    text: Text
    at: int = Field(ge=0, le=1 << 20, description="characters before the cursor")
    file: str = Field("", max_length=128)


class Option(BaseModel):
    """What may stand there."""

    label: str
    detail: str = ""
    apply: str = Field("", description="what is written, when it is not the label")
    kind: str = Field("", description="keyword, fact, operator, value, key, model …")


class Completed(BaseModel):
    """What may stand there, in the order in which it is likely."""

    begins: int
    options: list[Option]


class ToAsk(BaseModel):
    """Whose rules are asked, and of what."""

    text: str = Field(min_length=1, max_length=128, description="accession number, StudyInstanceUID, SeriesInstanceUID")
    version: str | None = Field(None, max_length=64, description="null: what is in use")
    draft: bool = Field(False, description="my draft instead")


class ToMatch(BaseModel):
    """A rule of a draft."""

    files: Files
    draft: bool = Field(False, description="the files are put on my draft")
    file: FileName
    days: int = Field(7, ge=1, le=30)


class MatchedSeries(BaseModel):
    """A series that a rule matches, or cannot decide on."""

    series_instance_uid: str
    at: datetime
    standing: Literal["matched", "unknown"]
    description: str


class Matches(BaseModel):
    """What a rule makes of the series of the last days."""

    days: int
    series: int
    matched: int
    unknown: int
    taken: int = Field(description="of those that it matches, series that an earlier rule takes")
    listed: list[MatchedSeries]
    milliseconds: float

    @classmethod
    def of(cls, found: Matching, descriptions: dict[str, str], milliseconds: float) -> Matches:
        listed = [
            MatchedSeries(series_instance_uid=uid, at=at, standing=said, description=descriptions.get(uid, ""))
            for uid, at, said in found.listed
        ]
        return cls(
            days=found.days, series=found.series, matched=found.matched, unknown=found.unknown, taken=found.taken,
            listed=listed, milliseconds=milliseconds,
        )  # fmt: skip


class AskedSeries(BaseModel):
    """A series and what all rules say of it."""

    series_instance_uid: str
    description: str
    modality: str
    state: str
    reason: str
    explained: Explained | None = Field(description="null: its headers are not kept")
