"""The digest of the engine's own sources, which names the kernel cache.

Reading these files is the engine's one declared I/O. It imports nothing of the
engine, so that ``jit`` can use it before any kernel exists. The *versions* that
enter recipes are the ``VERSION`` constants of the domains, not this digest: a
comment must remake no data, but it may well recompile a kernel.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_ROOTS = ("engine", "contracts")


@cache
def engine_digest() -> str:
    """SHA-256 over every source file of ``engine`` and ``contracts``, bare hex."""
    top = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for root in _ROOTS:
        for path in sorted((top / root).rglob("*.py")):
            digest.update(path.relative_to(top).as_posix().encode("utf-8"))
            digest.update(b"\0")
            digest.update(path.read_bytes())
            digest.update(b"\0")
    return digest.hexdigest()
