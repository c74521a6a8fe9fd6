"""What is shown in the place of what names a patient, to who may not see it."""

from __future__ import annotations

from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol, TypeVar

from node.core.access.roles import Actor

HIDDEN = "•••"
_OF_PATIENTS = ("patient_name", "patient_id", "accession_number")


class OfPatient(Protocol):
    """A frozen value that says whom it is of."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def patient_name(self) -> str: ...

    @property
    def patient_id(self) -> str: ...

    @property
    def accession_number(self) -> str: ...


_Line = TypeVar("_Line", bound=OfPatient)


def shown(actor: Actor, text: str) -> str:
    """A patient's name, ID, birth date or the like as this actor may see it; empty stays empty."""
    return text if actor.sees_patients or not text else HIDDEN


def masked(actor: Actor, one: _Line) -> _Line:
    """The same, but of whom it is only as this actor may see it. What leaves the node goes through here."""
    return replace(one, **{name: shown(actor, getattr(one, name)) for name in _OF_PATIENTS})
