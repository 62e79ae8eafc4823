"""The layouts of stored tables: a snapshot, and the rules of their names."""

import pytest

from contracts.columns import (
    BARS,
    CAMPAIGN_LEADERBOARD,
    CANDIDATES,
    EQUITY,
    EVIDENCE,
    GRID_BINS,
    GRID_ROWS,
    LABELS,
    LEADERBOARD,
    MBO_EVENTS,
    MONTE_CARLO,
    OHLCV,
    SCHEMAS,
    SUMMARY,
    TRADES,
    TRIAL_CHUNKS,
    TRIALS,
    WALK_FORWARD,
)  # fmt: skip
from contracts.signal_columns import SIGNAL_SCHEMAS

SERIES = (BARS, OHLCV, LABELS, EQUITY, TRADES, MBO_EVENTS, GRID_BINS)
OF_CAMPAIGNS = (
    TRIALS, TRIAL_CHUNKS, CANDIDATES, CAMPAIGN_LEADERBOARD, MONTE_CARLO, WALK_FORWARD, EVIDENCE,
)  # fmt: skip

METRICS = (
    "total_return:float64? annual_return:float64? volatility:float64? sharpe:float64? "
    "sortino:float64? gain_loss_sortino:float64? max_drawdown:float64? calmar:float64? "
    "win_rate:float64? profit_factor:float64? exposure:float64? turnover:float64? "
    "trades:float64? daily_return_p5:float64? worst_1pct_mean:float64? recovery_bars:float64?"
)
RESULT = "fills:int64 rejected_orders:int64 conflicts:int64 final_equity:float64 final_qty:float64"
CANDIDATE = (
    "candidate:int64 strategy_id:string strategy_hash:string set_id:string params:string "
    "score:float64? datasets:int64 defined:int64 pooled_sharpe:float64? "
    "median_sharpe:float64? median_total_return:float64? p5_total_return:float64? "
    "worst_max_drawdown:float64? trades:int64 share_profitable:float64"
)
POWERS = " ".join(f"return_power_{power}:float64?" for power in range(1, 5))
SUMS = " ".join(f"block_sum_{block:02}:float64?" for block in range(16))
SQUARES = " ".join(f"block_squares_{block:02}:float64?" for block in range(16))
COUNTS = " ".join(f"block_bars_{block:02}:int64" for block in range(16))
SIGNAL_FIGURES = (
    "n_signals:int64 n_up:int64 n_down:int64 tp_rate:float64? sl_rate:float64? "
    "timeout_rate:float64? events_per_hour:float64 median_time_to_outcome_ms:float64? "
    "mean_pnl_ticks:float64? ci_low:float64? ci_high:float64? total_pnl_ticks:float64 "
    "mean_cost_ticks:float64? unpriced:int64"
)
SIGNAL_RULE = "tp_ticks:int64 sl_ticks:int64 cooldown_bins:int64 threshold:float64"
SIGNAL_TRIAL = (
    f"run_id:string set_id:string params:string {SIGNAL_RULE} {SIGNAL_FIGURES} "
    "sharpe:float64? max_drawdown:float64"
)
SERIES_RULE = (
    "tp_ticks:int64 sl_ticks:int64 max_hold_bins:int64 warmup_bins:int64 cooldown_bins:int64 "
    "threshold:float64"
)
LAYOUTS = {
    "signal_trials 1": f"{SIGNAL_TRIAL} {POWERS} {SUMS} {SQUARES}",
    "signal_evidence 1": f"dataset_id:string dataset_digest:string {SIGNAL_TRIAL}",
    "signal_summary 1": (
        f"{SERIES_RULE} {SIGNAL_FIGURES}".replace(
            "n_up:int64 n_down:int64", "n_up:int64? n_down:int64?"
        )
    ),
    "signal_trades 1": (
        f"{SERIES_RULE} bin_idx:int64 direction:string entry_price:float64 outcome:string "
        "outcome_price:float64 time_to_outcome_ms:float64 pnl_ticks:float64 cost_ticks:float64"
    ),
    "signal_series 1": "ts_ns:int64 mid_price:float64",
    "bars 1": "ts_ns:int64 open_ticks:int64 high_ticks:int64 low_ticks:int64 close_ticks:int64 "
    "volume_lots:int64",
    "ohlcv 1": "ts_ns:int64 open:float64 high:float64 low:float64 close:float64 volume:float64",
    "labels 1": "ts_ns:int64 label:int8",
    "equity 1": "ts_ns:int64 equity:float64 cash:float64 position_qty:float64",
    "trades 1": "ts_ns:int64 bar:int64 side:int8 qty:float64 price:float64 fee:float64 "
    "slippage:float64 realised_pnl:float64 reason:string",
    "summary 1": "scenario_key:string strategy_id:string strategy_hash:string seeds:int64 "
    "median_sharpe:float64? median_total_return:float64 p5_total_return:float64 "
    "p95_total_return:float64 median_max_drawdown:float64? worst_max_drawdown:float64? "
    "mean_trades:float64 share_profitable:float64",
    "leaderboard 1": "rank:int64 strategy_id:string strategy_hash:string results:int64 "
    "scenarios:int64 median_sharpe:float64? median_total_return:float64 "
    "p5_total_return:float64 worst_max_drawdown:float64? mean_trades:float64 "
    "share_profitable:float64",
    "trials 1": f"run_id:string set_id:string {METRICS} {RESULT} {POWERS} {SUMS} {SQUARES}",
    "evidence 1": "scenario_key:string seed:int64 dataset_digest:string run_id:string "
    f"set_id:string {METRICS} {RESULT}",
    "trial_chunks 1": "scenario_key:string seed:int64 strategy_id:string "
    "first_candidate:int64 trials:int64 dataset_digest:string "
    "recipe_digest:string content_digest:string object_key:string",
    "candidates 1": f"{CANDIDATE} bars:int64 {POWERS} {COUNTS} {SUMS} {SQUARES}",
    "campaign_leaderboard 1": f"rank:int64 {CANDIDATE}",
    "monte_carlo 1": "scenario_key:string seed:int64 strategy_id:string set_id:string "
    "params:string sharpe_p5:float64? sharpe_p50:float64? "
    "sharpe_p95:float64? max_drawdown_p95:float64? "
    "profit_factor_p5:float64? total_return_p5:float64? "
    "total_return_p50:float64? probability_of_loss:float64? "
    "probability_of_ruin:float64? paths:int64 converged:bool",
    "walk_forward 1": "scenario_key:string seed:int64 strategy_id:string fold:int64 "
    "train_start:int64 train_stop:int64 test_start:int64 test_stop:int64 "
    "sets:int64 params:string train_objective:float64? "
    "test_objective:float64?",
    "mbo_events 1": (
        "ts_ns:int64 action:string side:string order_id:int64 price_int:int64 size:int64 "
        "flags:int32 sequence:int64"
    ),
    "grid_bins 1": (
        "ts_ns:int64 bin_seq:int64 bin_start_ns:int64 bin_end_ns:int64 bin_event_count:int64 "
        "event_id:int64 spot_ref_price_int:int64 mid_price:float64 best_bid_price_int:int64 "
        "best_ask_price_int:int64 book_valid:bool best_ask_move_ticks:int64 "
        "best_bid_move_ticks:int64 ask_reprice_sign:int64 bid_reprice_sign:int64 "
        "microstate_id:int64 chase_up_flag:int64 chase_down_flag:int64 state_model_name:string "
        "state_model_score:float64 state_model_ready:bool state_model_sample_count:int64 "
        "state_model_base:float64 state_model_d1:float64 state_model_d2:float64 "
        "state_model_d3:float64 state_model_z1:float64 state_model_z2:float64 "
        "state_model_z3:float64 state_model_bull_intensity:float64 "
        "state_model_bear_intensity:float64 state_model_mixed_intensity:float64 "
        "state_model_dominant_state5_code:int64 anchor_tick_idx:int64 order_count:int64"
    ),
    "grid_rows 1": (
        "bin_seq:int32 k:int32 pressure_variant:float64 vacuum_variant:float64 add_mass:float64 "
        "pull_mass:float64 fill_mass:float64 rest_depth:float64 bid_depth:float64 "
        "ask_depth:float64 v_add:float64 v_pull:float64 v_fill:float64 v_rest_depth:float64 "
        "v_bid_depth:float64 v_ask_depth:float64 a_add:float64 a_pull:float64 a_fill:float64 "
        "a_rest_depth:float64 a_bid_depth:float64 a_ask_depth:float64 j_add:float64 "
        "j_pull:float64 j_fill:float64 j_rest_depth:float64 j_bid_depth:float64 "
        "j_ask_depth:float64 composite:float64 composite_d1:float64 composite_d2:float64 "
        "composite_d3:float64 flow_score:float64 flow_state_code:int8 best_ask_move_ticks:int32 "
        "best_bid_move_ticks:int32 ask_reprice_sign:int8 bid_reprice_sign:int8 "
        "microstate_id:int8 state5_code:int8 chase_up_flag:int8 chase_down_flag:int8 "
        "last_event_id:int64"
    ),
}


def test_a_layout_changes_only_with_its_version():
    written = {
        f"{schema.name} {schema.version}": " ".join(
            f"{c.name}:{c.kind}{'?' * c.nullable}" for c in schema.columns
        )
        for schema in (*SCHEMAS, *SIGNAL_SCHEMAS)
    }
    assert written == LAYOUTS


def test_every_table_is_listed_once():
    assert set(SCHEMAS) == {*SERIES, SUMMARY, LEADERBOARD, *OF_CAMPAIGNS, GRID_ROWS}
    every = (*SCHEMAS, *SIGNAL_SCHEMAS)
    assert len({schema.name for schema in every}) == len(every)


@pytest.mark.parametrize("schema", [*SCHEMAS, *SIGNAL_SCHEMAS], ids=lambda schema: schema.name)
def test_columns_are_named_once_and_described(schema):
    assert len(set(schema.names)) == len(schema.names) == len(schema.columns)
    assert all(column.doc for column in schema.columns)


@pytest.mark.parametrize("schema", SERIES, ids=lambda schema: schema.name)
def test_a_row_of_a_series_begins_with_its_instant_in_nanoseconds(schema):
    assert (schema.columns[0].name, schema.columns[0].kind) == ("ts_ns", "int64")
    assert not any(column.nullable for column in schema.columns)


def test_what_is_counted_in_ticks_lots_or_nanoseconds_is_an_integer():
    units = ("_ns", "_ticks", "_lots")
    counted = [c for schema in SCHEMAS for c in schema.columns if c.name.endswith(units)]
    assert len(counted) == 18
    assert {column.kind for column in counted} == {"int64", "int32"}
