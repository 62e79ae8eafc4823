"""Returns as sums over blocks: all that choosing among candidates needs to know of them.

What follows from the sums is here; a trial's own sums are made by ``engine.backtest.moments``, and
what is made of them by ``overfitting`` and ``combinatorial``. The definition is docs/validation.md,
"Moments of a trial".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from engine.arrays import Floats, Ints
from engine.validate import kernels


@dataclass(frozen=True, slots=True, eq=False)
class BlockMoments:
    """Number of bars, Σr and Σr² of every candidate in every block.

    Attributes
    ----------
    counts : ndarray, shape (blocks,), int64
        Bars of each block; all candidates are judged on the same ones.
    sums, squares : ndarray, shape (candidates, blocks), float64

    Raises
    ------
    ContractError
        ``BLOCK_MOMENTS_INVALID`` for shapes that do not agree, no candidate, a negative count,
        or a candidate whose sums are not finite: it has no returns and must be left out.
    """

    counts: Ints
    sums: Floats
    squares: Floats

    def __post_init__(self) -> None:
        shape = self.sums.shape
        if len(shape) != 2 or self.squares.shape != shape or self.counts.shape != shape[1:]:
            found = f"{self.counts.shape}, {shape} and {self.squares.shape}"
            raise _invalid(f"counts, sums and squares have the shapes {found}", "", "")
        if not self.sums.size:
            raise _invalid("there is no candidate, or no block", "", "give at least one of each")
        if bool((self.counts < 0).any()):
            raise _invalid("a block has a negative number of bars", "", "")
        finite = (np.isfinite(self.sums) & np.isfinite(self.squares)).all(axis=1)
        broken = np.flatnonzero(~finite)
        if broken.size:
            hint = "leave out candidates that have no returns"
            raise _invalid("its sums are not finite", f"candidate {int(broken[0])}", hint)

    @property
    def candidates(self) -> int:
        """Number of candidates."""
        return int(self.sums.shape[0])

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(self.sums.shape[1])

    def merged(self, blocks: int) -> BlockMoments:
        """The same returns in fewer blocks, adjacent ones put together.

        Raises
        ------
        ContractError
            ``BLOCKS_INDIVISIBLE`` if so many do not follow from those there are.
        """
        if blocks < 1 or self.blocks % blocks:
            hint = (f"choose a divisor of {self.blocks}",)
            message = f"{self.blocks} blocks cannot be merged into {blocks}"
            raise ContractError("BLOCKS_INDIVISIBLE", message, hints=hint)
        width = self.blocks // blocks
        counts = self.counts[::width].copy()
        # Block by block in memory, because that is how they are added up.
        sums, squares = self.sums[:, ::width].copy("F"), self.squares[:, ::width].copy("F")
        for k in range(1, width):
            counts += self.counts[k::width]
            sums += self.sums[:, k::width]
            squares += self.squares[:, k::width]
        return BlockMoments(counts, sums, squares)

    def sharpes(self, mask: npt.NDArray[np.bool_]) -> Floats:
        """Sharpe ratio per bar of every candidate over the union of the blocks chosen.

        Parameters
        ----------
        mask : ndarray, shape (blocks,), bool

        Returns
        -------
        ndarray, shape (candidates,), float64
            0 where the returns are flat or fewer than two.
        """
        total, square = np.zeros(self.candidates), np.zeros(self.candidates)
        for block in np.flatnonzero(mask):
            total += self.sums[:, block]
            square += self.squares[:, block]
        out = np.empty(self.candidates)
        kernels.ratios(total, square, float(self.counts[mask].sum()), out)
        return out


def united(parts: Sequence[BlockMoments]) -> BlockMoments:
    """Moments of the same candidates over several datasets: block b is the union of all blocks b.

    Sums are added in the order of `parts`.

    Raises
    ------
    ContractError
        ``BLOCK_MOMENTS_INVALID`` for no part, or parts of different shapes.
    """
    if len({part.sums.shape for part in parts}) != 1:
        hint = "give one or more parts of the same candidates and blocks"
        raise _invalid("the datasets' moments differ in shape, or there are none", "", hint)
    counts, sums, squares = (
        getattr(parts[0], name).copy() for name in ("counts", "sums", "squares")
    )
    for part in parts[1:]:
        counts += part.counts
        sums += part.sums
        squares += part.squares
    return BlockMoments(counts, sums, squares)


def _invalid(message: str, place: str, hint: str) -> ContractError:
    return ContractError("BLOCK_MOMENTS_INVALID", message, place, (hint,) if hint else ())
