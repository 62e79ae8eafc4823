"""A compiled kernel: optimised and turned into machine code once, with all that it calls.

numba compiles every function to the end, also one that only other kernels call, and copies the
result into its callers, where all of it is optimised and turned into machine code again: what is
called ten levels down, ten times. A `Kernel` keeps two compilations of its function apart. What
Python calls is numba's own. What kernels call stops before the optimiser and is only linked in:
no machine code, no cache, no way for Python to call it. A kernel does not call itself.

This leans on numba's inside, which pyproject.toml pins to a minor version.
"""

# Glue to numba, which carries no types.
# pyright: basic, reportPrivateImportUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import _dynfunc, types
from numba.core import compiler, typed_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import require_global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.registry import CPUDispatcher

_NO_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class Kernel(CPUDispatcher):
    """A dispatcher whose function has a second compilation for its callers among kernels."""

    def __init__(
        self,
        py_func: Callable[..., Any],
        locals: dict[str, Any] | None = None,  # noqa: A002 - numba's name, with which it unpickles
        targetoptions: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(py_func, locals, targetoptions)
        self._linked: CPUDispatcher | None = None

    @property
    def _numba_type_(self) -> types.Dispatcher:
        """What a kernel sees that calls this one."""
        if self._linked is None:
            options = {**self.targetoptions, **_NO_WRAPPERS}
            self._linked = CPUDispatcher(self.py_func, self.locals, options, _Pipeline)
        return types.Dispatcher(self._linked)


class _Library(JITCodeLibrary):
    """Code with all that it calls, which waits for the kernel that it is linked into."""

    def finalize(self) -> None:
        require_global_compiler_lock()
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


@register_pass(mutates_CFG=False, analysis_only=False)
class _Begin(LoweringPass):
    _name = "islandflow_begin_linked"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        return False


@register_pass(mutates_CFG=False, analysis_only=False)
class _Offer(LoweringPass):
    _name = "islandflow_offer_linked"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        lowered, library = state["cr"], state.library
        described = lowered.fndesc
        name = described.qualname.rpartition(".")[2]
        # Callers find the code by this function; its address is null, and nobody calls it.
        key = _dynfunc.make_function(
            described.lookup_module(), name, name, 0, lowered.env, (library,)
        )
        state.targetctx.insert_user_function(key, described, [library])
        state["cr"] = lowered._replace(cfunc=key)
        return False


class _Pipeline(compiler.CompilerBase):
    """numba's own passes, without those after the code is written down."""

    def define_pipelines(self) -> list[Any]:
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_Begin, typed_passes.AnnotateTypes)
        passes.add_pass_after(_Offer, typed_passes.NativeLowering)
        passes.finalize()
        return [passes]
