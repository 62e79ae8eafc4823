"""A complete TapeProfile to start from: 24 symbols, or as many as are asked for.

The numbers are round ones of the field: who lists what is public, prices and activity are
made up. Nothing fills these in for a profile that leaves a field out.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from contracts.control import ControlLog, ControlVersion, SyntheticControlState
from contracts.market import MAX_SYMBOLS, ChainProfile, SymbolProfile
from contracts.tape import SessionProfile, TapeProfile
from contracts.tape_settings import FlowProfile, PriceProfile, QuoteProfile, SurfaceProfile


class _Row(NamedTuple):
    symbol: str
    security_type: Literal["etf", "stock"]
    sector: str
    dollars: float
    vol: float
    beta: float
    trades: float
    quotes: float
    options: float
    spread: float
    off: float
    tick: Literal["penny", "below_3", "nickel"]
    step: float
    expiries: Literal["daily", "weekly", "monthly"]
    event_in: int = 0


_ROWS: Final = (
    _Row("SPY", "etf", "broad", 502, 0.16, 1.0, 3.0, 5, 1.6, 1, 0.38, "penny", 5, "daily"),
    _Row("QQQ", "etf", "broad", 428, 0.21, 1.15, 2.4, 5, 1.2, 1, 0.36, "penny", 5, "daily"),
    _Row("IWM", "etf", "broad", 211, 0.23, 1.1, 1.4, 5, 0.6, 1, 0.36, "penny", 2, "daily"),
    _Row(
        "AAPL", "stock", "tech", 226, 0.27, 1.1, 1.6, 4, 0.6, 1, 0.44, "below_3", 2.5, "weekly", 15
    ),
    _Row(
        "MSFT", "stock", "tech", 431, 0.25, 1.05, 1.0, 5, 0.35, 3, 0.4, "below_3", 5, "weekly", 14
    ),
    _Row("NVDA", "stock", "semis", 142, 0.48, 1.7, 2.4, 4, 0.9, 1, 0.45, "below_3", 2, "weekly", 9),
    _Row(
        "META",
        "stock",
        "media",
        588,
        0.36,
        1.25,
        0.8,
        5,
        0.35,
        8,
        0.38,
        "below_3",
        10,
        "weekly",
        14,
    ),
    _Row(
        "AMZN",
        "stock",
        "retail",
        219,
        0.33,
        1.2,
        1.3,
        4,
        0.5,
        2,
        0.42,
        "below_3",
        2.5,
        "weekly",
        16,
    ),
    _Row("TSLA", "stock", "autos", 318, 0.55, 1.6, 1.8, 5, 0.9, 4, 0.46, "below_3", 5, "weekly", 6),
    _Row(
        "GOOGL",
        "stock",
        "media",
        188,
        0.30,
        1.1,
        1.0,
        4,
        0.35,
        2,
        0.42,
        "below_3",
        2.5,
        "weekly",
        20,
    ),
    _Row(
        "NFLX", "stock", "media", 904, 0.38, 1.1, 0.4, 6, 0.2, 30, 0.36, "below_3", 10, "weekly", 2
    ),
    _Row(
        "AMD", "stock", "semis", 126, 0.50, 1.6, 1.5, 4, 0.45, 1, 0.45, "below_3", 2, "weekly", 20
    ),
    _Row(
        "AVGO", "stock", "semis", 232, 0.46, 1.4, 0.8, 5, 0.25, 6, 0.4, "below_3", 2.5, "weekly", 57
    ),
    _Row(
        "JPM", "stock", "banks", 244, 0.24, 0.95, 0.6, 5, 0.15, 3, 0.38, "below_3", 2.5, "weekly", 0
    ),
    _Row("BAC", "stock", "banks", 46, 0.27, 1.05, 1.0, 3, 0.2, 1, 0.5, "penny", 0.5, "weekly", 1),
    _Row(
        "XOM", "stock", "energy", 112, 0.24, 0.6, 0.7, 4, 0.15, 1, 0.42, "below_3", 1, "weekly", 16
    ),
    _Row(
        "CVX", "stock", "energy", 152, 0.23, 0.65, 0.4, 5, 0.1, 3, 0.38, "below_3", 2, "weekly", 16
    ),
    _Row(
        "UNH", "stock", "health", 512, 0.30, 0.6, 0.35, 6, 0.12, 22, 0.34, "nickel", 5, "weekly", 13
    ),
    _Row(
        "PFE", "stock", "health", 27, 0.24, 0.6, 0.9, 3, 0.12, 1, 0.52, "penny", 0.5, "weekly", 20
    ),
    _Row(
        "DIS", "stock", "media", 111, 0.27, 0.95, 0.5, 4, 0.15, 2, 0.42, "below_3", 1, "weekly", 21
    ),
    _Row(
        "BA",
        "stock",
        "industry",
        172,
        0.36,
        1.15,
        0.5,
        5,
        0.2,
        6,
        0.4,
        "below_3",
        2.5,
        "weekly",
        13,
    ),
    _Row("PLTR", "stock", "tech", 76, 0.62, 1.7, 1.4, 4, 0.5, 1, 0.5, "penny", 1, "weekly", 19),
    _Row(
        "COIN", "stock", "brokers", 268, 0.75, 2.0, 0.6, 6, 0.3, 20, 0.4, "below_3", 5, "weekly", 29
    ),
    _Row("UBER", "stock", "autos", 68, 0.38, 1.2, 0.7, 4, 0.15, 1, 0.46, "penny", 1, "weekly", 21),
)

DEFAULT_SYMBOLS: Final = len(_ROWS)

PRICES: Final = PriceProfile(
    market_vol=0.13,
    sector_vol=0.09,
    slow_vol_sd=0.38,
    slow_vol_s=9_000.0,
    fast_vol_sd=0.32,
    fast_vol_s=420.0,
    leverage=-0.5,
    jumps_per_session=1.5,
    event_jump_bps=60.0,
)
SURFACE: Final = SurfaceProfile(
    rho_etf=-0.62,
    rho_stock=-0.38,
    eta=0.9,
    gamma=0.45,
    premium=1.06,
    reversion_per_year=4.0,
    spot_beta=-6.0,
    pressure_half_life_s=60.0,
    event_move=0.045,
)
QUOTES: Final = QuoteProfile(
    wide_share=0.004,
    locked_share=0.004,
    crossed_share=0.001,
    one_sided_share=0.0005,
    stale_share=0.05,
    late_share=0.01,
    cancel_share=0.0002,
    correct_share=0.0002,
    reprice_sigmas=10.0,
)
FLOW: Final = FlowProfile(
    branching=0.6,
    sweep_share=0.2,
    block_share=0.012,
    package_share=0.08,
    bursts_per_minute=5.0,
    decoys_per_burst=1.0,
    spacing_s=120.0,
    impact_bps=0.02,
)
CHAIN: Final = ChainProfile(dailies=4, weeklies=5, monthlies=3, strikes_each_side=10)
SESSION: Final = SessionProfile(
    exchange="XNYS", first_date="2026-01-14", count=1, skip_s=0, duration_s=0
)
CONTROL: Final = ControlLog(
    versions=(ControlVersion(effective_ns=0, control=SyntheticControlState()),)
)


def default_universe(symbols: int = DEFAULT_SYMBOLS) -> tuple[SymbolProfile, ...]:
    """The first `symbols` of 24 known names, then made-up ones, at most 500.

    Those that come later never change the earlier ones.
    """
    known = [_profile(row) for row in _ROWS[:symbols]]
    return (*known, *(_made_up(place) for place in range(len(_ROWS), min(symbols, MAX_SYMBOLS))))


def default_profile(symbols: int = DEFAULT_SYMBOLS) -> TapeProfile:
    """A complete profile of one full session."""
    return TapeProfile(
        id="default",
        version="0.1",
        universe=default_universe(symbols),
        chain=CHAIN,
        prices=PRICES,
        surface=SURFACE,
        quotes=QUOTES,
        flow=FLOW,
        injections=(),
        session=SESSION,
        control=CONTROL,
    )


def _profile(row: _Row) -> SymbolProfile:
    return SymbolProfile(
        symbol=row.symbol,
        security_type=row.security_type,
        sector=row.sector,
        start_price_cents=round(row.dollars * 100),
        annual_vol=row.vol,
        market_beta=row.beta,
        trades_per_second=row.trades,
        quotes_per_trade=row.quotes,
        option_prints_per_second=row.options,
        spread_cents=row.spread,
        off_exchange_share=row.off,
        option_tick=row.tick,
        strike_step_cents=round(row.step * 100),
        expiries=row.expiries,
        event_in_days=row.event_in,
    )


def _made_up(place: int) -> SymbolProfile:
    """A stock of the long tail, unlike its neighbours."""
    dollars = 20 + place * 37 % 280
    vol = 0.22 + (place * 13 % 40) / 100
    sectors = sorted({row.sector for row in _ROWS})
    trades = 0.15 + (place * 7 % 11) / 40
    row = _Row(
        f"SYN{place:03d}",
        "stock",
        sectors[place % len(sectors)],
        dollars,
        vol,
        0.6 + (place * 5 % 11) / 10,
        trades,
        4,
        trades / 6,
        1 + place % 6,
        0.42,
        "below_3",
        max(0.5, round(dollars / 50) * 0.5),
        "weekly" if place % 3 else "monthly",
        place * 11 % 60,
    )
    return _profile(row)
