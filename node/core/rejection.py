"""Why a peer rejects an association (A-ASSOCIATE-RJ, PS3.8 9.3.4), in words and with what to do."""

from __future__ import annotations

_TRANSIENT = 2  # Result: the same may be accepted later

# (Source, Reason/Diag.) of PS3.8 table 9-21 → what it says, and the cure. {calling} and {called} are AE titles.
_REASONS = {
    (1, 1): ("no reason given", "its log may say why"),
    (1, 2): ("application context name not supported", "is it a DICOM node that listens there?"),
    (1, 3): ("calling AE title not recognized", "admit {calling} with the address of this machine there"),
    (1, 7): ("called AE title not recognized", "it is not called {called}: ask what its AE title is"),
    (2, 1): ("no reason given", "its log may say why"),
    (2, 2): ("protocol version not supported", "is it a DICOM node that listens there?"),
    (3, 1): ("temporary congestion", "it has too much to do: try again later"),
    (3, 2): ("local limit exceeded", "it takes no more associations at the moment: try again later"),
}


def reason_and_cure(result: int, source: int, reason: int, calling: str, called: str) -> tuple[str, str]:
    """What A-ASSOCIATE-RJ with these fields says; `calling` and `called` are the AE titles that were sent."""
    unknown = (f"source {source}, reason {reason}", "its log may say why")
    said, cure = _REASONS.get((source, reason), unknown)
    for_now = " for now" if result == _TRANSIENT else ""
    return f"rejects the association{for_now}, {said}", cure.format(calling=calling, called=called)
