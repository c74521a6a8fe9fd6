"""What is in use, what was, and what is wrong with a draft."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from node.adapters.database import rules as rows
from node.adapters.database.hits import hits
from node.core.rules import Severity, parse_rule_set, version_of
from node.pipeline.rule_sets.drafts import Drafts
from node.pipeline.rule_sets.sight import demand_sight
from node.pipeline.rule_sets.versions import Versions, difference
from node.pipeline.rule_sets.why import Why, why
from node.web.api.rules.shapes import (
    Checked,
    Difference,
    Explained,
    InUse,
    Mistake,
    Published,
    RuleLine,
    ToCheck,
    ToExplain,
    VersionFiles,
)
from node.web.api.rules.who import Reader, put_on_draft

_Version = Annotated[str, Query(min_length=1, max_length=64)]
_Uid = Annotated[str, Query(min_length=1, max_length=128)]


def add_versions(router: APIRouter, versions: Versions) -> None:
    """Routes that change nothing."""
    database = versions.database

    @router.get("", summary="The rule set in use, with how often each rule matched")
    def in_use(actor: Reader) -> InUse:
        _, files = versions.files()
        last = rows.newest(database)
        assert last is not None  # noqa: S101 # `files` said so
        rule_set = parse_rule_set(files)
        counted = {one.rule: one for one in hits(database, versions.clock())}
        return InUse(
            publication=Published.of(last),
            otherwise=rule_set.otherwise.value,
            files=files,
            rules=[
                RuleLine(
                    name=rule.name,
                    file=rule.file,
                    description=rule.description,
                    priority=rule.priority.value,
                    active=rule.active,
                    hits_day=counted[rule.name].day if rule.name in counted else 0,
                    hits_week=counted[rule.name].week if rule.name in counted else 0,
                    hits_month=counted[rule.name].month if rule.name in counted else 0,
                    last_hit_at=counted[rule.name].last_at if rule.name in counted else None,
                )
                for rule in rule_set.rules
            ],
        )

    @router.get("/publications", summary="Which rule set was in use from when on, the newest first")
    def publications(
        actor: Reader,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    ) -> list[Published]:
        return [Published.of(one) for one in rows.history(database, limit, before)]

    @router.get("/versions/{version}", summary="The files of a version, byte for byte")
    def version(version: str, actor: Reader) -> VersionFiles:
        found, files = versions.files(version)
        return VersionFiles(version=found, files=files)

    @router.get("/diff", summary="What changed from one version to another, or to what is in use")
    def diff(actor: Reader, one: _Version, other: _Version | None = None) -> Difference:
        return Difference(lines=difference(versions.files(one)[1], versions.files(other)[1]))

    @router.post("/check", summary="Every mistake of rule files, with file, line and cure")
    def check(draft: ToCheck, actor: Reader) -> Checked:
        files = put_on_draft(Drafts(versions), actor, draft.files, draft.draft)
        found = versions.check(files)
        mistakes = [Mistake.of(one) for one in found]
        errors = sum(1 for one in found if one.severity is Severity.ERROR)
        return Checked(version=version_of(files), errors=errors, warnings=len(mistakes) - errors, mistakes=mistakes)

    @router.get("/explain", summary="Why, and why not: what a version says of a series")
    def explain(
        actor: Reader, series: _Uid, rule: _Version | None = None, version: _Version | None = None
    ) -> Explained:
        return explained(why(database, series, versions.files(version)[1], rule))

    @router.post("/explain", summary="Why, and why not: what a draft says of a series")
    def explain_draft(asked: ToExplain, actor: Reader) -> Explained:
        demand_sight(actor, asked.files, versions)
        return explained(why(database, asked.series, asked.files, asked.rule))


def explained(found: Why) -> Explained:
    """As the API says it."""
    return Explained.model_validate({**vars(found), "rules": [vars(one) for one in found.rules]})
