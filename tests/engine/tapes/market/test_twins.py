"""Counterfactual twins: a tape with and without one injection differs by its consequences alone."""

import numpy as np
import pytest

from contracts.flow import ACTORS
from contracts.tape_columns import STREAMS
from tests.engine.tapes.market.markets import SECOND_NS, injection, make, market_spec
from tests.oracles.market_flow import clean_mids, last_at

SYMBOLS = ("SPY", "NVDA", "XOM")
SECONDS, AT_S = 1800, 300
EVENTS = (*STREAMS, "print_labels")
CASES = {
    "without knowledge": injection("cash_secured_put_write", "XOM", AT_S, 90_000.0),
    "a package": injection("box_spread", "XOM", AT_S, 80_000.0),
    "with knowledge": injection("call_sweep", "XOM", AT_S, 150_000.0),
    "a decoy": injection("call_sweep", "XOM", AT_S, 150_000.0, is_decoy=True),
}


@pytest.fixture(scope="module")
def without():
    return make(market_spec(SYMBOLS, SECONDS), 1)


@pytest.fixture(scope="module", params=CASES, ids=str)
def twin(request):
    return request.param, make(market_spec(SYMBOLS, SECONDS, injections=(CASES[request.param],)), 1)


def others(tape):
    """Bursts that are not the injected one."""
    told = tape["burst_labels"]
    return {name: values[told["burst_id"] < 1_000_000] for name, values in told.items()}


def gap_bps(one, other, at_s):
    """How far the midpoints of XOM are apart at some seconds."""
    at_ns = one.spec.start_ns + np.asarray(at_s) * SECOND_NS
    mids = [last_at(*clean_mids(tape.of("XOM")["equity_quotes"]), at_ns) for tape in (one, other)]
    return 1e4 * np.log(mids[0] / mids[1])


def test_before_it_no_byte_differs(without, twin):
    _, tape = twin
    until = (0, without.spec.start_ns + AT_S * SECOND_NS)
    assert tape.between(*until).digest() == without.between(*until).digest()


def test_other_symbols_never_differ(without, twin):
    _, tape = twin
    tables = (*EVENTS, "burst_labels", "option_contracts")
    assert tape.of("SPY", "NVDA").digest(*tables) == without.of("SPY", "NVDA").digest(*tables)
    assert tape.digest("session_states") == without.digest("session_states")


def test_the_injection_and_nothing_else_is_added(without, twin):
    name, tape = twin
    told = tape["burst_labels"]
    added = told["burst_id"] > 1_000_000
    assert list(told["subtype"][added]) == [CASES[name].subtype]
    assert told["actor"][added] == ("decoy" if CASES[name].is_decoy else "injection")
    assert without["burst_labels"]["burst_id"].max() < 1_000_000


def test_every_other_burst_is_the_same_order_at_the_same_time(without, twin):
    """What they trade follows the prices; that they trade, what, when and which side does not."""
    _, tape = twin
    mine, theirs = others(tape), others(without)
    assert len(mine["burst_id"]) > 400
    for name in set(mine) - {"start_ns", "end_ns", "contracts", "notional_usd"}:
        assert (mine[name] == theirs[name]).all(), name
    for name in ("start_ns", "end_ns"):
        assert (np.abs(mine[name] - theirs[name]) < 20e6).all(), name
    sizes = mine["notional_usd"] / theirs["notional_usd"]
    assert 0.97 < np.median(sizes) < 1.03


def test_prints_of_every_other_burst_have_the_same_contracts_and_sides(without, twin):
    _, tape = twin
    mine, theirs = (printed(one) for one in (tape, without))
    assert mine.keys() == theirs.keys()
    assert all(len(mine[burst]) == len(theirs[burst]) for burst in mine)
    sides = [[side for _, side in one[burst]] for one in (mine, theirs) for burst in sorted(mine)]
    assert sides[: len(mine)] == sides[len(mine) :]
    same = [mine[burst] == theirs[burst] for burst in mine]
    # a strike away where the price stood near the middle between two
    assert np.mean(same) > 0.97


def printed(tape):
    """Contract and side of each option print of each burst that is not the injected one."""
    labels = tape["print_labels"]
    kept = (labels["stream"] == "option_prints") & (labels["burst_id"] > 0)
    kept &= labels["burst_id"] < 1_000_000
    contract = dict(
        zip(tape["option_prints"]["seq"], tape["option_prints"]["contract"], strict=True)
    )
    found = {}
    for seq, burst, side in zip(
        labels["seq"][kept], labels["burst_id"][kept], labels["side"][kept], strict=True
    ):
        found.setdefault(int(burst), []).append((str(contract[seq]), int(side)))
    return found


def same_shares(tape, without):
    """Share of XOM's quotes and prints that are the same to the byte, minute by minute."""
    pair = [one.of("XOM") for one in (tape, without)]
    start_ns = tape.spec.start_ns
    found = []
    for at_s in range(AT_S, SECONDS, 60):
        window = (start_ns + at_s * SECOND_NS, start_ns + (at_s + 60) * SECOND_NS)
        one, other = (rows_of(made.between(*window)) for made in pair)
        found.append(len(one & other) / len(one | other))
    return found


def rows_of(made):
    """Quotes and prints of the underlying, as a set of rows."""
    return {
        (name, *row)
        for name in ("equity_quotes", "equity_prints")
        for row in zip(*(column.tolist() for column in made[name].values()), strict=True)
    }


def test_the_difference_fades_but_for_what_it_knew(without, twin):
    """Demand, hedges and excitement pass; the knowledge of an informed order becomes price.

    Bursts that come later trade a little more or less at other prices, which begins it anew.
    """
    name, tape = twin
    minutes = same_shares(tape, without)
    gaps = gap_bps(tape, without, np.arange(1200, SECONDS, 10))
    assert max(minutes[:2]) < 0.1
    if name == "with knowledge":
        assert gaps.mean() == pytest.approx(12.0, abs=3.0)
        assert gap_bps(tape, without, [330])[0] < gaps.mean() - 3.0
        return
    assert max(minutes[5:]) > 0.9
    assert np.abs(gaps).max() < 1.5
    assert (gaps == 0.0).mean() > 0.9


def test_one_injection_more_leaves_the_numbers_of_the_others():
    first, second = injection("call_sweep", "SPY", 60), injection("box_spread", "NVDA", 90)
    one = make(market_spec(SYMBOLS, 150, injections=(first,)), 1)
    both = make(market_spec(SYMBOLS, 150, injections=(first, second)), 1)
    tables = (*EVENTS, "burst_labels")
    assert one.of("SPY").digest(*tables) == both.of("SPY").digest(*tables)
    actors = [set(one["print_labels"]["actor"]) for one in (one, both)]
    assert actors[0] == actors[1] == set(ACTORS)


def test_an_injection_at_the_open_waits_until_the_chain_is_quoted():
    tape = make(market_spec(("SPY",), 60, injections=(injection("call_sweep", "SPY", 0),)), 1)
    told = tape["burst_labels"]
    waited = told["scheduled_ns"][told["actor"] == "injection"] - tape.spec.start_ns
    assert waited == [30 * SECOND_NS]
