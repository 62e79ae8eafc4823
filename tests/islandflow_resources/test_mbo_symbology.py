"""Symbols of instrument ids, from headers in either direction."""

import datetime

import numpy as np
import pytest

from islandflow_resources.mbo_symbology import Symbology, of_header

DAY = 86_400_000_000_000


def interval(symbol, first, end):
    origin = datetime.date(1970, 1, 1)
    return {
        "symbol": symbol,
        "start_date": origin + datetime.timedelta(first),
        "end_date": origin + datetime.timedelta(end),
    }


@pytest.mark.parametrize("is_inverse", [False, True])
def test_headers_map_either_way(is_inverse):
    name, identity = ("7", "ESH1") if is_inverse else ("ESH1", "7")
    symbology = of_header(is_inverse, {name: [interval(identity, 0, 1)]})
    assert symbology.symbols == ("ESH1",)
    assert symbology.names(7) == "ESH1"
    ids = np.array([7, 8, 7])
    assert symbology.carries("ESH1", ids, np.zeros(3, np.int64)).tolist() == [True, False, True]
    assert symbology.unmapped(ids).tolist() == [False, True, False]


def test_intervals_without_a_symbol_map_nothing():
    symbology = of_header(False, {"ESH1": [interval("", 0, 1)]})
    assert symbology.symbols == ()
    assert symbology.unmapped(np.array([7])).tolist() == [True]


def test_an_id_of_two_symbols_carries_each_on_its_days_and_neither_between():
    mappings = {"A": [interval("7", 0, 1)], "B": [interval("7", 2, 3)]}
    symbology = of_header(False, mappings)
    days = np.arange(4) * DAY
    ids = np.full(4, 7)
    assert symbology.carries("A", ids, days).tolist() == [True, False, False, False]
    assert symbology.carries("B", ids, days).tolist() == [False, False, True, False]
    assert symbology.names(7) == "A/B"


def test_what_is_learnt_on_the_way_counts_from_then_on():
    symbology = Symbology()
    ids = np.array([7])
    assert symbology.unmapped(ids).all()
    for number in (3, 7):
        symbology.add_always(number, f"S{number}")
        symbology.add_always(number, f"S{number}")
        assert symbology.unmapped(np.array([number])).tolist() == [False]
    assert symbology.symbols == ("S3", "S7")
    assert symbology.carries("S7", ids, np.array([0])).all()


def test_a_mapping_to_no_id_is_an_error():
    with pytest.raises(ValueError, match="abc"):
        of_header(False, {"ESH1": [interval("abc", 0, 1)]})
