"""UIDs that the same model on the same inputs always gets (PS3.5 B.2: 2.25 and a number of 128 bits).

A job that is repeated, on this node or on another one, names its results alike, so that a second delivery is a
true duplicate. Whatever changes what is written changes the UID too: no UID is ever used for other content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from node.core.results.origin import Origin


def inputs_sha256(instances: Mapping[str, str | None]) -> str:
    """One sha256 for the source instances of a result.

    `instances` gives, for every SOP Instance UID, the sha256 of its bytes where that is known. The order in which
    the instances arrived does not matter.
    """
    return _sha256(*(f"{uid}={content or ''}" for uid, content in sorted(instances.items()))).hex()


def result_uid(role: str, source_series_uid: str, origin: Origin) -> str:
    """The UID of one part of a result; `role` says which: "seg", "sr", "tracking/2", ..."""
    card = origin.card
    digest = _sha256(
        role,
        card.name,
        card.version,
        card.weights.sha256,
        card.sha256,
        origin.rule,
        origin.rule_set_version,
        source_series_uid,
        origin.inputs_sha256,
        origin.volume_key,
        str(origin.result_version),
        # What follows is written into the objects as well
        origin.node_version,
        origin.manufacturer,
        origin.device_serial_number,
        origin.institution or "",
        str(origin.series_number_base),
        *(f"{one.series_instance_uid}/{one.sop_instance_uid}" for one in origin.supersedes),
        *((str(origin.oddity),) if origin.oddity else ()),
        *(f"{name}={uid}" for name, uid in origin.inputs),
    )
    return _from_digest(digest)


def device_uid(origin: Origin) -> str:
    """The UID of the model as a device: another one as soon as its weights or its card change (IHE AIR 6.5.3.1)."""
    card = origin.card
    return _from_digest(_sha256("device", card.name, card.version, card.weights.sha256, card.sha256))


def _from_digest(digest: bytes) -> str:
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _sha256(*parts: str) -> bytes:
    """Digest of texts whose borders count: ("ab", "c") is not ("a", "bc")."""
    return hashlib.sha256("\x1f".join(parts).encode()).digest()
