"""The counter-based generator: an address in, two uniforms out.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as
easy as 1, 2, 3"), checked against the published test vectors. The address of a
block is (seed, stream, index): key = seed, counter = (index, stream), each 64
bits, low word first. A block gives two lanes of 53 bits. Nothing is stateful, so
any slice can be drawn alone. Stream names live in ``contracts.seeds``.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import overload

from engine.arrays import Floats
from engine.jit import kernel
from engine.lanes import LANES, four_blocks
from engine.mathx import CENTRE, FAR_TAIL, central, log, middle_tail, normal_quantile

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_DROP = np.uint64(11)
_UNIT = 2.0**-53
_TOP = 1.0 - _UNIT


@kernel
def philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Philox4x32-10 on four counter words and two key words.

    Every word is a uint64 that holds 32 bits, because a product of two of them
    is then exact without a wider type.
    """
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _WORD) ^ c1 ^ k0,
            p1 & _LOW,
            (p0 >> _WORD) ^ c3 ^ k1,
            p0 & _LOW,
        )
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@kernel
def fill_scalar(
    seed: np.uint64, stream: np.uint64, start: int, first: Floats, second: Floats
) -> None:
    """`fill_uniforms` block by block, for the ends of an array and for tests."""
    k0, k1 = seed & _LOW, seed >> _WORD
    s0, s1 = stream & _LOW, stream >> _WORD
    for i in range(first.shape[0]):
        index = np.uint64(start + i)
        w0, w1, w2, w3 = philox(index & _LOW, index >> _WORD, s0, s1, k0, k1)
        first[i] = min((np.float64(np.int64(((w1 << _WORD) | w0) >> _DROP)) + 0.5) * _UNIT, _TOP)
        second[i] = min((np.float64(np.int64(((w3 << _WORD) | w2) >> _DROP)) + 0.5) * _UNIT, _TOP)


def fill_four(
    seed: np.uint64,
    stream: np.uint64,
    index: np.uint64,
    first: Floats,
    second: Floats,
    offset: int,
) -> None:
    """Write both lanes of four blocks from ``index`` on, at ``offset``.

    The interpreted twin of ``lanes.four_blocks``, which compiled code calls instead.
    """
    stop = offset + LANES
    fill_scalar(seed, stream, int(index), first[offset:stop], second[offset:stop])


@overload(fill_four)
def _fill_four(seed, stream, index, first, second, offset):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # pyright: ignore
    return lambda seed, stream, index, first, second, offset: four_blocks(  # noqa: PLW0108  # pyright: ignore
        seed, stream, index, first, second, offset
    )


@kernel
def fill_uniforms(
    seed: np.uint64, stream: np.uint64, start: int, first: Floats, second: Floats
) -> None:
    """Write the two lanes of blocks ``start … start + n − 1``.

    Parameters
    ----------
    seed, stream : uint64
        Root seed and `contracts.seeds.stream_id`.
    start : int
        Index of the first block.
    first, second : ndarray, shape (n,), float64
        Lane 0 and lane 1: ``((word >> 11) + ½) 2⁻⁵³`` as a double, at most 1 − 2⁻⁵³,
        so strictly inside (0, 1); contiguous.
    """
    n = first.shape[0]
    whole = n - n % LANES
    for i in range(0, whole, LANES):
        fill_four(seed, stream, np.uint64(start + i), first, second, i)
    fill_scalar(seed, stream, start + whole, first[whole:], second[whole:])


@kernel
def to_normals(values: Floats) -> None:
    """Replace uniforms by standard normals in place, by inverse distribution.

    The text of `normal_quantile` stands here again because LLVM does not inline it:
    centre and tail are both computed and one is chosen, which vectorises. A block
    with a draw from the far tail, one in 10¹¹, takes the plain way.
    """
    far = 0
    for i in range(values.shape[0]):
        p = values[i]
        far += 1 if p < FAR_TAIL or p > 1.0 - FAR_TAIL else 0
    if far > 0:
        for i in range(values.shape[0]):
            values[i] = normal_quantile(values[i])
        return
    for i in range(values.shape[0]):
        q = values[i] - 0.5
        tail = values[i] if q < 0.0 else 1.0 - values[i]
        outer = middle_tail(math.sqrt(-log(tail)))
        inner = central(q)
        outer = -outer if q < 0.0 else outer
        values[i] = inner if abs(q) <= CENTRE else outer


@kernel
def block_at(seed: np.uint64, stream: np.uint64, index: np.uint64) -> tuple[float, float]:
    """The two uniforms of one block, see `fill_uniforms`: for draws that come one by one."""
    w0, w1, w2, w3 = philox(
        index & _LOW, index >> _WORD, stream & _LOW, stream >> _WORD, seed & _LOW, seed >> _WORD
    )
    first = (np.float64(np.int64(((w1 << _WORD) | w0) >> _DROP)) + 0.5) * _UNIT
    second = (np.float64(np.int64(((w3 << _WORD) | w2) >> _DROP)) + 0.5) * _UNIT
    return min(first, _TOP), min(second, _TOP)
