"""Column layouts of what book signals give: trials, evidence, summaries, trades.

What the numbers mean is ``docs/signals.md``; all other tables are ``columns``.
"""

from __future__ import annotations

from typing import Final

from contracts.columns import Column, TableSchema
from contracts.validation import BLOCKS

SIGNAL_TRIALS = TableSchema(
    "signal_trials",
    "1",
    (
        Column("run_id", "string", "identity of the run: dataset, signal, parameters, settings"),
        Column("set_id", "string", "identity of the candidate, whatever the dataset"),
        Column("params", "string", "parameters of the candidate as JSON"),
        Column("tp_ticks", "int64", "take-profit"),
        Column("sl_ticks", "int64", "stop-loss"),
        Column("cooldown_bins", "int64", "bins between entries, at least"),
        Column("threshold", "float64", "value from which the signal enters"),
        Column("n_signals", "int64", "trades"),
        Column("n_up", "int64", "trades that bought"),
        Column("n_down", "int64", "trades that sold"),
        Column("tp_rate", "float64", "share that took its profit", nullable=True),
        Column("sl_rate", "float64", "share that was stopped", nullable=True),
        Column("timeout_rate", "float64", "share that was held to the end", nullable=True),
        Column("events_per_hour", "float64", "trades an hour of the whole dataset"),
        Column("median_time_to_outcome_ms", "float64", "of those that met a barrier", True),
        Column("mean_pnl_ticks", "float64", "mean profit after costs", nullable=True),
        Column("ci_low", "float64", "95 % confidence interval of that mean, from", nullable=True),
        Column("ci_high", "float64", "95 % confidence interval of that mean, to", nullable=True),
        Column("total_pnl_ticks", "float64", "sum of profits"),
        Column("mean_cost_ticks", "float64", "mean costs of a trade", nullable=True),
        Column("unpriced", "int64", "entries that had no price to leave at, left out"),
        Column("sharpe", "float64", "Sharpe ratio a bin", nullable=True),
        Column("max_drawdown", "float64", "of the sum of returns, at most 0"),
        *(Column(f"return_power_{k}", "float64", f"sum of r^{k}", True) for k in range(1, 5)),
        *(Column(f"block_sum_{b:02}", "float64", "sum of r", True) for b in range(BLOCKS)),
        *(Column(f"block_squares_{b:02}", "float64", "sum of r^2", True) for b in range(BLOCKS)),
    ),
)
"""r is profit over capital of the trade that a bin enters; a run is a row for each threshold."""

SIGNAL_EVIDENCE = TableSchema(
    "signal_evidence",
    "1",
    (
        Column("dataset_id", "string", "grid dataset"),
        Column("dataset_digest", "string", "content digest of its tables"),
        *SIGNAL_TRIALS.columns[: SIGNAL_TRIALS.names.index("return_power_1")],
    ),
)
"""The trials of one candidate, a row for each dataset: what running it again must give."""

SIGNAL_SUMMARY = TableSchema(
    "signal_summary",
    "1",
    (
        Column("tp_ticks", "int64", "take-profit"),
        Column("sl_ticks", "int64", "stop-loss"),
        Column("max_hold_bins", "int64", "bins after which a trade ends"),
        Column("warmup_bins", "int64", "bins before the first entry"),
        Column("cooldown_bins", "int64", "bins between entries, at least"),
        Column("threshold", "float64", "value from which the signal enters"),
        Column("n_signals", "int64", "trades"),
        Column("n_up", "int64", "trades that bought; null in v1 without trades", nullable=True),
        Column("n_down", "int64", "trades that sold; null in v1 without trades", nullable=True),
        *SIGNAL_TRIALS.columns[
            SIGNAL_TRIALS.names.index("tp_rate") : SIGNAL_TRIALS.names.index("sharpe")
        ],
    ),
)
"""What rules on a series from a file gave, a row each."""

SIGNAL_TRADES = TableSchema(
    "signal_trades",
    "1",
    (
        Column("tp_ticks", "int64", "take-profit"),
        Column("sl_ticks", "int64", "stop-loss"),
        Column("max_hold_bins", "int64", "bins after which a trade ends"),
        Column("warmup_bins", "int64", "bins before the first entry"),
        Column("cooldown_bins", "int64", "bins between entries, at least"),
        Column("threshold", "float64", "value from which the signal enters"),
        Column("bin_idx", "int64", "bin of the entry, counted from the beginning of the series"),
        Column("direction", "string", "up or down"),
        Column("entry_price", "float64", "mid at the entry, quote currency"),
        Column("outcome", "string", "tp, sl or timeout"),
        Column("outcome_price", "float64", "price of the exit, quote currency"),
        Column("time_to_outcome_ms", "float64", "from entry to exit"),
        Column("pnl_ticks", "float64", "profit after costs"),
        Column("cost_ticks", "float64", "costs"),
    ),
)

SIGNAL_SERIES = TableSchema(
    "signal_series",
    "1",
    (
        Column("ts_ns", "int64", "end of the bin, nanoseconds since 1970-01-01 UTC"),
        Column("mid_price", "float64", "mid, quote currency; 0 where there is none"),
    ),
)
"""What a series must have beside the values of its signals, each a float64 column."""

SIGNAL_SCHEMAS: Final = (
    SIGNAL_TRIALS, SIGNAL_EVIDENCE, SIGNAL_SUMMARY, SIGNAL_TRADES, SIGNAL_SERIES,
)  # fmt: skip
