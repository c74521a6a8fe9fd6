"""Values as YAML that reads back as the same text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode, SequenceNode

_NULL = "tag:yaml.org,2002:null"


@lru_cache(maxsize=2048)
def scalar(text: str) -> str:
    """Plain where that is the same, else in quotes."""
    if _reads(text, text):
        return text
    quoted = "'" + text.replace("'", "''") + "'"
    return quoted if text.isprintable() and _reads(quoted, text) else json.dumps(text)


def listing(texts: Sequence[str]) -> str:
    return f"[{', '.join(scalar(text) for text in texts)}]"


def _reads(written: str, text: str) -> bool:
    """Whether it reads as that text, in a flow list and in a block."""
    try:
        node = YAML(typ="safe", pure=True).compose(f"[{written}]\n")
        alone = YAML(typ="safe", pure=True).compose(f"x: {written}\n")
    except (YAMLError, ValueError, NotImplementedError):
        return False
    if not isinstance(node, SequenceNode) or len(node.value) != 1 or alone is None:
        return False
    (_, behind), *more = alone.value
    inside = node.value[0]
    return not more and all(
        isinstance(one, ScalarNode) and one.value == text and (one.tag != _NULL or written != text)
        for one in (inside, behind)
    )
