"""Where a result comes from: everything that, together with the sources and the labels, decides its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from node.core.card import Card
from node.core.ood import Oddity

MANUFACTURER = "mricore-node"


@dataclass(frozen=True)
class Predecessor:
    """The SR document that a new result takes the place of (PS3.3 C.17.2, Predecessor Documents Sequence)."""

    series_instance_uid: str
    sop_instance_uid: str
    form: str = ""  # forms.Form


@dataclass(frozen=True)
class Origin:
    """The model, the rule, the node and the inputs behind one result."""

    card: Card
    rule: str
    rule_set_version: str
    node_version: str
    device_serial_number: str
    inputs_sha256: str  # uids.inputs_sha256 over the source instances
    volume_key: str = ""  # Volume.key
    result_version: int = 1  # 1 for the first result of these inputs, then 2, 3 ...
    supersedes: tuple[Predecessor, ...] = ()  # the SR documents of the result before, of every form there was
    series_number_base: int = 9000  # SeriesNumber is this + 10 * the source's, + 1 to 8 for the form
    institution: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()  # (name, SeriesInstanceUID) of a model that takes several series
    oddity: Oddity | None = None  # how unlike the usual series this one is to the model; None: not judged
    manufacturer: str = MANUFACTURER
