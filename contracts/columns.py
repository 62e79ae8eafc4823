"""Column layouts of every stored table, and of bars from elsewhere: names, types, units, in order.

The types are logical; ``islandflow_resources.tables`` maps them to Arrow and
computes content digests over them. Names carry their unit as a suffix. No column
is nullable unless it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from contracts.backtest import METRICS
from contracts.validation import BLOCKS, MONTE_CARLO_STATISTICS

Kind: TypeAlias = Literal["int64", "int32", "int8", "float64", "bool", "string"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a stored table."""

    name: str
    kind: Kind
    doc: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """Ordered columns of one kind of table, with its format version."""

    name: str
    version: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


BARS = TableSchema(
    "bars",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar, nanoseconds since 1970-01-01 UTC"),
        Column("open_ticks", "int64", "first price"),
        Column("high_ticks", "int64", "highest price"),
        Column("low_ticks", "int64", "lowest price"),
        Column("close_ticks", "int64", "last price"),
        Column("volume_lots", "int64", "traded volume"),
    ),
)

OHLCV = TableSchema(
    "ohlcv",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar, nanoseconds since 1970-01-01 UTC"),
        Column("open", "float64", "first price, quote currency"),
        Column("high", "float64", "highest price, quote currency"),
        Column("low", "float64", "lowest price, quote currency"),
        Column("close", "float64", "last price, quote currency"),
        Column("volume", "float64", "traded volume"),
    ),
)

LABELS = TableSchema(
    "labels",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar, nanoseconds since 1970-01-01 UTC"),
        Column("label", "int8", "hidden label: the regime of the bar, or 1 after a jump"),
    ),
)

EQUITY = TableSchema(
    "equity",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar"),
        Column("equity", "float64", "cash plus position at the close, quote currency"),
        Column("cash", "float64", "cash after the fills of the bar, quote currency"),
        Column("position_qty", "float64", "signed quantity held after the bar"),
    ),
)

TRADES = TableSchema(
    "trades",
    "1",
    (
        Column("ts_ns", "int64", "start of the bar of the fill"),
        Column("bar", "int64", "index of the bar of the fill"),
        Column("side", "int8", "+1 buys, −1 sells"),
        Column("qty", "float64", "quantity filled, positive"),
        Column("price", "float64", "price paid or received, slippage included"),
        Column("fee", "float64", "fee, quote currency"),
        Column("slippage", "float64", "cost against the price before slippage, quote currency"),
        Column("realised_pnl", "float64", "profit realised by this fill before fees"),
        Column("reason", "string", "what decided the fill: rule index or exit"),
    ),
)

SUMMARY = TableSchema(
    "summary",
    "1",
    (
        Column("scenario_key", "string", "scenario, as in the partition key"),
        Column("strategy_id", "string", "strategy"),
        Column("strategy_hash", "string", "digest of the strategy document"),
        Column("seeds", "int64", "number of seeds with a result"),
        Column("median_sharpe", "float64", "median annualised Sharpe ratio", nullable=True),
        Column("median_total_return", "float64", "median return over the whole series"),
        Column("p5_total_return", "float64", "5th percentile of the return over seeds"),
        Column("p95_total_return", "float64", "95th percentile of the return over seeds"),
        Column("median_max_drawdown", "float64", "median of the drawdowns", nullable=True),
        Column("worst_max_drawdown", "float64", "deepest drawdown of any seed", nullable=True),
        Column("mean_trades", "float64", "closed trades per seed"),
        Column("share_profitable", "float64", "share of seeds with a positive return"),
    ),
)

LEADERBOARD = TableSchema(
    "leaderboard",
    "1",
    (
        Column("rank", "int64", "1 is the best: by median Sharpe, then by median return"),
        Column("strategy_id", "string", "strategy"),
        Column("strategy_hash", "string", "digest of the strategy document"),
        Column("results", "int64", "number of results, over scenarios and seeds"),
        Column("scenarios", "int64", "number of scenarios with a result"),
        Column("median_sharpe", "float64", "median annualised Sharpe ratio", nullable=True),
        Column("median_total_return", "float64", "median return over the whole series"),
        Column("p5_total_return", "float64", "5th percentile of the return"),
        Column("worst_max_drawdown", "float64", "deepest drawdown of any", nullable=True),
        Column("mean_trades", "float64", "closed trades per result"),
        Column("share_profitable", "float64", "share of results with a positive return"),
    ),
)

_METRIC_COLUMNS = tuple(
    Column(name, "float64", "metric of the backtest, see docs/backtest.md", nullable=True)
    for name in METRICS
)

TRIALS = TableSchema(
    "trials",
    "1",
    (
        Column("run_id", "string", "identity of the trial: dataset, strategy, set and settings"),
        Column("set_id", "string", "identity of strategy and parameter set"),
        *_METRIC_COLUMNS,
        Column("fills", "int64", "number of fills"),
        Column("rejected_orders", "int64", "orders that would have broken a limit"),
        Column("conflicts", "int64", "bars on which a later rule wanted otherwise"),
        Column("final_equity", "float64", "equity after the last bar, quote currency"),
        Column("final_qty", "float64", "signed quantity held after the last bar"),
        *(Column(f"return_power_{k}", "float64", f"sum of r^{k}", True) for k in range(1, 5)),
        *(Column(f"block_sum_{b:02}", "float64", "sum of r", True) for b in range(BLOCKS)),
        *(Column(f"block_squares_{b:02}", "float64", "sum of r^2", True) for b in range(BLOCKS)),
    ),
)
"""r is the return of a bar; blocks are those of docs/validation.md, Moments of a trial."""

EVIDENCE = TableSchema(
    "evidence",
    "1",
    (
        Column("scenario_key", "string", "scenario, as in the partition key"),
        Column("seed", "int64", "root seed of the dataset"),
        Column("dataset_digest", "string", "content digest of the bars"),
        *TRIALS.columns[: TRIALS.names.index("return_power_1")],
    ),
)
"""The trials of one candidate, a row for each dataset: what running it again must give."""

TRIAL_CHUNKS = TableSchema(
    "trial_chunks",
    "1",
    (
        Column("scenario_key", "string", "scenario, as in the partition key"),
        Column("seed", "int64", "root seed of the dataset"),
        Column("strategy_id", "string", "strategy"),
        Column("first_candidate", "int64", "candidate of the first row"),
        Column("trials", "int64", "rows of the chunk"),
        Column("dataset_digest", "string", "content digest of the bars"),
        Column("recipe_digest", "string", "what the chunk was made from"),
        Column("content_digest", "string", "what the chunk says"),
        Column("object_key", "string", "where it lies"),
    ),
)

_CANDIDATE_COLUMNS = (
    Column("candidate", "int64", "number of the candidate within the campaign"),
    Column("strategy_id", "string", "strategy"),
    Column("strategy_hash", "string", "digest of the strategy document"),
    Column("set_id", "string", "identity of strategy and parameter set"),
    Column("params", "string", "parameters as canonical JSON"),
)

_STANDING_COLUMNS = (
    Column("score", "float64", "median of the objective over the datasets", nullable=True),
    Column("datasets", "int64", "number of datasets"),
    Column("defined", "int64", "datasets on which the objective is defined"),
    Column("pooled_sharpe", "float64", "Sharpe ratio per bar of all returns", nullable=True),
    Column("median_sharpe", "float64", "median annualised Sharpe ratio", nullable=True),
    Column("median_total_return", "float64", "median return", nullable=True),
    Column("p5_total_return", "float64", "5th percentile of the return", nullable=True),
    Column("worst_max_drawdown", "float64", "deepest drawdown of any", nullable=True),
    Column("trades", "int64", "closed trades over all datasets"),
    Column("share_profitable", "float64", "share of datasets with a positive return"),
)

CANDIDATES = TableSchema(
    "candidates",
    "1",
    (
        *_CANDIDATE_COLUMNS,
        *_STANDING_COLUMNS,
        Column("bars", "int64", "returns over all datasets"),
        *(Column(f"return_power_{k}", "float64", f"sum of r^{k}", True) for k in range(1, 5)),
        *(Column(f"block_bars_{b:02}", "int64", "returns in the sums") for b in range(BLOCKS)),
        *(Column(f"block_sum_{b:02}", "float64", "sum of r", True) for b in range(BLOCKS)),
        *(Column(f"block_squares_{b:02}", "float64", "sum of r^2", True) for b in range(BLOCKS)),
    ),
)

CAMPAIGN_LEADERBOARD = TableSchema(
    "campaign_leaderboard",
    "1",
    (
        Column("rank", "int64", "1 is the best: by score, then by Sharpe ratio of all returns"),
        *_CANDIDATE_COLUMNS,
        *_STANDING_COLUMNS,
    ),
)

MONTE_CARLO = TableSchema(
    "monte_carlo",
    "1",
    (
        Column("scenario_key", "string", "scenario, as in the partition key"),
        Column("seed", "int64", "root seed of the dataset"),
        Column("strategy_id", "string", "strategy"),
        Column("set_id", "string", "identity of strategy and parameter set"),
        Column("params", "string", "parameters as canonical JSON"),
        *(
            Column(name, "float64", "over the paths, see docs/validation.md", nullable=True)
            for name in MONTE_CARLO_STATISTICS
        ),
        Column("paths", "int64", "number of paths"),
        Column("converged", "bool", "whether the precision asked for was reached"),
    ),
)

WALK_FORWARD = TableSchema(
    "walk_forward",
    "1",
    (
        Column("scenario_key", "string", "scenario, as in the partition key"),
        Column("seed", "int64", "root seed of the dataset"),
        Column("strategy_id", "string", "strategy"),
        Column("fold", "int64", "number of the fold, from 0"),
        Column("train_start", "int64", "first bar of the training part"),
        Column("train_stop", "int64", "bar behind the training part"),
        Column("test_start", "int64", "first bar of the test"),
        Column("test_stop", "int64", "bar behind the test"),
        Column("sets", "int64", "parameter sets to choose from"),
        Column("params", "string", "the set chosen in training, as canonical JSON"),
        Column("train_objective", "float64", "objective in training", nullable=True),
        Column("test_objective", "float64", "objective in the test", nullable=True),
    ),
)

MBO_EVENTS = TableSchema(
    "mbo_events",
    "1",
    (
        Column("ts_ns", "int64", "time of the exchange, nanoseconds since 1970-01-01 UTC"),
        Column("action", "string", "A add, C cancel, M modify, F fill, T trade, R clear, N none"),
        Column("side", "string", "B bid, A ask, N neither"),
        Column("order_id", "int64", "id of the order, the bits of an unsigned number"),
        Column("price_int", "int64", "price, 1e-9 of the quote currency"),
        Column("size", "int64", "lots"),
        Column("flags", "int32", "bit 32: of a snapshot, bit 128: last of its event"),
        Column("sequence", "int64", "number of the feed's message, 0 if there is none"),
    ),
)

_FORCES = ("add", "pull", "fill", "rest_depth", "bid_depth", "ask_depth")
_ORDERS = {"v": "velocity, lots/s", "a": "acceleration, lots/s²", "j": "jerk, lots/s³"}

GRID_BINS = TableSchema(
    "grid_bins",
    "1",
    (
        Column("ts_ns", "int64", "end of the bin, nanoseconds since 1970-01-01 UTC"),
        Column("bin_seq", "int64", "number of the bin, from 0"),
        Column("bin_start_ns", "int64", "start of the bin"),
        Column("bin_end_ns", "int64", "end of the bin"),
        Column("bin_event_count", "int64", "events in the bin"),
        Column("event_id", "int64", "events taken so far, those that warmed up included"),
        Column("spot_ref_price_int", "int64", "middle of the best prices on a tick, 0 for none"),
        Column("mid_price", "float64", "middle of the best prices, quote currency, 0 for none"),
        Column("best_bid_price_int", "int64", "best bid, 1e-9 of the quote currency, 0 for none"),
        Column("best_ask_price_int", "int64", "best ask, 1e-9 of the quote currency, 0 for none"),
        Column("book_valid", "bool", "whether the book is known"),
        Column("best_ask_move_ticks", "int64", "move of the best ask since the bin before"),
        Column("best_bid_move_ticks", "int64", "move of the best bid since the bin before"),
        Column("ask_reprice_sign", "int64", "sign of the ask's move"),
        Column("bid_reprice_sign", "int64", "sign of the bid's move"),
        Column("microstate_id", "int64", "0 … 8, both signs in one; 4: nothing moved"),
        Column("chase_up_flag", "int64", "1 if both moved up"),
        Column("chase_down_flag", "int64", "1 if both moved down"),
        Column("state_model_name", "string", "derivative"),
        Column("state_model_score", "float64", "score of the state model, −1 … 1"),
        Column("state_model_ready", "bool", "whether its windows hold enough bins"),
        Column("state_model_sample_count", "int64", "bins so far"),
        Column("state_model_base", "float64", "bull less bear, damped by mixed"),
        *(Column(f"state_model_d{i}", "float64", f"difference {i} of base") for i in (1, 2, 3)),
        *(Column(f"state_model_z{i}", "float64", f"robust z of d{i}") for i in (1, 2, 3)),
        Column("state_model_bull_intensity", "float64", "weight of bullish rows"),
        Column("state_model_bear_intensity", "float64", "weight of bearish rows"),
        Column("state_model_mixed_intensity", "float64", "weight of mixed rows"),
        Column("state_model_dominant_state5_code", "int64", "code with the largest weight"),
        Column("anchor_tick_idx", "int64", "anchor of the lattice in ticks, −1 for none"),
        Column("order_count", "int64", "live orders"),
    ),
)

GRID_ROWS = TableSchema(
    "grid_rows",
    "1",
    (
        Column("bin_seq", "int32", "number of the bin, from 0"),
        Column("k", "int32", "ticks from the spot"),
        Column("pressure_variant", "float64", "pressure, lots/s"),
        Column("vacuum_variant", "float64", "vacuum, lots/s"),
        *(Column(f"{name}_mass", "float64", "decayed lots") for name in ("add", "pull", "fill")),
        *(Column(f"{name}_depth", "float64", "resting lots") for name in ("rest", "bid", "ask")),
        *(
            Column(f"{letter}_{name}", "float64", doc)
            for letter, doc in _ORDERS.items()
            for name in _FORCES
        ),
        Column("composite", "float64", "pressure less vacuum over their sum, rolled up"),
        *(Column(f"composite_d{i}", "float64", f"its difference {i}, 1/s^{i}") for i in (1, 2, 3)),
        Column("flow_score", "float64", "flow score, −1 … 1"),
        Column("flow_state_code", "int8", "−1 vacuum, 0 neutral, 1 pressure"),
        Column("best_ask_move_ticks", "int32", "as in the bin"),
        Column("best_bid_move_ticks", "int32", "as in the bin"),
        Column("ask_reprice_sign", "int8", "as in the bin"),
        Column("bid_reprice_sign", "int8", "as in the bin"),
        Column("microstate_id", "int8", "as in the bin"),
        Column("state5_code", "int8", "−2 bear vacuum … 2 bull vacuum"),
        Column("chase_up_flag", "int8", "as in the bin"),
        Column("chase_down_flag", "int8", "as in the bin"),
        Column("last_event_id", "int64", "last event that touched the slot"),
    ),
)

SCHEMAS = (
    BARS,
    LABELS,
    EQUITY,
    TRADES,
    SUMMARY,
    LEADERBOARD,
    OHLCV,
    TRIALS,
    EVIDENCE,
    TRIAL_CHUNKS,
    CANDIDATES,
    CAMPAIGN_LEADERBOARD,
    MONTE_CARLO,
    WALK_FORWARD,
    MBO_EVENTS,
    GRID_BINS,
    GRID_ROWS,
)
