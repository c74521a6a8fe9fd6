"""A PACS as a destination: C-STORE."""

from __future__ import annotations

from collections.abc import Sequence

from node.adapters.destinations import Outcome, Outgoing
from node.adapters.destinations.storescu import Answered, Peer, read_file_head, send
from node.core.status import Meaning, meaning
from node.errors import DestinationUnavailable


class DicomPeer:
    """Sends by C-STORE; what was answered is the outcome."""

    def __init__(self, name: str, peer: Peer) -> None:
        self.name, self._peer = name, peer

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
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
