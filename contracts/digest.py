"""Digests: their written form, and the identity of documents and recipes.

A digest is written ``algorithm:hex`` in documents and the database and as bare
hex in object and partition keys. SHA-256 names canonical JSON; BLAKE3 names bulk
data (``islandflow_resources.tables``). Nothing here reads a file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from contracts.canonical import Json, canonical_json
from contracts.errors import ContractError

_DIGEST = re.compile(r"(sha256|blake3):[0-9a-f]{64}")

Digest: TypeAlias = Annotated[str, StringConstraints(pattern=r"^(sha256|blake3):[0-9a-f]{64}$")]


def document_digest(document: Json) -> str:
    """SHA-256 over the canonical JSON of `document`, as ``sha256:…``.

    Examples
    --------
    >>> document_digest({})
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'
    """
    return f"sha256:{hashlib.sha256(canonical_json(document)).hexdigest()}"


def recipe_digest(
    what: str,
    *,
    version: str,
    specs: Mapping[str, Json] | None = None,
    inputs: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> str:
    """Name of a derived artefact: all that determines its content.

    Parameters
    ----------
    what : str
        Noun of the artefact, e.g. ``"scenario_dataset"``.
    version : str
        Version of the domain or family that computes it, bumped by hand.
    specs : dict, optional
        Canonical documents by role.
    inputs : dict of str to str, optional
        *Content* digests of the artefacts it is made from, by role.
    seed : int, optional
        Root seed, 0 … 2⁶³ − 1.

    Returns
    -------
    str
        ``sha256:…``
    """
    parts: dict[str, Json] = {"what": what, "version": version}
    if specs:
        parts["specs"] = dict(specs)
    if inputs:
        parts["inputs"] = {role: checked_digest(digest) for role, digest in inputs.items()}
    if seed is not None:
        parts["seed"] = str(seed)
    return document_digest(parts)


def checked_digest(digest: str) -> str:
    """Return `digest` unchanged, or refuse what is not ``algorithm:hex``.

    Raises
    ------
    ContractError
        ``DIGEST_INVALID``.
    """
    if _DIGEST.fullmatch(digest):
        return digest
    raise ContractError(
        "DIGEST_INVALID",
        f"{digest[:80]!r} is not a digest",
        hints=("write sha256: or blake3: and 64 lower-case hexadecimal digits",),
    )


def bare(digest: str) -> str:
    """Hex part of a digest, for object and partition keys."""
    return checked_digest(digest).partition(":")[2]
