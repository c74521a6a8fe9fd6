"""What goes in and out of /api/v1/rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication
from node.core.rules import Mistake as Found
from node.pipeline.rule_sets.versions import FILES_AT_MOST, TEXT_AT_MOST

Author = Annotated[
    str | None,
    Field(max_length=TEXT_AT_MOST, description="who is signed in counts; this is for a node where nobody has to"),
]
Name = Annotated[str, Field(min_length=1, max_length=TEXT_AT_MOST)]
VersionName = Annotated[str, Field(min_length=1, max_length=64, description="a publication's number, or a version")]
Files = Annotated[
    dict[str, Annotated[str, Field(max_length=1 << 20)]],
    Field(min_length=1, max_length=FILES_AT_MOST, description="file name → YAML text, byte for byte"),
]


class Published(BaseModel):
    """A rule set that was put into use."""

    number: int
    version: str
    at: datetime
    author: str
    reason: str
    origin: str = Field(description="directory, publish or rollback")
    approver: str = Field(description="empty: nobody was asked")
    simulation: dict[str, object] | None = Field(description="digest and sentence of what was foretold")

    @classmethod
    def of(cls, one: Publication) -> Published:
        return cls.model_validate(vars(one))


class Proposed(BaseModel):
    """A rule set that waits for another person."""

    proposal: int
    version: str
    base: int = Field(description="publication that was in use; it must still be when it is approved")
    at: datetime
    author: str
    reason: str
    state: str = Field(description="open, approved or rejected")
    decided_by: str
    simulation: dict[str, object] | None

    @classmethod
    def of(cls, one: Proposal) -> Proposed:
        return cls.model_validate({**vars(one), "proposal": one.id})


class RuleLine(BaseModel):
    """A rule of the set in use, and how often it matched."""

    name: str
    file: str
    description: str
    priority: str
    active: bool
    hits_day: int = Field(description="series it matched in the last 24 hours")
    hits_week: int = Field(description="in the last 7 days")
    hits_month: int = Field(description="series it matched in the last 30 days")
    last_hit_at: datetime | None


class InUse(BaseModel):
    """The rule set in use."""

    publication: Published
    otherwise: str
    rules: list[RuleLine]
    files: dict[str, str]


class VersionFiles(BaseModel):
    """The files of a version, as they were published."""

    version: str
    files: dict[str, str]


class Difference(BaseModel):
    """A unified diff, line by line; empty when they are alike."""

    lines: list[str]


class Mistake(BaseModel):
    """What is wrong, where, and what to do about it."""

    file: str
    line: int
    what: str
    cure: str
    severity: str = Field(description="error: it cannot be published; warning: surely not meant so")

    @classmethod
    def of(cls, one: Found) -> Mistake:
        return cls(file=one.file, line=one.line, what=one.what, cure=one.cure, severity=one.severity.value)


class Checked(BaseModel):
    """What there is to say of rule files."""

    version: str
    errors: int
    warnings: int
    mistakes: list[Mistake]


class ToCheck(BaseModel):
    """Rule files."""

    files: Files
    draft: bool = Field(False, description="they are put on my draft")


class ToPublish(BaseModel):
    """Rule files to put into use."""

    files: Files
    author: Author = None
    reason: Name
    base: VersionName | None = Field(
        None, description="what they were made from: refused when something else is in use"
    )
    digest: str | None = Field(
        None, max_length=64, description="of the simulation that was looked at: refused when it is of something else"
    )


class ToRollBack(BaseModel):
    """A version that was in use before."""

    version: VersionName
    author: Author = None
    reason: Name
    base: VersionName | None = None


class By(BaseModel):
    """Who decides."""

    author: Author = None


class ToTry(BaseModel):
    """A draft, and how far to look back."""

    files: Files
    author: Author = None
    days: int = Field(0, ge=0, le=3650, description="0: all that is kept")
    against: VersionName | None = Field(None, description="null: what is in use")


class Tried(BaseModel):
    """A simulation: how far it is, and what it found."""

    id: int
    at: datetime
    author: str
    version: str
    base: str
    days: int
    state: str = Field(description="running, done or failed")
    done: int = Field(description="series that were tried")
    total: int
    result: dict[str, object] | None = Field(
        description="sentence, digest, series, changed, gained, lost, inference_hours_a_day, listed; or reason"
    )


class ToShadow(BaseModel):
    """A draft to be asked about live series."""

    files: Files | None = Field(None, description="null: my draft")
    author: Author = None


class OtherSeries(BaseModel):
    """A series that the shadow would have treated otherwise."""

    series_instance_uid: str
    at: datetime
    did: str
    would_have: str


class Shadowed(BaseModel):
    """What a draft in the shadow saw."""

    version: str
    since: datetime
    author: str
    series: int
    differing: int
    sentence: str
    listed: list[OtherSeries]


class ToExplain(BaseModel):
    """A series, and rules that are not in use."""

    series: str = Field(min_length=1, max_length=128, description="SeriesInstanceUID")
    rule: str | None = Field(None, max_length=64)
    files: Files


class Says(BaseModel):
    """One rule and a series."""

    rule: str
    file: str
    standing: str = Field(description="matched, not matched, unknown, waiting, not reached, not active")
    sentence: str
    clause: str = Field(description="that decided")
    value: str = Field(description="that it saw; hidden where it could name a patient")
    smallest_edit: str = Field(description="that would make it match; empty when one change is not enough")


class Explained(BaseModel):
    """Why, and why not."""

    series_instance_uid: str
    rule_set_version: str
    disposition: str
    rule: str
    reason: str
    rules: list[Says]
    lines: list[str]
