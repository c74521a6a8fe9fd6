"""What helps to write rules: a file as a form and back, completion, and what a rule matches while it is typed."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Query

from node.adapters.database import simulations
from node.core.rules import parse_rule_set
from node.core.rules.entries import RULE_NAME
from node.core.rules.form import NotAFormError, read_form, write_form
from node.core.rules.mistakes import Wrong
from node.core.rules.order import new_name
from node.core.rules.words import Means, Word, all_facts, means, word, words
from node.errors import NoSuch, Usage
from node.pipeline.rule_sets.asking import ask_all
from node.pipeline.rule_sets.drafts import Drafts
from node.pipeline.rule_sets.lately import SeenValue
from node.pipeline.rule_sets.sight import demand_sight
from node.pipeline.rule_sets.suggesting import Suggesting, names_of
from node.web.api.rules.drafting import (
    AskedSeries,
    Begun,
    Completed,
    Matches,
    Option,
    TakenFrom,
    ToAsk,
    ToBegin,
    ToComplete,
    ToMatch,
)
from node.web.api.rules.forms import Cannot, Form, Shown, ToRead, ToWriteForm
from node.web.api.rules.versions import explained
from node.web.api.rules.who import Reader, Writer, put_on_draft

_Text = Annotated[str, Query(max_length=128)]


def add_writing(router: APIRouter, drafts: Drafts, suggesting: Suggesting) -> None:
    """Routes for an editor."""
    _add_form(router)
    _add_words(router, suggesting)
    _add_asking(router, drafts, suggesting)


def _add_form(router: APIRouter) -> None:
    @router.post("/form", summary="A rule file as a form; or why no form can show it")
    def form(file: ToRead, actor: Reader) -> Shown:
        try:
            return Shown(text=file.text, form=Form.of(read_form(file.text)), cannot=None)
        except NotAFormError as cannot:
            return Shown(text=file.text, form=None, cannot=Cannot(line=cannot.line, why=cannot.why))

    @router.post("/form/write", summary="A changed form as text: only what changed is written, comments stay")
    def write(new: ToWriteForm, actor: Reader) -> Shown:
        try:
            text = write_form(new.text, new.form.form())
            return Shown(text=text, form=Form.of(read_form(text)), cannot=None)
        except NotAFormError as cannot:
            raise Usage(str(cannot)) from cannot


def _add_words(router: APIRouter, suggesting: Suggesting) -> None:
    @router.get("/words", summary="Attributes and facts with these letters in their names, those of this site first")
    def attributes(actor: Reader, text: _Text = "", limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[Word]:
        return words(text, suggesting.lately.attributes(), limit)

    @router.get("/words/facts", summary="What the node knows of a series beyond its headers")
    def facts(actor: Reader) -> list[Word]:
        return all_facts()

    @router.get("/words/operators", summary="What may be asked of an attribute or a fact")
    def operators(actor: Reader, attribute: _Text) -> list[Means]:
        found = word(attribute)
        if isinstance(found, Wrong):
            raise NoSuch(f"{found.what}. {found.cure}".strip())
        return list(means(attribute))

    @router.get(
        "/words/values",
        summary="Values that series of the last 30 days held, the most frequent first",
        description="Nothing of what could name a patient or a visit: then, and for free text, the list is empty.",
    )
    def values(actor: Reader, attribute: _Text) -> list[SeenValue]:
        return suggesting.lately.values(attribute)

    @router.post("/complete", summary="What may stand where somebody types in a rule file")
    def complete(typed: ToComplete, actor: Reader) -> Completed:
        begins, options = suggesting.complete(typed.text, min(typed.at, len(typed.text)), typed.file)
        return Completed(begins=begins, options=[Option(**vars(one)) for one in options])


def _add_asking(router: APIRouter, drafts: Drafts, suggesting: Suggesting) -> None:
    database = suggesting.database

    @router.post("/matches", summary="What a rule of a draft matches among the series of the last days")
    def matches(asked: ToMatch, actor: Reader) -> Matches:
        begun = perf_counter()
        files = put_on_draft(drafts, actor, asked.files, asked.draft)
        demand_sight(actor, files, drafts.versions)
        rule_set = parse_rule_set(files)
        rule = next((one for one in rule_set.rules if one.file == asked.file), None)
        if rule is None:
            raise NoSuch(f"there is no rule in {asked.file[:64]}")
        found = suggesting.lately.matching(rule_set, rule.name, asked.days)
        described = simulations.descriptions(database, [uid for uid, _, _ in found.listed])
        return Matches.of(found, described, round(1000 * (perf_counter() - begun), 1))

    @router.post("/why", summary="Why, and why not: all rules and every series of an accession number or a UID")
    def why_all(asked: ToAsk, actor: Reader) -> list[AskedSeries]:
        own = drafts.standing(actor.name).draft.files if asked.draft else None
        files = drafts.versions.files(asked.version)[1] if own is None else own
        demand_sight(actor, files, drafts.versions)
        return [
            AskedSeries(
                series_instance_uid=one.series.series_instance_uid,
                description=one.series.series_description,
                modality=one.series.modality,
                state=one.series.state,
                reason=one.series.reason,
                explained=explained(one.why) if one.why else None,
            )
            for one in ask_all(database, asked.text, files)
        ]

    @router.post("/draft/rules", status_code=201, summary="A new rule in my draft: empty, or like a series that came")
    def begin(new: ToBegin, actor: Writer) -> Begun:
        draft = drafts.standing(actor.name).draft
        if new.series:
            made = suggesting.from_series(new.series, new.model, draft.files)
            name, text, taken = made.name, made.text, made.taken
        else:
            name, taken = new.name.strip(), ()
            text = f"name: {name}\nwhen: {{}}\non_unknown: no-match\nthen:\n  - hold: to be decided\n"
        if not RULE_NAME.fullmatch(name):
            raise Usage("name: a rule's name is lower-case letters, digits and hyphens, like head-t1")
        if name in names_of(draft.files):
            raise Usage(f"name: there is a rule {name[:64]} already")
        file = new_name(draft.files, name)
        saved = drafts.write_file(actor.name, draft.revision, file, text)
        return Begun(
            file=file, name=name, text=text, taken=[TakenFrom(**vars(one)) for one in taken], revision=saved.revision
        )
