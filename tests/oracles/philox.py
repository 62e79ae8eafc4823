"""Philox4x32-10 in Python's big integers, and the draws that scenarios take from it.

Written from docs/scenarios.md alone; nothing is imported from the engine, and speed is
of no concern. The markets made of these draws are in tests/oracles/paths.py.
"""

import hashlib
from functools import cache, lru_cache

from scipy.special import ndtri

WORD = 2**32
ROUNDS = 10
MULTIPLIER_0 = 0xD2511F53
MULTIPLIER_1 = 0xCD9E8D57
WEYL_0 = 0x9E3779B9
WEYL_1 = 0xBB67AE85
HALVES = 2**54


@lru_cache(maxsize=16)  # both lanes of a block are asked for, one soon after the other
def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return the four output words of one block."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(ROUNDS):
        high_0, low_0 = divmod(MULTIPLIER_0 * c0, WORD)
        high_1, low_1 = divmod(MULTIPLIER_1 * c2, WORD)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0 = (k0 + WEYL_0) % WORD
        k1 = (k1 + WEYL_1) % WORD
    return c0, c1, c2, c3


@cache
def stream(name: str) -> int:
    """Return the number of a named stream."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def halves(seed: int, stream_number: int, index: int, lane: int) -> int:
    """Return the uniform as an exact odd count of 2⁻⁵⁴, between 1 and 2⁵⁴ − 1."""
    key = (seed % WORD, seed // WORD)
    counter = (index % WORD, index // WORD, stream_number % WORD, stream_number // WORD)
    w0, w1, w2, w3 = philox(key, counter)
    word = w1 * WORD + w0 if lane == 0 else w3 * WORD + w2
    return 2 * (word // 2**11) + 1


def uniform(seed: int, stream_number: int, index: int, lane: int) -> float:
    """Return the double nearest to the uniform."""
    return halves(seed, stream_number, index, lane) / HALVES


def normal(seed: int, stream_number: int, index: int, lane: int) -> float:
    """Return the normal of the uniform; the upper half by symmetry, so that no bit is lost."""
    count = halves(seed, stream_number, index, lane)
    if count > HALVES // 2:
        return -float(ndtri((HALVES - count) / HALVES))
    return float(ndtri(count / HALVES))
