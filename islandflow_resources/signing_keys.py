"""Ed25519 keys as people write them down, and the key file of a home; nothing signs here.

Signatures, and who is trusted, are ``signatures``; which setting holds which key is ``settings``.
Nothing here imports a cryptographic library: a private key is its 32 bytes of seed.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from contracts.errors import ConfigurationError

KEY_BYTES: Final = 32
KEY_FILE: Final = "signing.key"
_MOST_CHARS: Final = 1_000
_PEM: Final = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----")
# RFC 8410, section 7: version, algorithm identifier, and an octet string within another.
_PKCS8: Final = bytes.fromhex("302e020100300506032b657004220420")


def seed_of(text: str) -> bytes | None:
    """The seed of a private key in base64, or in a PEM file without a password (PKCS #8).

    Examples
    --------
    >>> seed_of("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") == bytes(range(32))
    True
    """
    text = text.strip()
    if len(text) > _MOST_CHARS:
        return None
    if not text.startswith(_PEM[0]):
        return public_of(text)
    body, end, _ = text.removeprefix(_PEM[0]).partition(_PEM[1])
    data = _decoded("".join(body.split()))
    if not end or data is None or len(data) != len(_PKCS8) + KEY_BYTES:
        return None
    return data.removeprefix(_PKCS8) if data.startswith(_PKCS8) else None


def public_of(text: str) -> bytes | None:
    """The 32 bytes of a public key in base64."""
    data = _decoded(text.strip())
    return data if data is not None and len(data) == KEY_BYTES else None


def written(key: bytes) -> str:
    """A key in base64, as `seed_of` and `public_of` read it."""
    return base64.b64encode(key).decode("ascii")


def stored_seed(path: Path) -> bytes | None:
    """The seed in a key file; None if there is no such file.

    Raises
    ------
    ConfigurationError
        ``SIGNING_KEY_EXPOSED`` if others may read or write it; ``SIGNING_KEY_INVALID``;
        ``SIGNING_KEY_UNREADABLE``.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_MOST_CHARS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused("UNREADABLE", path, f"cannot be read: {error.strerror}", "") from error
    if mode & 0o077:
        said = f"may be used by others than its owner (mode {mode:04o})"
        hint = f"run: chmod 600 {path}; and make a new key if others were on this machine"
        raise _refused("EXPOSED", path, said, hint)
    seed = seed_of(data.decode("ascii", "replace"))
    if seed is None:
        hint = "put the right key back, or remove it: what it signed must then be signed again"
        raise _refused("INVALID", path, "holds no Ed25519 private key", hint)
    return seed


def made_seed(path: Path) -> bytes:
    """The seed in a key file, which is made if there is none: whole, once, for its owner alone.

    Raises
    ------
    ConfigurationError
        As `stored_seed`; ``SIGNING_KEY_UNWRITABLE``.
    """
    found = stored_seed(path)
    if found is not None:
        return found
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(written(secrets.token_bytes(KEY_BYTES)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # Whoever links first has made the key; the others use it.
        os.link(staged, path)
    except FileExistsError:
        pass
    except OSError as error:
        said = f"cannot be made: {error.strerror}"
        raise _refused("UNWRITABLE", path, said, "set ISLANDFLOW_SIGNING_KEY") from error
    finally:
        staged.unlink(missing_ok=True)
    made = stored_seed(path)
    assert made is not None
    return made


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


def _refused(what: str, path: Path, said: str, hint: str) -> ConfigurationError:
    message = f"the key {path} {said}"
    return ConfigurationError(f"SIGNING_KEY_{what}", message, str(path), (hint,) if hint else ())
