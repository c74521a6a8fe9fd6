"""Who shows credentials that do not count again and again: told to wait, longer each time, as who guesses passwords.

Counted for the credential, and, once for each of them, for the address. A right one is let in at any time: nobody
guesses 256 bits, and whoever shares the address with a script that was forgotten is not to suffer for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from node.core.access.lockout import Failures, after_failure, wait_seconds
from node.core.access.secrets import digest
from node.core.rates import client_key

_ALLOWED = 20  # tries with one credential that cost nothing: a page whose session ended asks a few times more
_ADDRESS_ALLOWED = 200  # different ones from an address: all who sit behind it may come in the morning with old ones
_REMEMBERED = 10_000


@dataclass
class Wrong:
    """Used by one thread, that of the event loop."""

    clock: Callable[[], datetime]
    _failures: OrderedDict[str, Failures] = field(default_factory=OrderedDict)

    def count(self, credential: str, address: str) -> float:
        """Count one more; 0. Or the seconds that whoever showed it has to wait, and nothing is counted."""
        mine, theirs, now = f"c{digest(credential)}", f"a{client_key(address)}", self.clock()
        allowed = {mine: _ALLOWED} if mine in self._failures else {mine: _ALLOWED, theirs: _ADDRESS_ALLOWED}
        known = {key: self._failures.get(key, Failures()) for key in allowed}
        seconds = max(wait_seconds(known[key], free, now) for key, free in allowed.items())
        if seconds == 0:
            for key, before in known.items():
                self._failures[key] = after_failure(before, now)
                self._failures.move_to_end(key)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)
        return seconds
