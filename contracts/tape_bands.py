"""What the statistics of a synthetic tape must keep to: the bands of its scorecard.

The facts are those of the literature on equities and options; what each mechanism is stands in
``docs/market-tape.md``, and how a statistic is made of the streams in
``engine.tapes.market.scorecard``. Here are names, limits, and the few conventions that both
sides must share. Facts that hold of every row, without any tolerance, are
``engine.tapes.market.audit``.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple, TypeAlias

from contracts.control import Preset

Scope: TypeAlias = Literal["pooled", "both"]
Subject: TypeAlias = Literal["prices", "arrivals", "quotes", "sizes", "options"]
Asked: TypeAlias = Literal["pooled", "single"]
"""What a scorecard is asked about: many sessions together, or one tape."""

GRID_NS: Final = 10_000_000_000
"""Quotes are looked at this often; shares of time are shares of these looks."""
MINUTE_NS: Final = 60_000_000_000
BLOCK_MINUTES: Final = 5
EDGE_MINUTES: Final = 30
"""The open and the close of a session; midday is its middle quarter."""
ACF_MINUTES: Final = 60
SIGN_LAGS: Final = 100
LATE_NS: Final = 50_000_000
"""A report that is received this much after its event is late."""
TOUCH_NS: Final = 1_000_000
"""A trade changes the touch if its symbol's next quote, this soon, has other prices."""
SWEEP_NS: Final = 20_000_000
"""Prints of a sweep follow each other within this."""
FRESH_NS: Final = 1_000_000_000
WIDE_SPREADS: Final = 5
"""A quote of so many usual spreads is wide; it is not clean, nor is a locked, crossed or
one-sided one."""
CALIBRATED_MINUTES: Final = 390
"""Single-tape intervals hold for whole sessions of this length, of the universe, the settings and
the load profile of ``contracts.tape_defaults``; elsewhere nobody has measured the model."""
POOLED_SESSIONS: Final = 20
"""Pooled bands hold for so many sessions at least."""


class Exempt(NamedTuple):
    """A preset that a band does not hold for, and the reason."""

    preset: Preset
    reason: str


class Band(NamedTuple):
    """The range that one statistic must keep, both ends inside.

    Attributes
    ----------
    name : str
    subject : str
    low, high : float
        For symbols pooled over `POOLED_SESSIONS` sessions.
    scope : str
        ``both`` if a single tape is judged too, by `single_low` and `single_high`.
    doc : str
    exception : tuple of Exempt
    single_low, single_high : float
        The model's own 99.99 % interval for one tape, from
        ``benchmarks.studies.market_calibration``; infinite where it is not known.
    """

    name: str
    subject: Subject
    low: float
    high: float
    scope: Scope
    doc: str
    exception: tuple[Exempt, ...] = ()
    single_low: float = -math.inf
    single_high: float = math.inf

    @property
    def is_exact(self) -> bool:
        """Whether the band is one value, that tapes of any size must have."""
        return self.low == self.high


PRICE_BANDS: Final[tuple[Band, ...]] = (
    Band(
        "variance_ratio_5m",
        "prices",
        0.85,
        1.15,
        "both",
        "squares of 5-minute returns over the sum of the squares of their minutes: 1 for a "
        "martingale, whatever its volatility does",
    ),
    Band("variance_ratio_10m", "prices", 0.85, 1.15, "both", "the same over 10 minutes"),
    Band("variance_ratio_30m", "prices", 0.85, 1.15, "pooled", "the same over 30 minutes"),
    Band("variance_ratio_60m", "prices", 0.85, 1.15, "pooled", "the same over 60 minutes"),
    Band("return_acf_1m", "prices", -0.05, 0.05, "both", "of 1-minute mid returns, lag 1"),
    Band(
        "return_ljung_box_p",
        "prices",
        1e-4,
        1.0,
        "both",
        "joint test that 1-minute returns have no autocorrelation at lags 3 to 60; robust to "
        "changing volatility and common factors. Asked of many tapes, so that a limit of 1e-4 "
        "refuses one sound tape in ten thousand, as the other single-tape intervals do",
        (),
        1e-4,
        1.0,
    ),
    Band("excess_kurtosis_1m", "prices", 4.0, 30.0, "both", "of 1-minute returns"),
    Band(
        "kurtosis_30m_per_1m",
        "prices",
        -1.0,
        1.0,
        "pooled",
        "excess kurtosis of 30-minute returns over that of 1-minute ones: sums are more normal",
    ),
    Band("return_tail_index", "prices", 2.5, 5.0, "both", "Hill's, largest 5 % of |r|, 1 minute"),
    Band(
        "abs_return_acf_20m",
        "prices",
        0.1,
        1.0,
        "pooled",
        "autocorrelation of |r| at 20 minutes: clusters fade slowly",
    ),
    Band(
        "clock_free_acf_20m",
        "prices",
        0.0,
        1.0,
        "pooled",
        "the same at 20 minutes, less that of minutes of different sessions, which share the "
        "time of day alone: clusters are no artefact of the clock",
    ),
    Band("abs_return_acf_least", "prices", 0.0, 1.0, "pooled", "least of it at 1 to 60 minutes"),
    Band(
        "leverage_correlation",
        "prices",
        -1.0,
        0.0,
        "pooled",
        "of a 5-minute return and the realised volatility of the 5 minutes after it",
    ),
    Band("open_midday_volatility", "prices", 2.0, math.inf, "both", "mean |r|, open over midday"),
)

ARRIVAL_BANDS: Final[tuple[Band, ...]] = (
    Band("edge_volume_share", "arrivals", 0.25, 0.40, "both", "volume of the open and the close"),
    Band("midday_trade_rate", "arrivals", 0.4, 0.7, "both", "trades at midday over the mean"),
    Band("open_midday_trades", "arrivals", 2.0, math.inf, "both", "trade rate, open over midday"),
    Band("arrival_variation", "arrivals", 1.3, math.inf, "both", "deviation over mean of the gaps"),
    Band("fano_1s", "arrivals", 2.0, math.inf, "both", "variance over mean of trades in a second"),
    Band(
        "sign_acf_least",
        "arrivals",
        0.0,
        1.0,
        "pooled",
        "least autocorrelation of trade signs at lags 1 to 100; signs by Lee and Ready (1991) "
        "of trades on the exchanges",
    ),
    Band(
        "sign_acf_exponent",
        "arrivals",
        0.3,
        0.8,
        "both",
        "of the power law fitted to it by least squares over bins of lags that double",
    ),
    Band("response_10", "arrivals", 0.0, math.inf, "both", "signed mid move 10 trades on, spreads"),
    Band(
        "response_100_per_10",
        "arrivals",
        -1.0,
        3.0,
        "pooled",
        "that after 100 trades over that after 10: impact saturates, where it added up it would "
        "be 10; what happens in 100 trades beside is large, so that the range is wide",
    ),
)

QUOTE_BANDS: Final[tuple[Band, ...]] = (
    Band(
        "spread_volatility_correlation",
        "quotes",
        0.3,
        1.0,
        "both",
        "of mean spread and realised volatility in 5 minutes, of names whose usual spread is "
        "over a cent",
    ),
    Band("one_cent_share", "quotes", 0.8, 1.0, "both", "time at one cent of large-tick names"),
    Band("quotes_per_trade", "quotes", 3.0, 20.0, "both", "equity quotes over equity trades"),
    Band("touch_unchanged_share", "quotes", 0.4, 0.8, "both", "trades that leave the touch as is"),
    Band("wide_rate", "quotes", 0.7, 1.4, "both", "share of the quotes over the profile's"),
    Band("locked_rate", "quotes", 0.7, 1.4, "both", "the same of locked quotes"),
    Band("crossed_rate", "quotes", 0.7, 1.4, "both", "the same of crossed quotes"),
    Band("one_sided_rate", "quotes", 0.7, 1.4, "both", "the same of one-sided quotes"),
    Band(
        "off_grid_share",
        "quotes",
        0.0,
        0.0,
        "both",
        "quotes and prints off their tick grid: cents for equities, off-exchange prints aside; "
        "the minimum variation for options",
        (),
        0.0,
        0.0,
    ),
)

SIZE_BANDS: Final[tuple[Band, ...]] = (
    Band("odd_lot_share", "sizes", 0.25, 0.60, "both", "prints of fewer than 100 shares"),
    Band("size_tail_index", "sizes", 1.3, 2.2, "both", "Hill's, largest 1 % of the prints"),
    Band("off_exchange_volume_share", "sizes", 0.35, 0.50, "both", "of the volume"),
    Band("off_exchange_print_share", "sizes", 0.10, 0.40, "both", "of the prints"),
    Band("late_rate", "sizes", 0.7, 1.4, "both", "late prints, share over the profile's"),
    Band("cancel_rate", "sizes", 0.7, 1.4, "both", "the same of cancels"),
    Band("correct_rate", "sizes", 0.7, 1.4, "both", "the same of corrections"),
    Band(
        "known_reference_share",
        "sizes",
        1.0,
        1.0,
        "both",
        "cancels and corrections that name an earlier trade of their symbol",
        (),
        1.0,
        1.0,
    ),
)

OPTION_BANDS: Final[tuple[Band, ...]] = (
    Band("top_tenth_volume", "options", 0.8, 1.0, "both", "volume of the top 10 % of the series"),
    Band("front_volume_share", "options", 0.5, 1.0, "both", "volume of the two next expiries"),
    Band("small_lot_share", "options", 0.5, 1.0, "both", "prints of at most 10 contracts"),
    Band("sweep_venues", "options", 3.0, math.inf, "both", "venues of a run of ISO prints"),
    Band(
        "fresh_spot_share", "options", 0.95, 1.0, "both", "prints, spot quoted in the last second"
    ),
    Band(
        "stale_quote_rate",
        "options",
        0.3,
        1.4,
        "both",
        "prints whose quote is older than the last change of spot, share over the profile's",
    ),
    Band(
        "near_quote_share",
        "options",
        1.0,
        1.0,
        "both",
        "prints inside their quote, or one minimum variation through; stale quotes aside",
        (),
        1.0,
        1.0,
    ),
    Band(
        "width_far_per_near",
        "options",
        1.0,
        math.inf,
        "both",
        "relative width of out-of-the-money quotes, over 5 % from spot over within 2 %",
    ),
    Band(
        "width_volatility_correlation",
        "options",
        0.0,
        1.0,
        "pooled",
        "of the width of quotes at the money over spot, and realised volatility in 5 minutes",
    ),
    Band(
        "put_skew",
        "options",
        1.005,
        2.0,
        "both",
        "implied volatility 5 % below spot over that at spot, expiries of 2 to 6 weeks",
    ),
    Band("call_skew", "options", 0.3, 0.995, "both", "the same 5 % above spot"),
    Band("skew_ordered_share", "options", 0.9, 1.0, "both", "smiles that fall on both sides"),
    Band(
        "iv_return_correlation",
        "options",
        -1.0,
        0.0,
        "both",
        "of changes of at-the-money volatility and returns of spot over 5 minutes",
    ),
)


SINGLE_TAPE: Final[dict[str, tuple[float, float]]] = {
    "variance_ratio_5m": (0.857, 1.21),
    "variance_ratio_10m": (0.82, 1.25),
    "return_acf_1m": (-0.089, 0.0675),
    "excess_kurtosis_1m": (-4.17, 28.2),
    "return_tail_index": (1.12, 4.51),
    "open_midday_volatility": (-0.802, 8.98),
    "edge_volume_share": (0.249, 0.405),
    "midday_trade_rate": (0.459, 0.829),
    "open_midday_trades": (1.91, 5.99),
    "arrival_variation": (1.87, 2.46),
    "fano_1s": (2.57, 4.18),
    "sign_acf_exponent": (0.446, 0.583),
    "response_10": (-0.0289, 0.0679),
    "spread_volatility_correlation": (0.606, 0.94),
    "one_cent_share": (0.698, 0.982),
    "quotes_per_trade": (3.91, 4.05),
    "touch_unchanged_share": (0.758, 0.778),
    "wide_rate": (0.883, 0.976),
    "locked_rate": (0.898, 0.991),
    "crossed_rate": (0.868, 1.01),
    "one_sided_rate": (0.801, 1.04),
    "odd_lot_share": (0.462, 0.473),
    "size_tail_index": (1.56, 1.8),
    "off_exchange_volume_share": (0.358, 0.43),
    "off_exchange_print_share": (0.311, 0.368),
    "late_rate": (0.931, 1.06),
    "cancel_rate": (0.661, 1.29),
    "correct_rate": (0.692, 1.31),
    "top_tenth_volume": (0.815, 0.942),
    "front_volume_share": (0.71, 0.802),
    "small_lot_share": (0.574, 0.599),
    "sweep_venues": (3.89, 3.95),
    "fresh_spot_share": (0.999, 1),
    "stale_quote_rate": (0.809, 0.935),
    "width_far_per_near": (2.48, 4.39),
    "put_skew": (1.07, 1.12),
    "call_skew": (0.928, 0.947),
    "skew_ordered_share": (0.999, 1),
    "iv_return_correlation": (-0.553, -0.175),
}
"""The model's own interval of a statistic of one whole tape, see docs/market-calibration.md."""


def _with_interval(band: Band) -> Band:
    low, high = SINGLE_TAPE.get(band.name, (band.single_low, band.single_high))
    return band._replace(single_low=low, single_high=high)


TAPE_BANDS: Final[tuple[Band, ...]] = tuple(
    _with_interval(band)
    for band in (*PRICE_BANDS, *ARRIVAL_BANDS, *QUOTE_BANDS, *SIZE_BANDS, *OPTION_BANDS)
)
"""Every band, in the order in which a scorecard shows its rows."""

BAND: Final[dict[str, Band]] = {band.name: band for band in TAPE_BANDS}

ID_AUC: Final = 0.52
"""Most that ids, sequence numbers, conditions and venues may tell of who printed."""
MARKET_AUC: Final = 0.85
"""Most that one field of the market may tell."""
