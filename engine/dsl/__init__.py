"""The strategy language: expressions become programs over shared columns.

Verbs: `compile_strategy` turns a validated ``StrategySpec`` into a `Program`,
`fill_columns` computes the indicator columns that programs share. Execution of
a program on bars lives in ``engine.backtest``; the document in
``contracts.strategy``.
"""

from engine.dsl.columns import fill_columns
from engine.dsl.program import Program, compile_strategy

VERSION = "1"

__all__ = ["VERSION", "Program", "compile_strategy", "fill_columns"]
