"""How much of a result is luck: walk-forward, overfitting, deflation, and no look at later bars.

Verbs: `folds` and `walk_forward`, `overfitting` and `combinatorial` on the `BlockMoments` of
candidates, `deflated_sharpe` and the formulas below it, `probe_lookahead` of strategies and
`probe_series` of anything else. Resampled returns are ``engine.montecarlo``, the settings
``contracts.validation``, the definitions docs/validation.md.
"""

from typing import Final

from engine.validate.combinatorial import Combinatorial, combinatorial
from engine.validate.deflated import (
    deflated_sharpe,
    expected_maximum_sharpe,
    null_variance,
    probabilistic_sharpe,
)
from engine.validate.folds import Fold, WalkForward, folds, walk_forward
from engine.validate.lookahead import LookaheadProbe, probe_lookahead, probe_series
from engine.validate.moments import BlockMoments, united
from engine.validate.overfitting import Overfitting, overfitting

VERSION: Final = "1"

__all__ = [
    "VERSION",
    "BlockMoments",
    "Combinatorial",
    "Fold",
    "LookaheadProbe",
    "Overfitting",
    "WalkForward",
    "combinatorial",
    "deflated_sharpe",
    "expected_maximum_sharpe",
    "folds",
    "null_variance",
    "overfitting",
    "probabilistic_sharpe",
    "probe_lookahead",
    "probe_series",
    "united",
    "walk_forward",
]
