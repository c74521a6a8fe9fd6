"""The keys of each kind of place, from the models of node.toml: for forms, for the API's description, for commands."""

from __future__ import annotations

from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from node.app.places.helps import HELPS
from node.config.mistakes import demanded_of, keys_of_a_group, keys_of_destination, keys_of_source, proofs_of
from node.config.sections import DestinationGroupSettings, DestinationSettings, SourceSettings
from node.core.places import Family, Key, Shape

_SIMPLE: dict[type, Shape] = {
    bool: Shape.SWITCH,
    int: Shape.INTEGER,
    float: Shape.NUMBER,
    str: Shape.TEXT,
    Path: Shape.PATH,
    SecretStr: Shape.SECRET,
}
_ORDER = {"where": 0, "order": 1, "trust": 2, "forms": 3, "when": 4}

MODELS: dict[Family, type[DestinationSettings] | type[DestinationGroupSettings] | type[SourceSettings]] = {
    Family.DESTINATION: DestinationSettings,
    Family.GROUP: DestinationGroupSettings,
    Family.SOURCE: SourceSettings,
}
_MINE = {
    Family.DESTINATION: keys_of_destination,
    Family.GROUP: keys_of_a_group,
    Family.SOURCE: keys_of_source,
}


def kind_key(family: Family) -> str:
    """What node.toml calls the kind of one."""
    return "mode" if family is Family.GROUP else "kind"


def kinds_of(family: Family) -> tuple[str, ...]:
    """As node.toml names them, the commonest first."""
    return tuple(get_args(MODELS[family].model_fields[kind_key(family)].annotation))


@cache
def keys_of(family: Family, kind: str) -> tuple[Key, ...]:
    """In the order in which a person wants to see them; without name and kind."""
    model, mine = MODELS[family], _MINE[family](kind)
    found = [key for name in model.model_fields if name in mine for key in _keys(family, kind, name, model)]
    return tuple(sorted(found, key=lambda one: _ORDER[one.group]))


def _keys(family: Family, kind: str, name: str, model: type[BaseModel], before: str = "") -> list[Key]:
    field = model.model_fields[name]
    inner = _plain(field.annotation)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return [key for one in inner.model_fields for key in _keys(family, kind, one, inner, f"{name}.")]
    group, text = HELPS[family][f"{before}{name}"]
    choices = proofs_of(kind) if (family, name) == (Family.DESTINATION, "proof") else _choices(inner)
    required = f"{before}{name}" in demanded_of(family, kind)
    return [Key(f"{before}{name}", _shape(inner), text, group, _default(field), choices, required)]


def _plain(annotation: Any) -> Any:
    """X | None → X."""
    if get_origin(annotation) in (Union, UnionType):
        return next(_plain(one) for one in get_args(annotation) if one is not NoneType)
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _shape(inner: Any) -> Shape:
    if get_origin(inner) is tuple:
        return Shape.LIST
    if _choices(inner):
        return Shape.CHOICE
    return _SIMPLE[inner]


def _choices(inner: Any) -> tuple[str, ...]:
    if get_origin(inner) is Literal:
        return tuple(str(one) for one in get_args(inner))
    if isinstance(inner, type) and issubclass(inner, Enum):
        return tuple(str(one.value) for one in inner)
    return ()


def _default(field: FieldInfo) -> object:
    if field.is_required() or isinstance(field.default, SecretStr):
        return None
    return [*field.default] if isinstance(field.default, tuple) else field.default
