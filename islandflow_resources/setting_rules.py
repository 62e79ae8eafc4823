"""What the value of a setting may be: each rule gives what is wrong with one, and a hint, or None.

Which rule holds for which variable, and what it means, is in ``settings``. No rule quotes a
value that is or may hold a secret.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from islandflow_resources.signing_keys import public_of, seed_of

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def endpoint_problem(value: str) -> tuple[str, str] | None:
    """An address of scheme, host and port."""
    parts = urlsplit(value)
    hint = "write scheme, host and port, e.g. http://127.0.0.1:8333"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"is {value!r}, which is no http:// or https:// address", hint
    if parts.path not in ("", "/") or parts.query or parts.username:
        return "carries more than scheme, host and port", hint
    return None


def bucket_problem(value: str) -> tuple[str, str] | None:
    """A name that a bucket may have."""
    if _BUCKET.fullmatch(value):
        return None
    return f"is {value!r}, which is no bucket name", "write 3 to 63 of a-z 0-9 . -"


def database_problem(value: str) -> tuple[str, str] | None:
    """A PostgreSQL URL of the installed driver."""
    scheme, separator, _ = value.partition("://")
    hint = "write postgresql+psycopg://user:password@host:port/name"
    if not separator:
        return "is no database URL", hint
    if scheme == "postgresql+psycopg":
        return None if urlsplit(value).path.strip("/") else ("names no database", hint)
    if scheme.startswith("sqlite"):
        hint = "unset it together with the S3 settings: the embedded profile has its own SQLite"
        return "names SQLite, which the services profile does not use", hint
    return f"starts with {scheme}://, a driver that is not installed here", hint


def integer_problem(value: str, least: int) -> tuple[str, str] | None:
    """A whole number of at least `least`."""
    if value.isascii() and value.isdigit() and len(value) < 10 and int(value) >= least:
        return None
    return f"is {value!r}, not an integer of at least {least}", f"write e.g. {max(least, 4)}"


def level_problem(value: str) -> tuple[str, str] | None:
    """A level of logging."""
    if value.upper() in LOG_LEVELS:
        return None
    return f"is {value!r}", f"write one of {', '.join(LOG_LEVELS)}"


def choice_problem(value: str, choices: tuple[str, ...]) -> tuple[str, str] | None:
    """One of `choices`."""
    return None if value in choices else (f"is {value!r}", f"write one of {', '.join(choices)}")


def address_problem(value: str) -> tuple[str, str] | None:
    """An http or https address."""
    parts = urlsplit(value)
    if parts.scheme in ("http", "https") and parts.hostname:
        return None
    return "is no http:// or https:// address", "write e.g. http://127.0.0.1:5000"


def signing_key_problem(value: str) -> tuple[str, str] | None:
    """A private key; what it says is not repeated."""
    hint = "make one with: islandflow serving key --new"
    return ("is no Ed25519 private key, base64 or PEM", hint) if seed_of(value) is None else None


def trusted_keys_problem(value: str) -> tuple[str, str] | None:
    """Public keys by commas."""
    hint = "write what `islandflow serving key` prints where specs are signed, by commas"
    parts = [part for part in value.split(",") if part.strip()]
    wrong = sum(public_of(part) is None for part in parts)
    return (
        (f"holds {wrong} of {len(parts)} that are no Ed25519 public keys", hint) if wrong else None
    )
