"""Philox on four blocks at once, as vector instructions.

LLVM's cost model does not vectorise the 32 × 32 → 64 bit products by itself,
though every x86 since 2013 multiplies four pairs at once; written as vectors the
generator is four times as fast. `four_blocks(seed, stream, index, first, second,
offset)` writes both lanes of four blocks into contiguous arrays, inside kernels
only; its interpreted twin is ``rng.fill_four``, and tests hold the two together to
the bit.
"""

# Glue to numba and llvmlite, which carry no types.
# pyright: basic, reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

LANES: Final = 4
ROUNDS: Final = 10
MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_LOW: Final = 0xFFFFFFFF
_WORDS: Final = ir.VectorType(ir.IntType(64), LANES)
_DOUBLES: Final = ir.VectorType(ir.DoubleType(), LANES)


def _splat(value: float, kind: ir.VectorType = _WORDS) -> ir.Constant:
    return ir.Constant(kind, [value] * LANES)


def _spread(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_WORDS, ir.Undefined)
    zero = ir.IntType(32)(0)
    one = builder.insert_element(undefined, scalar, zero)
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, mask)


def _halves(builder: Any, words: Any) -> tuple[Any, Any]:
    return builder.and_(words, _splat(_LOW)), builder.lshr(words, _splat(32))


def _rounds(builder: Any, counter: list[Any], key: list[Any]) -> list[Any]:
    for _ in range(ROUNDS):
        low0, high0 = _halves(builder, builder.mul(_splat(MULTIPLIERS[0]), counter[0]))
        low1, high1 = _halves(builder, builder.mul(_splat(MULTIPLIERS[1]), counter[2]))
        counter = [
            builder.xor(builder.xor(high1, counter[1]), key[0]),
            low1,
            builder.xor(builder.xor(high0, counter[3]), key[1]),
            low0,
        ]
        key = [
            builder.and_(builder.add(word, _splat(step)), _splat(_LOW))
            for word, step in zip(key, WEYL, strict=True)
        ]
    return counter


def _uniform(builder: Any, high: Any, low: Any) -> Any:
    """``(⌊word / 2¹¹⌋ + ½) 2⁻⁵³``, below 1; or-ing into 2⁵² converts an integer exactly."""
    bits, base = _splat(0x4330000000000000), _splat(4503599627370496.0, _DOUBLES)
    dropped = builder.lshr(low, _splat(11))
    parts = [
        builder.fsub(builder.bitcast(builder.or_(word, bits), _DOUBLES), base)
        for word in (high, dropped)
    ]
    scaled = builder.fmul(parts[0], _splat(2097152.0, _DOUBLES))
    whole = builder.fadd(scaled, parts[1])
    half = builder.fadd(whole, _splat(0.5, _DOUBLES))
    scaled = builder.fmul(half, _splat(2.0**-53, _DOUBLES))
    top = _splat(1.0 - 2.0**-53, _DOUBLES)
    return builder.select(builder.fcmp_ordered("<", scaled, top), scaled, top)


@intrinsic
def four_blocks(
    _typing: Any, seed: Any, stream: Any, index: Any, first: Any, second: Any, offset: Any
) -> Any:
    """Write both lanes of four blocks at once; see the top of the module."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        steps = ir.Constant(_WORDS, list(range(LANES)))
        blocks = builder.add(_spread(builder, args[2]), steps)
        counter = [
            *_halves(builder, blocks),
            *_halves(builder, _spread(builder, args[1])),
        ]
        words = _rounds(builder, counter, [*_halves(builder, _spread(builder, args[0]))])
        lanes = (_uniform(builder, words[1], words[0]), _uniform(builder, words[3], words[2]))
        for position, value in zip((3, 4), lanes, strict=True):
            kind = signature.args[position]
            array = arrayobj.make_array(kind)(context, builder, args[position])
            place = cgutils.get_item_pointer(
                context, builder, kind, array, [args[5]], wraparound=False
            )
            store = builder.store(value, builder.bitcast(place, _DOUBLES.as_pointer()))
            store.align = 8
        return context.get_dummy_value()

    words = types.uint64
    return types.void(words, words, words, first, second, types.intp), codegen
