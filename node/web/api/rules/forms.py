"""What goes in and out of /api/v1/rules/form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from node.core.rules.form import Action as FormAction
from node.core.rules.form import Clause as FormClause
from node.core.rules.form import Form as RuleForm
from node.core.rules.form import Group as FormGroup
from node.core.rules.form import Need as FormNeed
from node.core.rules.form import Node

_Text = Annotated[str, Field(max_length=1 << 20)]
_Typed = Annotated[str, Field(max_length=4096)]


class Clause(BaseModel):
    """One question to one attribute."""

    kind: Literal["clause"] = "clause"
    attribute: str = Field(min_length=1, max_length=256)
    operator: str = Field(max_length=16)
    values: Annotated[list[_Typed], Field(min_length=1, max_length=500)]
    quantifier: Literal["", "any", "all", "first"] = ""
    negated: bool = False
    at: str = Field("", max_length=200, description="where it stands in the text; empty: it is new")


class Group(BaseModel):
    """Several conditions."""

    kind: Literal["group"] = "group"
    how: Literal["all", "any", "not"]
    parts: Annotated[list[Annotated[Clause | Group, Field(discriminator="kind")]], Field(max_length=500)]
    fixed: bool = False
    at: str = Field("", max_length=200)


class Action(BaseModel):
    """One thing that a rule does."""

    kind: Literal["infer", "deliver", "tag", "notify", "hold", "ignore"]
    values: Annotated[list[_Typed], Field(max_length=100)] = []
    volume: str = Field("", max_length=256)
    unsuitable: bool = False
    say: _Typed = ""
    at: str = Field("", max_length=200)


class Need(BaseModel):
    """One series of the study, for a rule that needs several."""

    name: str = Field(max_length=64)
    when: Group
    at: str = Field("", max_length=200)


class Form(BaseModel):
    """A rule as a form shows it."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(max_length=64)
    description: _Typed = ""
    priority: str = Field("", max_length=16)
    deadline: str = Field("", max_length=32)
    on_unknown: str = Field("", max_length=16)
    stop: bool | None = None
    active: bool | None = None
    when: Group
    then: Annotated[list[Action], Field(max_length=100)]
    needs: Annotated[list[Need], Field(max_length=64)] = []
    within: str = Field("", max_length=32)
    missing: str = Field("", max_length=16, alias="else", description="hold or proceed; empty: it is not said")

    @classmethod
    def of(cls, form: RuleForm) -> Form:
        plain = {name: getattr(form, name) for name in _PLAIN}
        return cls(
            **plain,
            when=_group(form.when),
            then=[Action(**{**vars(one), "values": list(one.values)}) for one in form.then],
            needs=[Need(name=one.name, when=_group(one.when), at=one.at) for one in form.needs],
        )

    def form(self) -> RuleForm:
        then = tuple(FormAction(**{**one.model_dump(), "values": tuple(one.values)}) for one in self.then)
        needs = tuple(FormNeed(one.name, _read_group(one.when), one.at) for one in self.needs)
        plain = {name: getattr(self, name) for name in _PLAIN}
        return RuleForm(**plain, when=_read_group(self.when), then=then, needs=needs)


_PLAIN = ("name", "description", "priority", "deadline", "on_unknown", "stop", "active", "within", "missing")


class Cannot(BaseModel):
    """Why a form cannot show a rule."""

    line: int = Field(description="0: the whole")
    why: str


class ToRead(BaseModel):
    """A rule file."""

    text: _Text


class ToWriteForm(BaseModel):
    """A rule file, and the form that was read from it and changed."""

    text: _Text
    form: Form


class Shown(BaseModel):
    """A rule file and its form."""

    text: str
    form: Form | None
    cannot: Cannot | None


def _group(group: FormGroup) -> Group:
    return Group(how=group.how, parts=[_node(part) for part in group.parts], fixed=group.fixed, at=group.at)


def _node(node: Node) -> Clause | Group:
    if isinstance(node, FormGroup):
        return _group(node)
    return Clause(**{**vars(node), "values": list(node.values)})


def _read_group(group: Group) -> FormGroup:
    return FormGroup(group.how, tuple(_read(part) for part in group.parts), group.fixed, group.at)


def _read(node: Clause | Group) -> Node:
    if isinstance(node, Group):
        return _read_group(node)
    return FormClause(node.attribute, node.operator, tuple(node.values), node.quantifier, node.negated, node.at)
