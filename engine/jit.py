"""How kernels are compiled: one decorator, one cache folder, no fast-math.

numba's disk cache does not notice a changed constant or kernel in *another*
module, so the folder is named by the digest of all engine sources: an edit makes
a new folder. The base folder is whatever ``numba.config.CACHE_DIR`` held when
this module was imported (``islandflow_resources.engine_runtime`` sets it), else
``__pycache__`` beside the engine.
"""

# Glue to numba and llvmlite, which carry no types.
# pyright: basic, reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from engine.digest import engine_digest
from engine.kernel import Kernel

_F = TypeVar("_F", bound=Callable[..., Any])
_A = TypeVar("_A")

_BASE = Path(numba.config.CACHE_DIR or Path(__file__).parent / "__pycache__" / "kernels")
numba.config.CACHE_DIR = str(_BASE / engine_digest()[:16])

# To count a loop's rounds LLVM may divide 128 bits, on some CPUs only, by a function of the C
# compiler's runtime. numba does not link it: such a kernel ends the process.
_RUNTIME = ctypes.CDLL("libgcc_s.so.1" if sys.platform == "linux" else None)
for _name in ("__divti3", "__modti3", "__udivti3", "__umodti3"):
    llvm.add_symbol(_name, ctypes.cast(getattr(_RUNTIME, _name), ctypes.c_void_p).value)


def kernel(function: _F) -> _F:
    """Compile a kernel: no GIL, cached on disk if Python calls it, strict IEEE arithmetic.

    ``error_model="numpy"`` makes a division by zero an infinity instead of an
    exception, because a kernel never raises: it returns a status.
    """
    return _compiled(function)


def inlined(function: _F) -> _F:
    """Compile a kernel into its callers: for short ones on the hot path of another.

    There LLVM sees that arrays which the outermost kernel has `borrowed` need no counting,
    and a call's dozens of arguments (seven an array) disappear.
    """
    return _compiled(function, forceinline=True)


def _compiled(function: _F, **options: Any) -> _F:
    if numba.config.DISABLE_JIT:
        return function
    numpys = {"nopython": True, "nogil": True, "error_model": "numpy"}
    made = Kernel(function, targetoptions={**numpys, **options})
    made.enable_caching()
    return made  # type: ignore[return-value]


def float_from_bits(bits: int) -> float:
    """IEEE double whose 64 bits are `bits` (interpreted twin of the intrinsic)."""
    import struct

    return float(struct.unpack("<d", struct.pack("<Q", int(bits)))[0])


def bits_from_float(value: float) -> Any:
    """64 bits of an IEEE double as uint64 (interpreted twin of the intrinsic)."""
    import struct

    import numpy as np

    return np.uint64(struct.unpack("<Q", struct.pack("<d", float(value)))[0])


def borrowed(array: _A) -> _A:
    """The same array, its references not counted (interpreted twin of the intrinsic).

    Counting is atomic and costs nanoseconds wherever a kernel hands an array to another,
    more than small kernels do. Only for arrays that outlive the call: arguments of the
    outermost kernel.
    """
    return array


@intrinsic
def _borrowed(_typingctx: Any, array: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        struct = context.make_array(signature.return_type)(context, builder, args[0])
        struct.meminfo = cgutils.get_null_value(struct.meminfo.type)
        struct.parent = cgutils.get_null_value(struct.parent.type)
        return struct._getvalue()

    return array(array), codegen


@overload(borrowed)
def _borrow(array):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return lambda array: _borrowed(array)  # noqa: PLW0108 - numba types the lambda


@intrinsic
def _to_float(_typingctx: Any, bits: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], cgutils.ir.DoubleType())

    return types.float64(types.uint64), codegen


@intrinsic
def _to_bits(_typingctx: Any, value: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], cgutils.ir.IntType(64))

    return types.uint64(types.float64), codegen


@overload(float_from_bits)
def _float_from_bits(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return lambda bits: _to_float(bits)  # noqa: PLW0108 - numba types the lambda


@overload(bits_from_float)
def _bits_from_float(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return lambda value: _to_bits(value)  # noqa: PLW0108
