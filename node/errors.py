"""The one error tree of the node. Whether to try again is part of the type.

    NodeError
    ├── Usage                   the person at the keyboard: exit status 2
    │   ├── BadConfiguration    node.toml, a rule, a model card: says which key or file:line
    │   ├── NoSuch              what was asked for by its name is not there
    │   ├── NotSettled          what is to be removed is not done with yet
    │   ├── Overtaken           somebody else changed it meanwhile: look again
    │   ├── NotSignedIn         nobody is known to be asking
    │   └── NotAllowed          who asks has not the right
    ├── Retryable               the same work may succeed later: wait and try again
    │   ├── ModelUnavailable    Triton is down, starting, full or too slow
    │   ├── DestinationUnavailable   a PACS is down, busy or out of room
    │   │   └── AssociationRejected  … or rejects the association, and says why
    │   ├── SourceUnavailable   an archive or folder that instances are fetched from cannot be reached
    │   ├── StorageFull         below the disk watermark
    │   └── StoreUnavailable    the database does not answer
    └── Permanent               the same work will fail again: state the reason and stop
        ├── NotProcessable      this series cannot be what a model needs (a sentence for people)
        ├── ModelFailed         the model raised, or answered something else than its card promises
        ├── OnHold              the rules keep the result for a person, who lets it go by trying again
        ├── ResultRejected      our own check found a result that is not what the model said
        ├── DestinationRefused  a PACS will never take this object
        ├── SourceRefused       an archive has an instance and does not give it
        └── BadInstance         these bytes are not a DICOM instance that can be kept or decoded

Every message is one sentence for people and free of patient data: what, where, what to do.
"""

from __future__ import annotations


class NodeError(Exception):
    """Base of everything the node raises on purpose."""


class Usage(NodeError):  # noqa: N818 # the tree reads as words, not as suffixes
    """The command or its input is wrong; nothing was done."""


class BadConfiguration(Usage):
    """A settings file, rule or model card is wrong. `where` is `file:line` or the key."""

    def __init__(self, where: str, what: str, cure: str = "") -> None:
        self.where, self.what, self.cure = where, what, cure
        super().__init__(f"{where}: {what}" + (f". {cure}" if cure else ""))


class NoSuch(Usage):
    """What was asked for by its name or number is not there."""


class NotSettled(Usage):
    """What is to be removed still waits, is held or worked on, or was promised to be kept."""


class Overtaken(Usage):
    """Somebody else changed it since it was looked at: look again."""


class NotSignedIn(Usage):
    """Nobody is known to be asking: sign in, or show a token."""


class NotAllowed(Usage):
    """Who asks has not the right."""


class Retryable(NodeError):  # noqa: N818
    """The same work may succeed later."""

    retry_after: float | None = None  # seconds until it is worth trying, where somebody knows


class ModelUnavailable(Retryable):
    """Triton is down, still loading, overloaded or did not answer in time."""


class DestinationUnavailable(Retryable):
    """A destination is down, busy, or out of resources (PS3.4 table B.2-1: A7xx)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after`: the seconds that it asked to be left alone for, where it said so."""
        self.retry_after = retry_after
        super().__init__(message)


class AssociationRejected(DestinationUnavailable):
    """A peer answers A-ASSOCIATE-RJ (PS3.8 9.3.4). `what` it said, and the `cure`."""

    def __init__(self, what: str, cure: str) -> None:
        self.what, self.cure = what, cure
        super().__init__(f"{what}: {cure}")


class SourceUnavailable(Retryable):
    """An archive or a folder that instances are fetched from is down, or does not let us in."""


class StorageFull(Retryable):
    """Less room is left on disk than the low watermark."""


class StoreUnavailable(Retryable):
    """The database does not answer."""


class Permanent(NodeError):  # noqa: N818
    """The same work would fail again."""


class NotProcessable(Permanent):
    """The series is not what the model needs; the message is the job's reason."""


class ModelFailed(Permanent):
    """The model raised, or its answer breaks the contract of its card."""


class OnHold(Permanent):
    """The rules keep a result for a person; the message is the job's reason."""


class ResultRejected(Permanent):
    """A result does not say what the model said; it never leaves the node."""


class DestinationRefused(Permanent):
    """A destination will never take this object (0122, A9xx, Cxxx, 415)."""


class SourceRefused(Permanent):
    """An archive that instances are fetched from has this one and does not give it."""


class BadInstance(Permanent):
    """The bytes are not a DICOM instance that can be kept, read or decoded."""
