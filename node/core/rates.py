"""How often one client may ask: a bucket each, filled evenly, for a bounded number of clients."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

MOST_CLIENTS = 10_000  # the one that asked longest ago is forgotten, and begins with a full bucket again


@dataclass
class _Bucket:
    left: float  # requests that may come at once
    at: float  # seconds, of whatever clock the caller has


class Rates:
    """Used by one thread at a time. Keeps no more than `most` clients in mind."""

    def __init__(self, per_second: float, burst: int, most: int = MOST_CLIENTS) -> None:
        """`burst`: requests that may come at once after a pause; then `per_second` of them."""
        self._per_second, self._burst, self._most = per_second, float(burst), most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Seconds until the client may ask; 0 when it may now, and then this request is counted."""
        key = client_key(client)
        bucket = self._buckets.pop(key, None) or _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + max(0.0, now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[key] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return (1 - bucket.left) / self._per_second
        bucket.left -= 1
        return 0.0

    def __len__(self) -> int:
        return len(self._buckets)


def client_key(client: str) -> str:
    """Who has a network of IPv6 addresses is one client."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
