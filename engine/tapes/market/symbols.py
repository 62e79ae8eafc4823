"""One symbol's part of a tape: its facts, its state, and the arrays that its kernels take."""

from __future__ import annotations

import math

import numpy as np

from contracts.seeds import stream_id
from contracts.tape import TapeSpec
from engine.arrays import Floats, Ints
from engine.mathx import exp, log
from engine.tapes.market import layout as at
from engine.tapes.market.chain import Chain
from engine.tapes.market.latent import SECONDS_A_YEAR, Stretch
from engine.tapes.market.layout import Flow, World
from engine.tapes.market.merge import RowBuffer

_TICKS = 10_000.0
_DAY_NS = 86_400_000_000_000
_KINDS = {"penny": at.PENNY, "below_3": at.BELOW_3, "nickel": at.NICKEL}
_ODD_SHARES = ((50.0, 0.30), (150.0, 0.42), (400.0, 0.50), (math.inf, 0.56))
_LIQUID_PER_S = 1.6
_WIDEST = 3.0


class SymbolFlow:
    """State and constants of one symbol.

    Parameters
    ----------
    spec : TapeSpec
    seed : int
    slot : int
        Its place in the universe.
    """

    def __init__(self, spec: TapeSpec, seed: int, slot: int) -> None:
        profile = spec.universe[slot]
        self.slot = slot
        days = profile.event_in_days
        self.event_ns = spec.sessions[0].close_ns + days * _DAY_NS if days else 0
        self._key = np.uint64(seed)
        self._stream = np.uint64(stream_id("market", "flow", profile.symbol))
        self._facts = _facts(spec, slot, self.event_ns)
        self._ints = np.zeros(at.STATE_INTS, dtype=np.int64)
        self._reals = np.zeros(at.STATE_REALS)
        self._signs = np.zeros((at.SIGN_SLOTS, 2), dtype=np.int64)
        self._active = np.full(at.ACTIVE_BURSTS, at.NO_BURST, dtype=np.int64)
        self._chain: Chain | None = None

    def price_ticks(self, log_price: float) -> float:
        """Price in ticks at a log price before flow, with what flow has moved it by."""
        return exp(log_price + self._reals[at.MOVED]) * _TICKS

    def begin_session(self, chain: Chain, codes: Ints) -> None:
        """List a chain; quotes, excitement and passing effects begin anew."""
        chain.listed[:, at.CODE] = codes
        self._chain = chain
        moved, package = self._reals[at.MOVED], self._ints[at.PACKAGE]
        self._ints[:] = 0
        self._reals[:] = 0.0
        self._reals[at.MOVED], self._ints[at.PACKAGE] = moved, package
        self._active[:] = at.NO_BURST

    def world(self, stretch: Stretch, settings: Floats, origin_ns: int) -> World:
        """What the symbol's flow follows in a stretch."""
        return World(
            self._key,
            self._stream,
            origin_ns,
            stretch.start_ns,
            self._facts,
            settings,
            stretch.cells,
            stretch.paths[self.slot],
            stretch.heat[self.slot],
            stretch.busy[self.slot],
        )

    def arrays(self, bursts: Ints, burst_reals: Floats, out: RowBuffer) -> Flow:
        """The symbol's state, and where its rows go."""
        chain = self._chain
        assert chain is not None
        return Flow(
            self._ints,
            self._reals,
            self._signs,
            chain.listed,
            chain.expiries,
            chain.closes,
            bursts,
            burst_reals,
            self._active,
            out.equity_quotes,
            out.equity_prints,
            out.option_nbbo,
            out.option_prints,
            out.rows,
        )


def settings_of(spec: TapeSpec) -> Floats:
    """Settings of the tape, as kernels take them."""
    quotes, flow, surface = spec.quotes, spec.flow, spec.surface
    settings = np.zeros(at.SETTINGS)
    settings[at.WIDE], settings[at.LOCKED] = quotes.wide_share, quotes.locked_share
    settings[at.CROSSED], settings[at.ONE_SIDED] = quotes.crossed_share, quotes.one_sided_share
    settings[at.STALE], settings[at.LATE] = quotes.stale_share, quotes.late_share
    settings[at.CANCELLED], settings[at.CORRECTED] = quotes.cancel_share, quotes.correct_share
    settings[at.BRANCHING] = flow.branching
    settings[at.SWEEPS], settings[at.BLOCKS] = flow.sweep_share, flow.block_share
    settings[at.PACKAGES] = flow.package_share
    settings[at.PRESSURE_KEPT] = exp(-log(2.0) / surface.pressure_half_life_s)
    settings[at.ETA], settings[at.GAMMA] = surface.eta, surface.gamma
    settings[at.REVERSION] = surface.reversion_per_year
    settings[at.EVENT_VAR] = surface.event_move**2
    settings[at.SPOT_BETA] = surface.spot_beta
    return settings


def _facts(spec: TapeSpec, slot: int, event_ns: int) -> Floats:
    one, surface = spec.universe[slot], spec.surface
    sigma = one.annual_vol / math.sqrt(SECONDS_A_YEAR)
    dollars = one.start_price_cents / 100.0
    rarity = _LIQUID_PER_S / max(one.option_prints_per_second, 0.02)
    facts = np.zeros(at.FACTS)
    facts[at.TRADES_PER_S] = one.trades_per_second
    facts[at.QUOTES_PER_S] = 0.75 * one.trades_per_second * one.quotes_per_trade
    facts[at.OPTIONS_PER_S] = one.option_prints_per_second
    facts[at.SPREAD_CENTS] = one.spread_cents
    facts[at.OFF_SHARE] = one.off_exchange_share
    facts[at.ODD_SHARE] = next(share for most, share in _ODD_SHARES if dollars < most)
    facts[at.SIGMA] = sigma
    usual = one.annual_vol / 0.25 / math.sqrt(one.trades_per_second)
    facts[at.KAPPA] = spec.flow.impact_bps * 1e-4 * usual
    facts[at.REPRICE] = spec.quotes.reprice_sigmas * sigma
    facts[at.RHO] = surface.rho_etf if one.security_type == "etf" else surface.rho_stock
    facts[at.BASE_VAR] = (one.annual_vol * surface.premium) ** 2
    facts[at.WIDTH] = min(max(exp(0.35 * log(rarity)), 0.8), _WIDEST)
    facts[at.TICK_KIND] = _KINDS[one.option_tick]
    facts[at.SLOT] = slot
    facts[at.EVENT_NS] = event_ns
    return facts
