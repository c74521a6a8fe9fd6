"""What people search for, kept here under a token: an address then names no patient, and can be gone back to."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

_KEPT = 5_000


class Searches:
    """The last searches of this process, each for who asked it."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, actor: str, text: str) -> str:
        """The token of a search."""
        token = secrets.token_urlsafe(9)
        with self._lock:
            self._texts[token] = (actor, text)
            while len(self._texts) > _KEPT:
                self._texts.popitem(last=False)
        return token

    def text(self, actor: str, token: str) -> str | None:
        """What was searched for; None for a token of somebody else, or of before the last start."""
        with self._lock:
            found = self._texts.get(token)
        return found[1] if found and found[0] == actor else None
