"""A card before its hashes are known: read as it was written, completed, and written again with its comments."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from node.core.card import Card, Kind, Recipe, parse_card
from node.errors import BadConfiguration


@dataclass(frozen=True)
class Draft:
    """A card before the hashes are in it."""

    file: Path
    raw: Any  # ruamel.yaml's mapping, which keeps comments
    card: Card
    network: Recipe


def read_draft(file: Path, name: str) -> Draft:
    """Read a card draft, all but the hashes. Raises BadConfiguration naming the key."""
    try:
        raw = YAML().load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise BadConfiguration(str(file), "cannot be read as text") from fault
    except YAMLError as broken:
        raise BadConfiguration(str(file), "is not readable as YAML") from broken
    if not isinstance(raw, dict):
        raise BadConfiguration(str(file), "must be a mapping of keys to values")
    return drafted(raw, file, name)


def drafted(raw: Any, file: Path, name: str) -> Draft:
    """The draft that a mapping is; `file` is for messages."""
    complete(raw, {"file": "", "sha256": "", "parameters": 0}, {"sha256": ""})
    raw.pop("shared", None)
    card = parse_card(dumped(raw), str(file))
    if card.name != name:
        raise BadConfiguration(f"{file}: name", f"is {card.name!r}, the folder is {name!r}", "Use one name")
    if card.network is None:
        cure = "State image_size, normalize, contrast, pos_embed_source and neck_source (docs/howto-fine-tuned-head.md)"
        raise BadConfiguration(f"{file}: network", "is missing", cure)
    if card.kind is not Kind.SEGMENTATION and "path" not in raw["network"]:
        what = "is missing: how a slice becomes a vector"
        raise BadConfiguration(f"{file}: network.path", what, "State native or sam (docs/models.md)")
    return Draft(file, raw, card, card.network)


def complete(raw: Any, weights: dict[str, object], kept: dict[str, object]) -> None:
    """Put values into the sections `weights` and `canary`."""
    for section, values in (("weights", weights), ("canary", kept)):
        if not isinstance(raw.setdefault(section, {}), dict):
            raw[section] = {}
        raw[section].update(values)


def dumped(raw: Any) -> bytes:
    """The card's bytes."""
    yaml, text = YAML(), StringIO()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(raw, text)
    return text.getvalue().encode()
