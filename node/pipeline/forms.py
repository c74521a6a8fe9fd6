"""Which forms of a result each destination gets: as configured, and as far as a test has shown that it takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from node.adapters.database import Database
from node.adapters.database.deliveries import capabilities
from node.core.forms import DEFAULT, IN_PLACE, Form

_LABELMAP = "Label Map Segmentation"  # as the capability card names the class


@dataclass(frozen=True)
class Choice:
    """What the destinations want."""

    database: Database
    asked: Mapping[str, frozenset[Form]] = field(default_factory=dict)  # by destination or group; others: the default

    def of(self, destinations: Collection[str]) -> dict[str, frozenset[Form]]:
        """The forms for each destination. What a test saw refused gives way to what is taken in its place."""
        known = capabilities(self.database) if any(self._asks_labelmap(name) for name in destinations) else {}
        chosen = {}
        for name in destinations:
            forms = self.asked.get(name, DEFAULT)
            takes = known[name][1].get("takes") if name in known else None
            if Form.LABELMAP in forms and takes and _LABELMAP not in takes:
                forms = forms - {Form.LABELMAP} | {IN_PLACE[Form.LABELMAP]}
            chosen[name] = forms
        return chosen

    def _asks_labelmap(self, name: str) -> bool:
        return Form.LABELMAP in self.asked.get(name, DEFAULT)


def to_make(chosen: Mapping[str, frozenset[Form]]) -> frozenset[Form]:
    """What a job makes: what anybody wants, and the BINARY SEG, which goes where another form is refused."""
    return frozenset({Form.BINARY}.union(*chosen.values())) if chosen else DEFAULT


def sent_to(kind: str, chosen: Mapping[str, frozenset[Form]], made: Collection[str]) -> list[str]:
    """The destinations that get an object of this kind; one that asked for a form that could not be made gets what
    goes in its place."""
    form = Form(kind)
    missing = {wanted for wanted, instead in IN_PLACE.items() if instead is form and wanted not in made}
    return [name for name, forms in chosen.items() if form in forms or missing & forms]
