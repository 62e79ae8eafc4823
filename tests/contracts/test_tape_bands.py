"""Bands of a market tape: each named once, sound, and where the specification has it."""

import math

import pytest

from contracts.control import PRESETS
from contracts.tape_bands import (
    ACF_MINUTES,
    BAND,
    BLOCK_MINUTES,
    GRID_NS,
    ID_AUC,
    MARKET_AUC,
    MINUTE_NS,
    TAPE_BANDS,
    Band,
)

STATED = {
    "variance_ratio_5m": (0.85, 1.15),
    "variance_ratio_60m": (0.85, 1.15),
    "return_acf_1m": (-0.05, 0.05),
    "return_ljung_box_p": (1e-4, 1.0),
    "excess_kurtosis_1m": (4.0, 30.0),
    "return_tail_index": (2.5, 5.0),
    "abs_return_acf_20m": (0.1, 1.0),
    "open_midday_volatility": (2.0, math.inf),
    "open_midday_trades": (2.0, math.inf),
    "edge_volume_share": (0.25, 0.40),
    "midday_trade_rate": (0.4, 0.7),
    "arrival_variation": (1.3, math.inf),
    "fano_1s": (2.0, math.inf),
    "sign_acf_exponent": (0.3, 0.8),
    "spread_volatility_correlation": (0.3, 1.0),
    "one_cent_share": (0.8, 1.0),
    "quotes_per_trade": (3.0, 20.0),
    "touch_unchanged_share": (0.4, 0.8),
    "odd_lot_share": (0.25, 0.60),
    "size_tail_index": (1.3, 2.2),
    "off_exchange_volume_share": (0.35, 0.50),
    "off_exchange_print_share": (0.10, 0.40),
    "known_reference_share": (1.0, 1.0),
    "top_tenth_volume": (0.8, 1.0),
    "front_volume_share": (0.5, 1.0),
    "small_lot_share": (0.5, 1.0),
    "sweep_venues": (3.0, math.inf),
    "fresh_spot_share": (0.95, 1.0),
    "near_quote_share": (1.0, 1.0),
    "off_grid_share": (0.0, 0.0),
}
"""As the specification and the literature have them."""


def test_every_band_is_named_once_and_says_what_it_is_of():
    assert len(BAND) == len(TAPE_BANDS)
    assert all(band.doc and not band.doc.endswith(".") for band in TAPE_BANDS)
    assert all(BAND[band.name] is band for band in TAPE_BANDS)


def test_bands_stand_subject_by_subject():
    order = [band.subject for band in TAPE_BANDS]
    subjects = list(dict.fromkeys(order))
    assert subjects == ["prices", "arrivals", "quotes", "sizes", "options"]
    assert order == sorted(order, key=subjects.index)


@pytest.mark.parametrize("band", TAPE_BANDS, ids=lambda band: band.name)
def test_a_band_is_a_range_and_a_single_tape_may_stray_further(band: Band):
    assert band.low <= band.high
    assert band.single_low < band.single_high or band.is_exact
    if band.is_exact:
        assert (band.single_low, band.single_high) == (band.low, band.high)
        assert band.scope == "both"
    assert all(one.preset in PRESETS and one.reason for one in band.exception)
    assert len({one.preset for one in band.exception}) == len(band.exception)


@pytest.mark.parametrize("name", STATED)
def test_limits_are_the_stated_ones(name: str):
    assert (BAND[name].low, BAND[name].high) == STATED[name]


def test_a_band_that_says_one_value_is_exact():
    assert BAND["off_grid_share"].is_exact
    assert not BAND["odd_lot_share"].is_exact


def test_lags_and_blocks_are_whole_looks_at_the_quotes():
    assert MINUTE_NS % GRID_NS == 0
    assert ACF_MINUTES % BLOCK_MINUTES == 0


def test_what_may_be_learned_is_limited_more_for_ids_than_for_the_market():
    assert 0.5 < ID_AUC == 0.52 < MARKET_AUC == 0.85
