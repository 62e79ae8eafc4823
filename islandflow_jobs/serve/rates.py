"""How often one client may ask: a bucket of tokens for each address, refilled steadily.

Who may ask at all is ``access``; a client of a stream that takes too little is ``clients``.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contracts.errors import UnavailableError

MAX_CLIENTS: Final = 4_096
"""Addresses that are remembered; who was not seen for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a client may ask for.

    Attributes
    ----------
    per_second : float
        Requests in the long run; 0 for as many as it likes.
    burst : int
        Requests at once, after a rest.
    """

    per_second: float = 50.0
    burst: int = 200


class Rates:
    """Buckets of all clients of one server.

    Parameters
    ----------
    rate : Rate
    clock_s : callable
        Monotonic.
    """

    def __init__(self, rate: Rate, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock_s = clock_s
        # Tokens that were left, and when, by client; who was seen last stands last.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> int:
        """Take a token of the client at an address.

        Returns
        -------
        int
            0 if there was one; otherwise the seconds until there is.
        """
        rate = self._rate
        if not rate.per_second:
            return 0
        now_s, client = self._clock_s(), client_of(address)
        left, seen_s = self._buckets.pop(client, (float(rate.burst), now_s))
        left = min(float(rate.burst), left + (now_s - seen_s) * rate.per_second)
        allowed = left >= 1.0
        self._buckets[client] = (left - 1.0 if allowed else left, now_s)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1.0 - left) / rate.per_second))


def too_often(wait_s: int) -> UnavailableError:
    """What a client is told that must wait."""
    hint = f"come back in {wait_s} s"
    return UnavailableError("RATE_LIMITED", "this client asks too often", "", (hint,))


def client_of(address: str) -> str:
    """Who is at an address: of IPv6 its network of 64 bits, since a client has all of that.

    Examples
    --------
    >>> client_of("2001:db8:0:1:2:3:4:5"), client_of("::ffff:192.0.2.1"), client_of("192.0.2.1")
    ('2001:db8:0:1::/64', '192.0.2.1', '192.0.2.1')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
