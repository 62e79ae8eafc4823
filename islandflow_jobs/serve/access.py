"""Who may talk to the server: by the host that is named, the page's origin, and a token.

A page of another site can make a browser connect here, also under a name of its own that it
points at this machine; neither may read what is served. What is asked for is ``requests``.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from contracts.errors import ContractError

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """Rules of one server.

    Attributes
    ----------
    hosts : tuple of str
        Names that it is called by; any if empty.
    token : str
        What clients must show; nothing if empty.
    """

    hosts: tuple[str, ...] = LOOPBACK
    token: str = ""

    def check_origin(self, headers: Headers) -> None:
        """Refuse names that are not the server's, and pages that are not its own.

        Raises
        ------
        ContractError
            ``HOST_REFUSED``, ``ORIGIN_REFUSED``.
        """
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if self.hosts and (len(hosts) != 1 or _hostname(f"//{hosts[0]}") not in self.hosts):
            raise _refused("HOST_REFUSED", "this server has another name", hosts)
        if not origins:
            return
        if len(origins) != 1 or len(hosts) != 1 or not _is_same(origins[0], hosts[0]):
            raise _refused("ORIGIN_REFUSED", "only this server's own pages may connect", origins)

    def check_token(self, shown: str | None) -> None:
        """Refuse a token that is not the server's.

        Raises
        ------
        ContractError
            ``TOKEN_MISSING``, ``TOKEN_WRONG``.
        """
        if not self.token:
            return
        if shown is None:
            hint = 'send {"type": "hello", "token": …} or "Authorization: Bearer …"'
            raise ContractError("TOKEN_MISSING", "this server asks for a token", "token", (hint,))
        ours, theirs = self.token.encode(), shown.encode("utf-8", "replace")
        if not hmac.compare_digest(ours, theirs):
            raise ContractError("TOKEN_WRONG", "the token is not this server's", "token")

    def check_bearer(self, headers: Headers) -> None:
        """As `check_token`, of a request's ``Authorization``."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        self.check_token(shown.strip() if scheme.lower() == "bearer" else None)


def _is_same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _refused(code: str, message: str, found: Sequence[str]) -> ContractError:
    return ContractError(code, message, ", ".join(found)[:200])
