"""The audit of static arbitrage: planted violations are found with their rows, clean chains pass.

Every count is compared with an oracle that tries all pairs and triples in whole numbers and
fractions; chains without arbitrage are drawn from surfaces that admit none.
"""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from engine.tapes.market import kernels_arbitrage
from engine.tapes.market.arbitrage import KINDS, ArbitrageAudit, audit_arbitrage
from engine.tapes.market.events import Batch
from tests.engine.tapes.market.chains import (
    CALL,
    CENT,
    CHAIN,
    DAY_NS,
    FAR,
    MODELS,
    SPOT,
    START_NS,
    cases,
    columns,
    contract_columns,
    markets,
    planted,
    streams,
    sweep,
)
from tests.oracles import static_arbitrage as oracle
from tests.oracles.static_arbitrage import Contract, Row

ROOT = Path(__file__).parents[4]


def audited(contracts, rows, borders=()):
    """Report of the rows of up to two underlyings, cut into batches at some times."""
    audit = ArbitrageAudit(contract_columns(contracts), 2)
    for start, end in pairwise([-1, *sorted(borders), 2**62]):
        audit.add(*streams([row for row in rows if start <= row.ts_ns < end]))
    return audit.finish()


def assert_agrees(report, contracts, rows):
    """Counts are the oracle's, and the first violations are among its own."""
    truth = oracle.audit(contracts, rows)
    assert report.snapshots == truth.snapshots
    for kind in KINDS:
        assert report.checked[kind] == truth.checked.get(kind, 0), kind
        assert report.violated[kind] == truth.violated.get(kind, 0), kind
    assert report.first.keys() == truth.first.keys()
    for kind, violation in report.first.items():
        snapshot, witnesses = truth.first[kind]
        assert violation.kind == kind
        assert violation.since_ns == snapshot.since_ns
        assert violation.symbol == snapshot.underlying.code
        assert violation.equity_seq == snapshot.underlying.seq
        assert violation.seqs == tuple(snapshot.quotes[x].seq for x in violation.contracts)
        assert violation.excess_ticks == pytest.approx(float(witnesses[violation.contracts]))


@given(markets())
def test_every_count_and_every_first_violation_is_the_oracles(market):
    contracts, rows, borders = market
    assert_agrees(audited(contracts, rows, borders), contracts, rows)


@given(
    st.lists(MODELS, min_size=1, max_size=3), st.integers(0, 2**32), st.sampled_from([1, 100, 500])
)
def test_a_chain_that_is_quoted_around_an_admissible_surface_has_no_arbitrage(models, seed, tick):
    rng = np.random.default_rng(seed)
    rows = []
    for number, model in enumerate(models):
        # The surface moves with the underlying: quotes of two surfaces are never compared.
        spot = SPOT + CENT * int(rng.integers(1, 400)) * (2 * (number % 2) - 1)
        rows += sweep(CHAIN, spot, model, 1000 * number, rng, tick)
    report = audited(CHAIN, rows)
    assert report.ok
    assert report.first == {}
    assert report.snapshots == len(models)
    assert report.checked == {
        "vertical": 48 * len(models),
        "width": 48 * len(models),
        "butterfly": report.checked["butterfly"],
        "calendar": 36 * len(models),
        "parity": 27 * len(models),
        "bounds": 54 * len(models),
    }
    assert report.checked["butterfly"] > 6 * len(models)
    assert report.option_quotes == 54 * len(models)
    assert report.unclean_options == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_violation_is_found_with_its_rows(kind):
    changes, wanted = cases()[kind]
    rows, numbers = planted(changes)
    assert audited(CHAIN, planted({})[0]).ok
    report = audited(CHAIN, rows)
    assert not report.ok
    assert report.violated[kind] >= 1
    violation = report.first[kind]
    assert violation.contracts == wanted
    assert violation.seqs == tuple(numbers[code] for code in wanted)
    assert (violation.symbol, violation.equity_seq) == (0, 3000)
    assert violation.since_ns == START_NS + 3000
    assert violation.excess_ticks > 0
    assert_agrees(report, CHAIN, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_violation_is_found_whatever_the_size_of_the_batches(kind):
    rows, _ = planted(cases()[kind][0])
    whole = audited(CHAIN, rows)
    borders = [START_NS + at for at in (0, 10, 2999, 3000, 3001, 3020, 3021, 4000, 4030)]
    assert audited(CHAIN, rows, borders) == whole


# A call at 100 and one at 110, thirty ticks wide; the second is dearer than the first.
TWO = [Contract(0, START_NS + DAY_NS, 100, False), Contract(0, START_NS + DAY_NS, 110, False)]
STOCK = Row(True, START_NS, 0, 0, 100, 102)
LOW = Row(False, START_NS + 1, 1, 0, 4, 5)
HIGH = Row(False, START_NS + 5, 5, 1, 6, 7)


def test_quotes_are_compared_if_the_mid_has_not_changed_between_them():
    report = audited(TWO, [STOCK, LOW, HIGH])
    assert report.violated["vertical"] == 1
    assert report.first["vertical"].contracts == (1, 0)
    assert report.first["vertical"].excess_ticks == 1.0
    wider = Row(True, START_NS + 3, 3, 0, 99, 103)
    report = audited(TWO, [STOCK, LOW, wider, HIGH])
    assert report.violated["vertical"] == 1
    assert report.first["vertical"].equity_seq == 3
    assert report.first["vertical"].since_ns == START_NS


@pytest.mark.parametrize(("bid", "ask"), [(101, 103), (100, 103), (99, 102)])
def test_a_quote_from_before_the_mid_changed_is_compared_with_none_after(bid, ask):
    moved = Row(True, START_NS + 3, 3, 0, bid, ask)
    report = audited(TWO, [STOCK, LOW, moved, HIGH])
    assert report.ok
    assert report.snapshots == 2
    assert report.checked["bounds"] == 2
    assert report.checked["vertical"] == 0


@pytest.mark.parametrize(("bid", "ask"), [(0, 103), (103, 0), (104, 104), (105, 104), (90, 150)])
def test_an_unclean_quote_of_the_underlying_changes_nothing(bid, ask):
    odd = Row(True, START_NS + 3, 3, 0, bid, ask)
    report = audited(TWO, [STOCK, LOW, odd, HIGH])
    assert report.violated["vertical"] == 1
    assert report.first["vertical"].equity_seq == 0
    assert (report.unclean_equities, report.equity_quotes) == (1, 2)


def test_a_spread_that_stays_wide_becomes_the_usual_one():
    wide = [Row(True, START_NS + n, n, 0, 80, 120) for n in range(1, 400)]
    report = audited(TWO, [STOCK, *wide])
    assert 0 < report.unclean_equities < 150
    assert report.equity_quotes == 400


@pytest.mark.parametrize(("bid", "ask"), [(6, 6), (7, 6), (6, 0)])
def test_an_unclean_quote_of_an_option_takes_it_out_until_the_next(bid, ask):
    odd = Row(False, START_NS + 6, 6, 1, bid, ask)
    report = audited(TWO, [STOCK, LOW, HIGH, odd])
    assert report.ok
    assert report.checked["bounds"] == 1
    assert (report.unclean_options, report.option_quotes) == (1, 3)
    again = HIGH._replace(ts_ns=START_NS + 7, seq=7)
    report = audited(TWO, [STOCK, LOW, HIGH, odd, again])
    assert report.first["vertical"].seqs == (7, 1)


def test_what_nobody_bids_for_can_be_bought_but_not_sold():
    free = [STOCK, LOW._replace(bid=0, ask=1), HIGH._replace(bid=0, ask=1)]
    assert audited(TWO, free).violated["bounds"] == 0
    both = [
        *TWO,
        Contract(0, START_NS + DAY_NS, 90, True),
        Contract(0, START_NS + DAY_NS, 90, False),
    ]
    # A put without a bid cannot be sold against the call, however cheap that is.
    rows = [STOCK, Row(False, START_NS + 1, 1, 2, 0, 9), Row(False, START_NS + 2, 2, 3, 3, 9)]
    report = audited(both, rows)
    assert report.checked["parity"] == 1
    assert report.violated["parity"] == 0
    assert report.violated["bounds"] == 1
    bid_for = [rows[0], rows[1]._replace(bid=1), rows[2]]
    assert audited(both, bid_for).violated["parity"] == 1


def test_a_call_that_nobody_bids_for_is_not_sold_against_its_put():
    pair = [Contract(0, START_NS + DAY_NS, 120, is_put) for is_put in (False, True)]
    rows = [STOCK, Row(False, START_NS + 1, 1, 0, 0, 9), Row(False, START_NS + 2, 2, 1, 3, 9)]
    report = audited(pair, rows)
    assert (report.violated["parity"], report.violated["bounds"]) == (0, 1)
    report = audited(pair, [rows[0], rows[1]._replace(bid=1), rows[2]])
    assert report.violated["parity"] == 1
    assert report.first["parity"].excess_ticks == 10.0


@pytest.mark.parametrize(
    ("strike", "is_put", "bid", "ask", "excess"),
    [
        (60, False, 1, 38, 2.0),
        (140, True, 1, 37, 1.0),
        (60, False, 105, 106, 3.0),
        (140, True, 144, 145, 4.0),
    ],
)
def test_every_bound_is_checked(strike, is_put, bid, ask, excess):
    alone = [Contract(0, START_NS + DAY_NS, strike, is_put)]
    report = audited(alone, [STOCK, Row(False, START_NS + 1, 1, 0, bid, ask)])
    assert report.violated["bounds"] == 1
    assert report.first["bounds"].excess_ticks == excess


def test_an_expiry_is_compared_with_the_dearest_of_all_before():
    terms = [Contract(0, START_NS + days * DAY_NS, 110, False) for days in (1, 2, 3)]
    quotes = [(9, 10), (3, 10), (4, 5)]
    rows = [Row(False, START_NS + 1 + at, 1 + at, at, *quote) for at, quote in enumerate(quotes)]
    report = audited(terms, [STOCK, *rows])
    assert report.violated["calendar"] == 1
    assert report.first["calendar"].contracts == (0, 2)
    assert report.first["calendar"].excess_ticks == 4.0


def test_quotes_before_the_first_of_the_underlying_are_not_compared():
    report = audited(TWO, [LOW, HIGH, STOCK._replace(ts_ns=START_NS + 9, seq=9)])
    assert report.snapshots == 0
    assert report.option_quotes == 2


def test_a_report_is_made_once():
    audit = ArbitrageAudit(contract_columns(TWO), 1)
    audit.add(*streams([STOCK, LOW, HIGH]))
    assert audit.finish() == audit.finish()


def test_a_tape_is_audited_batch_by_batch():
    rows, _ = planted(cases()["calendar"][0])
    batches = []
    for start, end in ((0, 3010), (3010, 9000)):
        part = [row for row in rows if start <= row.ts_ns - START_NS < end]
        equities, options = streams(part)
        named = {"equity_quotes": equities, "option_nbbo": options}
        batches.append(Batch(START_NS + start, START_NS + end, named, {}, {}, [], []))
    found = audit_arbitrage(contract_columns(CHAIN), 1, batches)
    assert found == audited(CHAIN, rows)
    assert found.first["calendar"].contracts == (CALL, FAR)


def test_an_empty_tape_has_no_arbitrage():
    report = audit_arbitrage(contract_columns([]), 0, [])
    assert report.ok
    assert set(report.checked.values()) == {0}
    assert list(report.checked) == list(KINDS)


def refused(function):
    with pytest.raises(ContractError) as caught:
        function()
    return caught.value.code, caught.value.problems[0].loc


def test_rows_that_are_not_in_order_are_refused():
    audit = ArbitrageAudit(contract_columns(TWO), 1)
    equities, _ = streams([STOCK])
    back = columns([HIGH, LOW], "contract")
    wanted = ("ARBITRAGE_ROWS_UNORDERED", "row 1")
    assert refused(lambda: audit.add(equities, back)) == wanted
    audit.add(*streams([STOCK, HIGH]))
    assert refused(lambda: audit.add(*streams([LOW]))) == ("ARBITRAGE_ROWS_UNORDERED", "")


@pytest.mark.parametrize("code", [-1, 2])
def test_a_code_that_no_contract_has_is_refused(code):
    audit = ArbitrageAudit(contract_columns(TWO), 1)
    rows = [STOCK, LOW, HIGH._replace(code=code)]
    assert refused(lambda: audit.add(*streams(rows))) == ("ARBITRAGE_CODE_UNKNOWN", "row 1")
    rows = [STOCK, STOCK._replace(ts_ns=START_NS + 1, code=-code)]
    assert refused(lambda: audit.add(*streams(rows))) == ("ARBITRAGE_CODE_UNKNOWN", "row 1")


@pytest.mark.parametrize(
    "listed",
    [
        [*TWO, TWO[0]],
        [TWO[0], TWO[1]._replace(strike=1), TWO[0]._replace(symbol=1)],
        [TWO[0], TWO[1], TWO[0]._replace(symbol=-1)],
        [TWO[0], TWO[1], TWO[0]._replace(is_put=2)],
    ],
)
def test_contracts_that_cannot_be_told_apart_are_refused(listed):
    code, loc = refused(lambda: ArbitrageAudit(contract_columns(listed), 1))
    assert code == "ARBITRAGE_CONTRACT_INVALID"
    assert loc in {"row 0", "row 2"}


def found_everywhere():
    """Reports of every planted case, as text."""
    return [repr(audited(CHAIN, planted(changes)[0])) for changes, _ in cases().values()]


def test_interpreted_kernels_find_what_the_compiled_ones_find():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.tapes.market.test_arbitrage"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"compiled": False, "found": found_everywhere()}


if __name__ == "__main__":
    compiled = hasattr(kernels_arbitrage.take, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "found": found_everywhere()}))
