"""A destination is tested: the way to it, what it takes, and a synthetic object that is stored, found and compared.

One line a step, with its cure; what was seen makes the capability card.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydicom import dcmread

from node.adapters.destinations import (
    Committing,
    Destination,
    Findable,
    Greeting,
    Negotiating,
    Outgoing,
    Probing,
    Removing,
    Returning,
)
from node.adapters.destinations.reaching import Reached, Where, addresses, certificate, connect
from node.core.forms import Form
from node.core.inspection import Seen, Verdict
from node.core.sample import TEST_TRANSACTION, sample_file
from node.core.status import Meaning
from node.errors import AssociationRejected, BadInstance, DestinationUnavailable, NodeError

_SEARCH = "Study Root Query"
_COMMITMENT = "Storage Commitment"
_CLASSES = {
    Form.LABELMAP: "Label Map Segmentation",
    Form.BINARY: "Segmentation",
    Form.FRACTIONAL: "Segmentation",
    Form.PLANAR: "Comprehensive 3D SR",
    Form.SEGMENT: "Comprehensive 3D SR",
    Form.OVERLAY: "Multi-frame True Color Secondary Capture Image",
    Form.GSPS: "Grayscale Softcopy Presentation State",
    Form.PDF: "Encapsulated PDF",
}
_BEST_FIRST = {Form.LABELMAP: "LABELMAP", Form.BINARY: "BINARY", Form.OVERLAY: "Secondary Capture"}
_SOON_DAYS = 30
_PATIENT = "MRICORE-TEST"
_AGAIN_S = 0.5  # between two searches


@dataclass(frozen=True)
class Card:
    """What was seen. Sentences are for people; "" where the step was not tried or is not offered."""

    reachable: str
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # SOP class → transfer syntaxes, by name
    stored: str = ""
    found: str = ""
    removed: str = ""
    works: bool = False
    steps: Sequence[Seen] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """Forms of a segmentation that it takes, the best first; none where classes cannot be negotiated."""
        return tuple(name for form, name in _BEST_FIRST.items() if _CLASSES[form] in self.takes)


@dataclass(frozen=True)
class Asked:
    """How a destination is to be tested."""

    node_ae: str
    wants: frozenset[Form]  # what it is to get
    now: datetime
    removes: bool = False  # whether the synthetic object may be deleted there
    proof: str = "answer"
    seconds: float = 10.0  # for each of the first steps
    found_seconds: float = 10.0  # until what was stored has to be found


class Examination:
    """One test of one destination. `steps` does it; `card` is what was seen by then."""

    def __init__(self, destination: Destination, asked: Asked, folder: Path) -> None:
        """`folder` is for the synthetic file."""
        self._destination, self._asked, self._folder = destination, asked, folder
        self._seen: list[Seen] = []
        self._takes: Mapping[str, tuple[str, ...]] = {}
        self._lost = False  # nothing further can be asked

    def steps(self) -> Iterator[Seen]:
        """Each when it is done; raises nothing of the node's."""
        stores = (self._store, self._find, self._compare, self._commitment, self._remove)
        return self._taken([self._way, self._greeting, self._classes, *stores])

    def looks(self) -> Iterator[Seen]:
        """Those that leave nothing behind."""
        return self._taken([self._way, self._greeting, self._classes])

    def _taken(self, steps: Sequence[Callable[[], Iterator[Seen]]]) -> Iterator[Seen]:
        for step in steps:
            begin = time.monotonic()
            for seen in self._safely(step):
                one = Seen(seen.part, seen.verdict, seen.sentence, seen.cure, round(time.monotonic() - begin, 3))
                begin = time.monotonic()
                self._seen.append(one)
                yield one
            if self._lost:
                return

    def card(self) -> Card:
        told = {one.part: one for one in self._seen}

        def said(part: str) -> str:
            return told[part].sentence if part in told and told[part].verdict is not Verdict.NOT_ASKED else ""

        reachable = next((one.sentence for one in self._seen if one.verdict is Verdict.FAILED), "answers")
        works = "store" in told and not any(one.verdict is Verdict.FAILED for one in self._seen)
        return Card(
            reachable if "store" not in told else said("answers") or "answers",
            self._takes,
            said("store"),
            said("find"),
            said("remove"),
            works,
            tuple(self._seen),
        )

    def _safely(self, step: Callable[[], Iterator[Seen]]) -> Iterator[Seen]:
        try:
            yield from step()
        except NodeError as fault:
            yield Seen(step.__name__.strip("_"), Verdict.FAILED, str(fault))

    def _way(self) -> Iterator[Seen]:
        if not isinstance(self._destination, Reached):
            return
        at = self._destination.where()
        steps: list[tuple[str, Callable[[Where], Seen]]] = [("name", self._name), ("port", self._port)]
        if at.tls:
            steps.append(("certificate", self._certificate))
        for part, look in steps:
            try:
                yield look(at)
            except DestinationUnavailable as down:
                self._lost = True
                yield Seen(part, Verdict.FAILED, str(down), _CURES[part])
                return

    def _name(self, at: Where) -> Seen:
        return Seen("name", Verdict.OK, f"{at.host} is {', '.join(addresses(at.host)[:4])}")

    def _port(self, at: Where) -> Seen:
        connect(at, self._asked.seconds)
        return Seen("port", Verdict.OK, f"{at.port} takes connections")

    def _certificate(self, at: Where) -> Seen:
        shown = certificate(at, self._asked.seconds)
        days = (shown.expires_at - self._asked.now).days
        told = (
            f"{shown.subject}, by {shown.issuer}, until {shown.expires_at:%Y-%m-%d}; {shown.protocol}, {shown.cipher}"
        )
        if days < _SOON_DAYS:
            cure = "Have it renewed: deliveries wait from the day it expires"
            return Seen("certificate", Verdict.ATTENTION, f"{told}: {days} days are left", cure)
        return Seen("certificate", Verdict.OK, told)

    def _greeting(self) -> Iterator[Seen]:
        try:
            if isinstance(self._destination, Greeting):
                yield Seen("answers", Verdict.OK, self._destination.greet())
            elif isinstance(self._destination, Probing):
                self._destination.probe()
                yield Seen("answers", Verdict.OK, "answers C-ECHO")
        except AssociationRejected as rejected:
            self._lost = True
            yield Seen("answers", Verdict.FAILED, rejected.what, rejected.cure[0].upper() + rejected.cure[1:])
        except DestinationUnavailable as down:
            self._lost = True
            yield Seen("answers", Verdict.FAILED, str(down), _CURES["answers"])

    def _classes(self) -> Iterator[Seen]:
        if not isinstance(self._destination, Negotiating):
            return
        self._takes = takes = self._destination.negotiate()
        for name in sorted({_CLASSES[form] for form in self._asked.wants}):
            if name in takes:
                yield Seen(f"takes {name}", Verdict.OK, ", ".join(takes[name]))
            else:
                yield self._not_taken(name)
        others = sorted(set(takes) - set(_CLASSES.values()) - {_SEARCH, _COMMITMENT})
        more = sorted((set(takes) & set(_CLASSES.values())) - {_CLASSES[form] for form in self._asked.wants})
        if others or more:
            yield Seen("takes besides", Verdict.OK, ", ".join([*more, *others]))

    def _not_taken(self, name: str) -> Seen:
        if name == _CLASSES[Form.LABELMAP]:
            return Seen(f"takes {name}", Verdict.ATTENTION, "is not accepted: it gets the BINARY Segmentation instead")
        cure = "Have the class allowed at the PACS, or choose other forms for this destination"
        return Seen(f"takes {name}", Verdict.FAILED, "is not accepted: such results would be refused", cure)

    @property
    def _sample(self) -> Outgoing:
        ds, content = sample_file(self._asked.node_ae)
        path = self._folder / "sample.dcm"
        if not path.exists():
            path.write_bytes(content)
        return Outgoing("SR", str(ds.SOPClassUID), str(ds.SOPInstanceUID), path)

    def _store(self) -> Iterator[Seen]:
        try:
            (outcome,) = self._destination.deliver([self._sample])
        except DestinationUnavailable as down:
            self._lost = True
            yield Seen("store", Verdict.FAILED, str(down), _CURES["store"])
            return
        if outcome.meaning is Meaning.DELIVERED:
            yield Seen("store", Verdict.OK, f"a synthetic report of patient {_PATIENT} was taken: {outcome.answer}")
        else:
            self._lost = True
            yield Seen(
                "store", Verdict.FAILED, f"the synthetic report was not taken: {outcome.answer}", _CURES["store"]
            )

    def _find(self) -> Iterator[Seen]:
        if not isinstance(self._destination, Findable):
            return
        try:
            found = self._found(self._destination)
        except DestinationUnavailable as silent:
            yield Seen("find", Verdict.FAILED, str(silent), _CURES["find"])
            return
        if found is None:
            yield Seen("find", Verdict.NOT_ASKED, "it cannot be searched: C-FIND or QIDO-RS is not offered")
        elif found:
            yield Seen("find", Verdict.OK, "found")
        else:
            yield Seen("find", Verdict.FAILED, "not found: it answered that it took it", _CURES["find"])

    def _found(self, destination: Findable) -> bool | None:
        """A PACS may write what it took into its index a little later."""
        give_up = time.monotonic() + self._asked.found_seconds
        while True:
            found = destination.find(self._sample)
            if found is not False or time.monotonic() > give_up:
                return found
            time.sleep(_AGAIN_S)

    def _compare(self) -> Iterator[Seen]:
        if not isinstance(self._destination, Returning):
            return
        try:
            returned = self._destination.returned(self._sample)
        except (DestinationUnavailable, BadInstance) as silent:
            yield Seen("compare", Verdict.ATTENTION, f"not read back: {silent}")
            return
        if returned is None:
            yield Seen("compare", Verdict.NOT_ASKED, "it gives nothing back: C-GET or WADO-RS is not offered")
            return
        sent = dcmread(self._sample.path)
        other = sorted(one.keyword or str(one.tag) for one in sent if returned.get(one.tag) != one)
        if other:
            told = f"what it keeps differs in {', '.join(other[:8])}"
            yield Seen("compare", Verdict.ATTENTION, told, "Ask the PACS which attributes it coerces")
        else:
            yield Seen("compare", Verdict.OK, "read back: every attribute is as it was sent")

    def _commitment(self) -> Iterator[Seen]:
        if not isinstance(self._destination, Committing):
            return
        if _COMMITMENT not in self._takes:
            wanted = self._asked.proof == "commitment"
            verdict = Verdict.ATTENTION if wanted else Verdict.NOT_ASKED
            cure = "C-FIND decides in its place; or have the service switched on at the PACS" if wanted else ""
            yield Seen("storage commitment", verdict, "is not offered", cure)
            return
        if self._asked.proof != "commitment":
            yield Seen("storage commitment", Verdict.OK, 'is offered, and not used: proof = "commitment" would')
            return
        taken = self._destination.ask_commitment(TEST_TRANSACTION, [self._sample])
        if taken:
            yield Seen("storage commitment", Verdict.OK, "the request was taken; it reports to this node's listener")
        else:
            cure = "C-FIND decides in its place; ask the PACS why it refuses"
            yield Seen("storage commitment", Verdict.ATTENTION, "the request was refused", cure)

    def _remove(self) -> Iterator[Seen]:
        if self._asked.removes and isinstance(self._destination, Removing):
            gone = self._destination.remove(self._sample.sop_instance_uid)
            yield Seen("remove", Verdict.OK, "removed" if gone else "nothing to remove")
            return
        yield Seen(
            "remove",
            Verdict.NOT_ASKED,
            f"the synthetic report stays there: patient {_PATIENT}, always the same instance",
        )


_CURES = {
    "name": "Look at host or url, and at the name server",
    "port": "Look at port, at the firewall between, and whether the peer runs",
    "certificate": "Set tls_ca to the authority that signed it; have its name match host",
    "answers": "Look at the AE titles on both sides, or at url, user and password",
    "store": "Look at what the peer says; its log knows more",
    "find": "Look whether the peer puts what it gets into quarantine or a worklist",
}
