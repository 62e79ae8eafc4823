"""Combinatorial purged cross-validation: many out-of-sample histories instead of one.

López de Prado, M. (2018), *Advances in financial machine learning*, ch. 12. Purge and embargo are
already left out of the sums of blocks, see ``moments``; one history in the order of time is
``folds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats
from engine.stats import percentile
from engine.validate import kernels
from engine.validate.moments import BlockMoments


@dataclass(frozen=True, slots=True, eq=False)
class Combinatorial:
    """Sharpe ratios of the paths that the splits make up.

    Attributes
    ----------
    path_sharpes : ndarray, shape (paths,), float64
        Per bar, each over all groups.
    median, p5, share_below_zero : float
        Of the paths.
    splits : int
        Choices of tested groups.
    """

    path_sharpes: Floats
    median: float
    p5: float
    share_below_zero: float
    splits: int


def combinatorial(moments: BlockMoments, groups: int, tested: int = 2) -> Combinatorial:
    """Choose on all groups but the tested ones, for every choice of tested groups.

    The j-th split that tests a group gives path j the returns of its choice on that group.

    Parameters
    ----------
    moments : BlockMoments
    groups : int
        Blocks that those of the moments are merged into.
    tested : int
        Groups that are tested at a time, fewer than there are.

    Raises
    ------
    ContractError
        ``BLOCKS_INDIVISIBLE`` if the groups do not follow from the blocks there are, or leave
        none to train on.
    """
    if not 0 < tested < groups:
        hint = (f"test 1 to {groups - 1} groups at a time",) if groups > 1 else ()
        message = f"{tested} of {groups} groups cannot be tested with others to train on"
        raise ContractError("BLOCKS_INDIVISIBLE", message, hints=hint)
    merged = moments.merged(groups)
    splits = list(combinations(range(groups), tested))
    paths = len(splits) * tested // groups
    choices = np.zeros((paths, groups), dtype=np.int64)
    seen = [0] * groups
    for split in splits:
        training = np.ones(groups, dtype=np.bool_)
        training[list(split)] = False
        choice = int(np.argmax(merged.sharpes(training)))
        for group in split:
            choices[seen[group], group] = choice
            seen[group] += 1
    sharpes = _over_groups(merged, choices)
    return Combinatorial(
        sharpes,
        median=percentile(sharpes, 50.0),
        p5=percentile(sharpes, 5.0),
        share_below_zero=int((sharpes < 0.0).sum()) / paths,
        splits=len(splits),
    )


def _over_groups(merged: BlockMoments, choices: np.ndarray) -> Floats:
    """Sharpe ratio of each path from the sums of its choices, added in the order of the groups."""
    paths, groups = choices.shape
    total, square, out = np.zeros(paths), np.zeros(paths), np.empty(paths)
    for group in range(groups):
        total += merged.sums[choices[:, group], group]
        square += merged.squares[choices[:, group], group]
    kernels.ratios(total, square, float(merged.counts.sum()), out)
    return out
