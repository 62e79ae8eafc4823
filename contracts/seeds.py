"""Seeds and stream names: where every random number of islandflow comes from.

A draw is addressed by (root seed, stream, index); nothing depends on threads,
chunks or order. The generator that turns the address into bits is
``engine.rng``.
"""

from __future__ import annotations

import hashlib

from contracts.errors import ContractError

MAX_SEED = 2**63 - 1
MAX_SEEDS = 100_000
"""Most seeds that one text may name."""


def stream_id(*names: str) -> int:
    """64-bit identity of a stream: the first 8 bytes, little-endian, of a SHA-256.

    The hashed text is the names joined by ``/``.

    Examples
    --------
    >>> stream_id("paths", "trend", "z") == stream_id("paths/trend/z")
    True
    """
    digest = hashlib.sha256("/".join(names).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "little")


def checked_seed(seed: int) -> int:
    """Return `seed` unchanged, or refuse what is outside 0 … 2⁶³ − 1.

    Raises
    ------
    ContractError
        ``SEED_OUT_OF_RANGE``.
    """
    if 0 <= seed <= MAX_SEED:
        return seed
    raise ContractError(
        "SEED_OUT_OF_RANGE",
        f"seed {seed} lies outside 0 … 2^63 − 1",
        "/seed",
        ("choose a non-negative integer below 9223372036854775808",),
    )


def parse_seed(text: str) -> int:
    """Read a seed from a partition key or the command line.

    Raises
    ------
    ContractError
        ``SEED_NOT_AN_INTEGER`` or ``SEED_OUT_OF_RANGE``.
    """
    if text.isascii() and text.isdigit() and len(text) <= 19 and text == str(int(text)):
        return checked_seed(int(text))
    raise ContractError(
        "SEED_NOT_AN_INTEGER",
        f"{text[:40]!r} is not a seed",
        "/seed",
        ("write decimal digits without leading zeros, e.g. 7",),
    )


def parse_seeds(text: str) -> list[int]:
    """Seeds of ``1-5``, ``1,2,7`` or both; none of an empty text.

    Raises
    ------
    ContractError
        ``SEED_NOT_AN_INTEGER``, ``SEED_OUT_OF_RANGE`` or ``SEEDS_INVALID``.
    """
    seeds: list[int] = []
    for part in filter(None, text.split(",")):
        first, dash, last = part.strip().partition("-")
        start, stop = parse_seed(first), parse_seed(last if dash else first)
        if not 0 <= stop - start < MAX_SEEDS or len(seeds) + stop - start >= MAX_SEEDS:
            raise ContractError(
                "SEEDS_INVALID", f"{part!r} is no range of at most {MAX_SEEDS} seeds", "--seeds"
            )
        seeds += range(start, stop + 1)
    return seeds
