"""A PACS as a destination: C-STORE, and C-FIND or storage commitment for who wants proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from node.adapters.destinations import Outcome, Outgoing, store_unless_found
from node.adapters.destinations.commitment import ask
from node.adapters.destinations.fetching import fetch
from node.adapters.destinations.find import knows
from node.adapters.destinations.identity import identity
from node.adapters.destinations.negotiation import accepted
from node.adapters.destinations.reaching import Where
from node.adapters.destinations.storescu import Answered, Peer, echo, read_file_head, send
from node.core.status import Meaning, meaning
from node.core.storage_commitment import Reference
from node.errors import DestinationUnavailable

_PROBE_S = 5.0


class DicomPeer:
    """Sends by C-STORE; what was answered is the outcome. `reads_back`: what was taken is looked for by C-FIND."""

    def __init__(self, name: str, peer: Peer, *, reads_back: bool = False) -> None:
        self.name, self._peer, self._reads_back = name, peer, reads_back

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        return (
            store_unless_found(self._store, self.find, "C-FIND", objects) if self._reads_back else self._store(objects)
        )

    def probe(self) -> None:
        """C-ECHO: a peer that hangs is found out in seconds, whatever its time-out is."""
        self.greet()

    def greet(self) -> str:
        """As `probe`, in words: not everybody who stores offers C-ECHO, though he should."""
        if echo(replace(self._peer, timeout_seconds=min(_PROBE_S, self._peer.timeout_seconds))):
            return "answers C-ECHO"
        return "takes associations, but not C-ECHO"

    def find(self, wanted: Outgoing) -> bool | None:
        return knows(self._peer, identity(wanted.path))

    def where(self) -> Where:
        return Where(self._peer.host, self._peer.port, self._peer.tls, self._peer.ae_title)

    def returned(self, wanted: Outgoing) -> Dataset | None:
        return fetch(self._peer, identity(wanted.path))

    def negotiate(self) -> Mapping[str, tuple[str, ...]]:
        return accepted(self._peer)

    def ask_commitment(self, transaction_uid: str, objects: Sequence[Outgoing]) -> bool:
        return ask(self._peer, transaction_uid, [Reference(one.sop_class_uid, one.sop_instance_uid) for one in objects])

    def _store(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            for answered in send(self._peer, [(one.path, read_file_head(one.path)) for one in objects]):
                outcomes.append(_outcome(answered))
        except DestinationUnavailable as lost:
            if not outcomes:
                raise
            # What was answered before the connection broke stays answered; the rest waits.
            outcomes += [Outcome(Meaning.WAIT, str(lost))] * (len(objects) - len(outcomes))
        return outcomes


def _outcome(answered: Answered) -> Outcome:
    if answered.status is None:
        return Outcome(Meaning.REFUSED, answered.comment)
    comment = f": {answered.comment}" if answered.comment else ""
    return Outcome(meaning(answered.status), f"{answered.status:04X}{comment}")
