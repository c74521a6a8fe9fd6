"""Passwords, hashed by Argon2id with the parameters of RFC 9106's second choice: 64 MiB, three passes, four lanes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from node.core.access.passwords import normalized
from node.errors import StoreUnavailable

_AT_ONCE = 2  # hashes, each with its memory
_PATIENCE_S = 10.0


def argon2id() -> PasswordHasher:
    """RFC 9106 4: m = 64 MiB, t = 3, p = 4, a salt of 128 bits and a tag of 256."""
    return PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16)


@dataclass
class Hashing:
    """At most two at once, whatever is asked: a hash takes memory on purpose."""

    hasher: PasswordHasher = field(default_factory=argon2id)
    _turn: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))
    _nobody: str = ""

    def hash(self, password: str) -> str:
        with self._at_work():
            return self.hasher.hash(_octets(password))

    def verify(self, hashed: str, password: str) -> bool:
        """Whether it is this password. For "" it takes as long, and is false: nobody has it."""
        with self._at_work():
            if not hashed and not self._nobody:
                self._nobody = self.hasher.hash("of nobody")
            try:
                self.hasher.verify(hashed or self._nobody, _octets(password))
            except (VerificationError, InvalidHashError):
                return False
            return bool(hashed)

    def is_old(self, hashed: str) -> bool:
        """Whether it was hashed by other parameters than today's."""
        return self.hasher.check_needs_rehash(hashed)

    def _at_work(self) -> _Turn:
        return _Turn(self._turn)


def _octets(password: str) -> bytes:
    """JSON may hold halves of characters (RFC 8259 8.2), which UTF-8 does not know."""
    return normalized(password).encode("utf-8", "surrogatepass")


class _Turn:
    def __init__(self, turn: threading.BoundedSemaphore) -> None:
        self._turn = turn

    def __enter__(self) -> None:
        """Raises StoreUnavailable when too many wait."""
        if not self._turn.acquire(timeout=_PATIENCE_S):
            raise StoreUnavailable("too many people sign in at this moment: try again in some seconds")

    def __exit__(self, *_: object) -> None:
        self._turn.release()
