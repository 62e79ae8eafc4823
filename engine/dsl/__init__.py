"""The strategy language: expressions become programs over shared columns.

Verbs: `compile_strategy` turns a validated ``StrategySpec`` into a `Program`,
`compile_sweep` many parameter sets of one into a `Sweep`; a `ColumnTable` holds the
indicator columns that programs share. Execution on bars lives in
``engine.backtest``; the document in ``contracts.strategy``.
"""

from engine.dsl.columns import ColumnTable
from engine.dsl.program import Program, compile_strategy
from engine.dsl.sweep import Sweep, compile_sweep

VERSION = "2"

__all__ = ["VERSION", "ColumnTable", "Program", "Sweep", "compile_strategy", "compile_sweep"]
