"""Values from files, traded: the golden summary again, every trade, and what is no series."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.document import validate
from contracts.errors import ContractError
from contracts.experiment import EVAL
from contracts.signal_columns import SIGNAL_SUMMARY, SIGNAL_TRADES
from islandflow_resources.signal_series import evaluate_series, read_series
from tests.oracles import barrier_trades as trades
from tests.oracles import signal_golden as golden

KEYS = ("tp_ticks", "sl_ticks", "max_hold_bins", "warmup_bins", "cooldown_bins", "threshold")
SERIES = golden.table("harness_series")


def settings(**changes):
    return validate(EVAL, {"compat": "v1", **changes}, "eval")


@pytest.fixture
def written(tmp_path):
    """Write a file of series; its path."""

    def write(name="series.parquet", **columns):
        path = tmp_path / name
        pq.write_table(pa.table(columns), path)
        return path

    return write


@pytest.fixture
def golden_file(written):
    columns = {
        mode: pa.array([math.nan if one is None else one for one in values], pa.float64())
        for mode, values in golden.predictions().items()
    }
    return written(ts_ns=SERIES["ts_ns"], mid_price=SERIES["mid_price"], **columns)


def test_v1_repeats_all_99_rows_of_the_golden_summary_to_the_bit(golden_file, tmp_path):
    """Rows that share barriers and cooldowns are asked for at once, as the files were made."""
    wanted = golden.settings()
    groups = {}
    for row in wanted:
        key = (row["mode"], *(row[name] for name in KEYS[:-1]))
        groups.setdefault(key, []).append(row)
    seen, mismatches = 0, []
    for number, (key, rows) in enumerate(groups.items()):
        mode, tp, sl, hold, warmup, cooldown = key
        told = settings(tp_ticks=[tp], sl_ticks=[sl], max_hold_bins=hold, warmup_bins=warmup,
                        cooldown_bins=[cooldown])  # fmt: skip
        out = tmp_path / str(number)
        series = read_series(golden_file, mode)
        levels = tuple(row["threshold"] for row in rows)
        evaluate_series(series, mode, levels, 0.25, told, out)
        found = pq.read_table(out / "summary.parquet").to_pylist()
        for row, ours in zip(rows, found, strict=True):
            seen += 1
            mismatches += [
                (key, row["threshold"], name, ours[name], row[name])
                for name in row.keys() & ours.keys()
                if not same(ours[name], row[name])
            ]
    assert seen == len(wanted) == 99
    assert mismatches == []


def same(ours, theirs):
    if isinstance(theirs, float) or isinstance(ours, float):
        first, second = (math.nan if one is None else float(one) for one in (ours, theirs))
        return first == second or (math.isnan(first) and math.isnan(second))
    return ours == theirs


def test_every_trade_of_every_rule_is_there_and_adds_up_to_the_summary(golden_file, tmp_path):
    told = settings(tp_ticks=[2, 8], sl_ticks=[4], cooldown_bins=[1, 20], max_hold_bins=100,
                    warmup_bins=50)  # fmt: skip
    out = tmp_path / "out"
    [line] = evaluate_series(
        read_series(golden_file, "signal"), "signal", (0.1, 0.3), 0.25, told, out
    )
    assert {path.name for path in out.iterdir()} == {"summary.parquet", "trades.parquet"}
    summary = pq.read_table(out / "summary.parquet")
    found = pq.read_table(out / "trades.parquet")
    assert summary.column_names == list(SIGNAL_SUMMARY.names)
    assert found.column_names == list(SIGNAL_TRADES.names)
    assert line == f"{out}: 8 rules, {found.num_rows} trades"
    rows = found.to_pylist()
    assert {row["outcome"] for row in rows} <= {"tp", "sl", "timeout"}
    assert {row["direction"] for row in rows} == {"up", "down"}
    for rule in summary.to_pylist():
        own = [row for row in rows if all(row[name] == rule[name] for name in KEYS)]
        assert len(own) == rule["n_signals"]
        assert sum(row["outcome"] == "tp" for row in own) / len(own) == rule["tp_rate"]
        assert sum(row["pnl_ticks"] for row in own) == pytest.approx(rule["total_pnl_ticks"])
        for row in own:
            sign = 1 if row["direction"] == "up" else -1
            moved = (row["outcome_price"] - row["entry_price"]) / 0.25 * sign
            assert row["pnl_ticks"] == pytest.approx(moved)
            assert row["entry_price"] == SERIES["mid_price"][row["bin_idx"]]
            assert row["bin_idx"] >= 50


@pytest.mark.parametrize("positions", ["single", "overlapping"])
def test_v2_is_the_oracle_s_with_the_costs_that_are_told(golden_file, tmp_path, positions):
    told = validate(
        EVAL,
        {"tp_ticks": [3], "sl_ticks": [2], "cooldown_bins": [2], "warmup_bins": 30,
         "max_hold_bins": 60, "positions": positions,
         "costs": {"spread_ticks": 0.5, "fee_ticks": 0.2, "slippage_ticks": 0.1}},
        "eval",
    )  # fmt: skip
    evaluate_series(read_series(golden_file, "signal"), "signal", (0.2,), 0.25, told, tmp_path)
    [row] = pq.read_table(tmp_path / "summary.parquet").to_pylist()
    market = trades.Market(SERIES["ts_ns"].tolist(), SERIES["mid_price"].tolist(), 0.25)
    rule = trades.Rule(0.2, 3, 2, 60, 30, 2, positions=positions, spread=0.5, fee_ticks=0.2,
                       slippage_ticks=0.1)  # fmt: skip
    wanted = trades.figures(trades.account(golden.predictions()["signal"], market, rule), market)
    for name, value in wanted.items():
        assert row[name] == pytest.approx(value, rel=1e-9)
    assert row["mean_cost_ticks"] == pytest.approx(0.5 + 0.4 + 0.2)


def test_rules_come_in_the_order_of_barriers_cooldowns_and_thresholds(golden_file, tmp_path):
    told = settings(tp_ticks=[8, 2], sl_ticks=[4, 6], cooldown_bins=[20, 5])
    evaluate_series(read_series(golden_file, "signal"), "signal", (0.3, 0.1), 0.25, told, tmp_path)
    rows = pq.read_table(tmp_path / "summary.parquet").to_pylist()
    told = [(row["tp_ticks"], row["sl_ticks"], row["cooldown_bins"], row["threshold"])
            for row in rows]  # fmt: skip
    assert told[:3] == [(8, 4, 20, 0.3), (8, 4, 20, 0.1), (8, 4, 5, 0.3)]
    assert told[-1] == (2, 6, 5, 0.1)
    assert len(set(told)) == 16


@pytest.mark.parametrize("bins", [1, 10])
def test_a_series_shorter_than_its_warm_up_has_no_trade(written, tmp_path, bins):
    path = written(ts_ns=np.arange(bins), mid_price=np.full(bins, 9.0), signal=np.ones(bins))
    for compat in ("v1", "v2"):
        out = tmp_path / compat
        told = settings(compat=compat)
        assert evaluate_series(read_series(path, "signal"), "signal", (0.1,), 0.25, told, out)
        [row] = pq.read_table(out / "summary.parquet").to_pylist()
        assert (row["n_signals"], row["tp_rate"], row["events_per_hour"]) == (0, None, 0.0)
        assert pq.read_table(out / "trades.parquet").num_rows == 0


def test_what_is_there_is_not_overwritten_and_nothing_is_added_to_it(golden_file, tmp_path):
    series, out = read_series(golden_file, "signal"), tmp_path / "out"
    for taken in ("trades.parquet", "summary.parquet"):
        out.mkdir(exist_ok=True)
        (out / taken).write_bytes(b"mine")
        with pytest.raises(ContractError) as raised:
            evaluate_series(series, "signal", (0.1,), 0.25, settings(), out)
        assert raised.value.code == "FILE_EXISTS"
        assert [path.name for path in out.iterdir()] == [taken]
        assert (out / taken).read_bytes() == b"mine"
        (out / taken).unlink()


@pytest.mark.parametrize(
    ("columns", "column", "code"),
    [
        ({"ts_ns": [1, 2], "mid_price": [1.0, 2.0]}, "signal", "SERIES_COLUMN_MISSING"),
        ({"ts_ns": [1, 2], "signal": [1.0, 2.0]}, "signal", "SERIES_COLUMN_MISSING"),
        ({"ts_ns": [1, 1], "mid_price": [1.0, 2.0], "signal": [0.0, 0.0]}, "signal",
         "SERIES_NOT_ASCENDING"),
        ({"ts_ns": [2, 1], "mid_price": [1.0, 2.0], "signal": [0.0, 0.0]}, "signal",
         "SERIES_NOT_ASCENDING"),
        ({"ts_ns": [None, 1], "mid_price": [1.0, 2.0], "signal": [0.0, 0.0]}, "signal",
         "SERIES_NOT_ASCENDING"),
        ({"ts_ns": ["a", "b"], "mid_price": [1.0, 2.0], "signal": [0.0, 0.0]}, "signal",
         "SERIES_COLUMN_TYPE"),
        ({"ts_ns": [1, 2], "mid_price": [1.0, 2.0], "signal": ["a", "b"]}, "signal",
         "SERIES_COLUMN_TYPE"),
        ({"ts_ns": pa.array([], pa.int64()), "mid_price": pa.array([], pa.float64()),
          "signal": pa.array([], pa.float64())}, "signal", "SERIES_EMPTY"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_series_is_refused(written, columns, column, code):
    with pytest.raises(ContractError) as raised:
        read_series(written(**columns), column)
    assert raised.value.code == code


def test_a_file_that_is_no_parquet_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "text").write_text(json.dumps({"ts_ns": 1}))
    for path in (tmp_path / "text", tmp_path / "nosuch", tmp_path):
        with pytest.raises(ContractError) as raised:
            read_series(path, "signal")
        assert raised.value.code == "SERIES_UNREADABLE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mode": "luck"}, "SERIES_MODE"),
        ({"tick_size": 0.0}, "SERIES_TICK"),
        ({"tick_size": -0.25}, "SERIES_TICK"),
        ({"tick_size": math.nan}, "SERIES_TICK"),
        ({"tick_size": math.inf}, "SERIES_TICK"),
        ({"thresholds": (0.1, math.nan)}, "SERIES_THRESHOLD"),
        ({"thresholds": (math.inf,)}, "SERIES_THRESHOLD"),
        ({"thresholds": (-0.1,)}, "SERIES_THRESHOLD"),
    ],
)
def test_what_cannot_be_traded_by_is_refused_and_nothing_written(
    golden_file, tmp_path, changes, code
):
    asked = {"mode": "signal", "thresholds": (0.1,), "tick_size": 0.25, **changes}
    with pytest.raises(ContractError) as raised:
        evaluate_series(
            read_series(golden_file, "signal"),
            asked["mode"],
            asked["thresholds"],
            asked["tick_size"],
            settings(),
            tmp_path / "out",
        )
    assert raised.value.code == code
    assert not (tmp_path / "out").exists()


def test_no_mid_is_no_price(written, tmp_path):
    mid = np.array([10.0, None, 10.0, 10.5, 11.0], dtype=object)
    path = written(
        ts_ns=np.arange(5), mid_price=pa.array(mid, pa.float64()), signal=[0.0, 1.0, 0.0, 1.0, 0.0]
    )
    series = read_series(path, "signal")
    assert series.mid_price.tolist() == [10.0, 0.0, 10.0, 10.5, 11.0]
    told = settings(compat="v2", warmup_bins=0, cooldown_bins=[1], tp_ticks=[2], sl_ticks=[2])
    evaluate_series(series, "signal", (0.5,), 0.25, told, tmp_path / "out")
    [row] = pq.read_table(tmp_path / "out" / "trades.parquet").to_pylist()
    assert (row["bin_idx"], row["outcome"], row["outcome_price"]) == (3, "tp", 11.0)
