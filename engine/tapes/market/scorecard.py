"""The scorecard of a market tape: its statistics beside the bands they must keep.

Takes batches of any length; memory is one session's looks at quotes and sums of fixed size,
however long the tape is. Scorecards of several tapes are pooled by `merge`. What a statistic
is stands beside its band in ``contracts.tape_bands``, how it is made in the ``scorecard``
modules beside this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from contracts.errors import ContractError
from contracts.tape import TapeSpec
from contracts.tape_bands import CALIBRATED_MINUTES, TAPE_BANDS, Asked, Band
from contracts.tape_defaults import CHAIN, FLOW, PRICES, QUOTES, SURFACE, default_universe
from engine.tapes.market import scorecard_options_layout as on
from engine.tapes.market.events import Batch, Columns
from engine.tapes.market.scorecard_arrivals import arrival_values
from engine.tapes.market.scorecard_equities import EquityCard
from engine.tapes.market.scorecard_options import OptionCard, option_values
from engine.tapes.market.scorecard_prices import price_values
from engine.tapes.market.scorecard_quotes import quote_values, size_values
from engine.tapes.market.scorecard_rows import (
    BLOCK_NS,
    equity_part,
    equity_rows,
    option_part,
    option_rows,
    pieces,
)


@dataclass(frozen=True, slots=True)
class Statistic:
    """One row of a scorecard.

    Attributes
    ----------
    name : str
        Name of the band in ``contracts.tape_bands``.
    value : float
        NaN if the streams say nothing about it.
    low, high : float
        The range it was judged by, both ends inside; infinite if it was not judged.
    ok : bool
        Whether the value lies in the range. NaN does for a single tape, which may be too
        short to say; pooled tapes must say something.
    """

    name: str
    value: float
    low: float
    high: float
    ok: bool


def is_usual(spec: TapeSpec) -> bool:
    """Whether a tape is of the default universe and settings, control and sessions aside."""
    settings = (spec.chain, spec.prices, spec.surface, spec.quotes, spec.flow)
    usual = (CHAIN, PRICES, SURFACE, QUOTES, FLOW)
    return spec.universe == default_universe() and settings == usual


class Scorecard:
    """Statistics of one tape or of several.

    Parameters
    ----------
    spec : TapeSpec
        Of the tape whose batches are added.
    """

    def __init__(self, spec: TapeSpec) -> None:
        self._spec = spec
        later = (one for one in spec.control.versions if one.effective_ns > spec.start_ns)
        in_force = (spec.control.at(spec.start_ns), *(one.control for one in later))
        self._presets = {one.preset_id for one in in_force}
        self._is_usual = is_usual(spec) and all(one.load_profile_id == "steady" for one in in_force)
        self._session = -1
        self._equities = EquityCard(spec)
        self._options = OptionCard(spec)

    def add(self, batch: Batch, contracts: Columns) -> None:
        """Take a batch; batches come in order of time.

        Parameters
        ----------
        batch : Batch
        contracts : Columns
            The tape's list of contracts so far, of the layout
            ``contracts.tape_columns.CONTRACTS``, symbols and rights as codes.

        Raises
        ------
        ContractError
            ``TAPE_CONTRACTS_SHRUNK`` if that list is shorter than it was.
        """
        equities, options = equity_rows(batch.streams), option_rows(batch.streams)
        self._options.see_list(contracts, batch.start_ns)
        sessions = self._spec.sessions
        for piece in pieces(sessions, batch.start_ns, batch.end_ns):
            session = sessions[piece.session]
            if piece.session != self._session:
                self._session = piece.session
                self._equities.begin_session(session, piece.start_ns)
                self._options.begin_session(session.open_ns)
            start_ns, end_ns = piece.start_ns, piece.end_ns
            self._equities.add(equity_part(equities, start_ns, end_ns), end_ns)
            self._options.add(option_part(options, start_ns, end_ns))
            if (end_ns - session.open_ns) % BLOCK_NS == 0:
                self._options.read(*self._equities.spot(end_ns), end_ns)

    def merge(self, other: Scorecard) -> None:
        """Pool the statistics of another tape with these.

        Raises
        ------
        ContractError
            ``SCORECARD_UNIVERSES_DIFFER`` if it is not of the same symbols.
        """
        mine, theirs = self._spec.universe, other._spec.universe
        if mine != theirs:
            raise ContractError(
                "SCORECARD_UNIVERSES_DIFFER",
                f"tapes of {len(mine)} and {len(theirs)} symbols are not of the same universe",
                "universe",
                ("pool tapes of one universe; their controls and sessions may differ",),
            )
        self._presets |= other._presets
        self._equities.merge(*other._equities.totals())
        self._options.merge(other._options.totals())

    def values(self) -> dict[str, float]:
        """Every statistic by the name of its band; NaN where there is nothing to measure."""
        return self._measured()[0]

    def rows(self, scope: Asked) -> list[Statistic]:
        """The statistics against their bands, in the order of these.

        Parameters
        ----------
        scope : str
            ``pooled`` judges by the bands of many sessions; ``single`` by the model's own
            intervals for one tape, if it shows whole sessions of the market that they were
            made with: of any other only exact bands are judged.
        """
        values, sessions, minutes = self._measured()
        is_calibrated = self._is_usual and minutes == sessions * CALIBRATED_MINUTES > 0
        return [
            self._judged(band, values[band.name], scope == "pooled", is_calibrated)
            for band in TAPE_BANDS
            if scope == "pooled" or band.scope == "both"
        ]

    def _measured(self) -> tuple[dict[str, float], int, int]:
        """Every statistic, how many whole sessions they are of, and the minutes of these."""
        sums, prices = self._equities.totals()
        options = self._options.totals()
        n = options.counts.tolist()
        rows, off_grid = n[on.QUOTES] + n[on.PRINTS], n[on.OFF_GRID]
        values = {
            **price_values(prices, self._equities.scale),
            **arrival_values(sums),
            **quote_values(sums, prices, self._spec, rows, off_grid),
            **size_values(sums, self._spec),
            **option_values(options, self._spec),
        }
        return values, int(sums.seconds[1]), int(sums.seconds[2])

    def _judged(self, band: Band, value: float, is_pooled: bool, is_calibrated: bool) -> Statistic:
        """A value beside the range that it is judged by."""
        is_exempt = any(one.preset in self._presets for one in band.exception)
        if is_exempt or not (is_pooled or is_calibrated or band.is_exact):
            return Statistic(band.name, value, -math.inf, math.inf, True)
        low, high = (band.low, band.high) if is_pooled else (band.single_low, band.single_high)
        is_silent = math.isnan(value) and not is_pooled
        return Statistic(band.name, value, low, high, is_silent or low <= value <= high)
