"""Kernels: called by Python and by one another, compiled once, found again by other processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from engine.jit import inlined, kernel

ROOT = Path(__file__).parents[2]
TABLE = np.arange(5.0)


@kernel
def leaf(place):
    if place < 0:
        raise ValueError("nothing is there")
    return TABLE[place] + 1.0


@inlined
def factorial(n):
    product = 1
    for factor in range(2, n + 1):
        product *= factor
    return product


@kernel
def middle(place):
    return leaf(place) + factorial(place)


@kernel
def top(place):
    return 2.0 * middle(place)


@kernel
def applied(function, place):
    return function(place)


@kernel
def sums(values, width):
    out = np.empty(values.shape[0] - width + 1)
    for start in range(out.shape[0]):
        out[start] = total(values[start : start + width])
    return out


@kernel
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


@intrinsic
def divided(_typing, number, by):
    """Low halves of the quotients and remainders of -number * 2**64 - number, signed and not."""

    def code(context, builder, signature, args):
        wide = ir.IntType(128)
        number, by = (builder.sext(arg, wide) for arg in args)
        number = builder.neg(builder.or_(builder.shl(number, ir.Constant(wide, 64)), number))
        results = [
            builder.trunc(operation(number, by), ir.IntType(64))
            for operation in (builder.sdiv, builder.srem, builder.udiv, builder.urem)
        ]
        return context.make_tuple(builder, signature.return_type, results)

    return types.UniTuple(types.int64, 4)(types.int64, types.int64), code


@kernel
def division(number, by):
    return divided(number, by)


@pytest.mark.parametrize("name", ["__divti3", "__modti3", "__udivti3", "__umodti3"])
def test_what_llvm_may_call_to_divide_128_bits_is_there(name):
    assert llvm.address_of_symbol(name)


def test_128_bits_are_divided():
    number, by = 1_234_567_890_123, 987_654_321
    wide = (number << 64) | number
    signed, unsigned = divmod(wide, by), divmod((1 << 128) - wide, by)
    expected = [-signed[0], -signed[1], *unsigned]
    low = [int(np.uint64(part % 2**64).astype(np.int64)) for part in expected]
    assert list(division(number, by)) == low


def test_a_kernel_that_kernels_call_is_linked_and_not_compiled_for_python():
    assert top(3) == 2.0 * (4.0 + 6.0)
    assert top.signatures
    assert total.signatures == []
    assert list(sums(TABLE, 2)) == [1.0, 3.0, 5.0, 7.0]
    assert total.signatures == []


def test_every_kernel_of_a_chain_can_be_called_from_python_too():
    assert (leaf(2), middle(2), top(2), total(TABLE)) == (3.0, 5.0, 10.0, 10.0)
    assert factorial(10) == 3_628_800


def test_a_kernel_can_be_handed_to_another():
    assert applied(leaf, 2) == 3.0
    assert applied(middle, 3) == 10.0


@pytest.mark.parametrize("function", [leaf, middle, top])
def test_an_error_of_a_linked_kernel_arrives(function):
    with pytest.raises(ValueError, match="nothing is there"):
        function(-1)


def test_a_linked_kernel_is_taken_in_every_type_that_it_is_called_with():
    wide = np.arange(6, dtype=np.int64)
    assert list(sums(wide, 5)) == [10.0, 15.0]
    assert list(sums(wide[::2], 2)) == [2.0, 6.0]
    assert list(sums(TABLE.astype(np.float32), 5)) == [10.0]


def seen():
    """Results of the chain, and which kernels' machine code came from the disk or was made."""
    found = {"top": top(3), "sums": list(sums(TABLE, 2))}
    made = {name: value for name, value in globals().items() if isinstance(value, Dispatcher)}
    for part in ("hits", "misses"):
        found[part] = sorted(n for n, v in made.items() if getattr(v.stats, f"cache_{part}"))
    return found


def in_a_process(folder, **variables):
    """`seen` in a process of its own with its kernels in a folder."""
    code = "import sys, numba; numba.config.CACHE_DIR = sys.argv[1]; import json; "
    code += "from tests.engine.test_kernel import seen; print(json.dumps(seen()))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_another_process_finds_what_was_compiled_and_only_that_was_kept(tmp_path):
    first, second = in_a_process(tmp_path), in_a_process(tmp_path)
    assert (first["hits"], first["misses"]) == ([], ["sums", "top"])
    assert (second["hits"], second["misses"]) == (["sums", "top"], [])
    assert (first["top"], first["sums"]) == (second["top"], second["sums"])
    kept = {path.name.split("-")[0] for path in tmp_path.rglob("*.nbc")}
    assert kept == {"test_kernel.top", "test_kernel.sums"}


def test_interpreted_they_say_the_same(tmp_path):
    code = "import json; from tests.engine.test_kernel import *; "
    code += "print(json.dumps([top(3), list(sums(TABLE, 2)), isinstance(top, Dispatcher)]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [top(3), list(sums(TABLE, 2)), False]
