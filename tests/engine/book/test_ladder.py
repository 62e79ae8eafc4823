"""Ranks for prices: which prices count, that order is kept, and that a strange one is refused."""

import numpy as np
import pytest
from hypothesis import given, settings

from contracts.errors import ContractError
from engine.book.ladder import first_slot, ladder_book, prices_of, ranked
from tests.oracles.order_book import Event, unpacked
from tests.oracles.order_streams import START_NS, adversarial, packed, streams

PLACING = {"A", "M"}


def event(action, price_int):
    return Event(START_NS, action, "B", 1, price_int, 1, 128, 0)


@settings(max_examples=50)
@given(stream=streams)
def test_prices_are_those_of_adds_and_modifies_whatever_the_batches(stream):
    wanted = sorted({each.price_int for each in unpacked(stream) if each.action in PLACING})
    halves = [stream.part(0, stream.rows // 2), stream.part(stream.rows // 2, stream.rows)]
    assert prices_of([stream]).tolist() == prices_of(halves).tolist() == wanted


@settings(max_examples=50)
@given(stream=streams)
def test_ranks_stand_for_their_prices_and_the_rest_of_an_event_stays(stream):
    prices = prices_of([stream])
    for before, after in zip(unpacked(stream), unpacked(ranked(stream, prices)), strict=True):
        is_placing = before.action in PLACING
        assert after == before._replace(price_int=after.price_int)
        assert is_placing == (after.price_int > 0)
        assert not is_placing or prices[after.price_int - 1] == before.price_int


@pytest.mark.parametrize("count", range(1, 10))
def test_every_rank_has_its_slot_and_no_snapshot_would_move_them(count):
    prices = np.arange(count, dtype=np.int64) * 7 - 20
    book = ladder_book(prices)
    first, slots = first_slot(book), len(book.state.depth)
    assert slots // 4 <= first
    assert first + count <= slots - slots // 4
    rows = [event("A", int(price))._replace(order_id=n) for n, price in enumerate(prices)]
    book.push(ranked(packed(rows), prices))
    assert book.state.depth[:, 0].nonzero()[0].tolist() == [*range(first, first + count)]
    assert book.anomalies["out_of_range"] == book.anomalies["off_tick"] == 0


@pytest.mark.parametrize("known", [[], [1, 2, 4], [1, 2, 3]])
def test_a_price_that_the_first_pass_did_not_meet_is_refused(known):
    with pytest.raises(ContractError, match="the first pass did not meet") as refused:
        ranked(packed([event("C", 9), event("A", 5)]), np.array(known, np.int64))
    assert (refused.value.code, refused.value.loc) == ("BOOK_PRICE_UNKNOWN", "price_int 5")


def test_prices_of_no_events_are_none():
    assert prices_of([]).shape == (0,)
    stream = adversarial(1, 200)
    cancels = stream.action == ord("C")
    assert prices_of([type(stream)(*(column[cancels] for column in stream))]).shape == (0,)
