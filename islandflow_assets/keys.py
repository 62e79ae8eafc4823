"""Names of assets, checks, groups and resources: each written once, here."""

from __future__ import annotations

from typing import Final

SCENARIO_SPEC: Final = "scenario_spec"
SCENARIO_DATASET: Final = "scenario_dataset"
STRATEGY_SPEC: Final = "strategy_spec"
STRATEGY_IR: Final = "strategy_ir"
SCREENING_RESULT: Final = "screening_result"
BACKTEST_RESULT: Final = "backtest_result"
BACKTEST_SUMMARY: Final = "backtest_summary"
SCREENING_LEADERBOARD: Final = "screening_leaderboard"
LEADERBOARD: Final = "leaderboard"

SCENARIOS: Final = "scenarios"
STRATEGIES: Final = "strategies"
BACKTESTS: Final = "backtests"

SCHEMA_HOLDS: Final = "schema_holds"
GUARDS_HOLD: Final = "guards_hold"
DIGEST_MATCHES: Final = "digest_matches"
ACCOUNT_BALANCES: Final = "account_balances"
NOTHING_MISSING: Final = "nothing_missing"
EVERYTHING_RANKED: Final = "everything_ranked"

STORE: Final = "store"
DATABASE: Final = "database"
ENGINE_RUNTIME: Final = "engine_runtime"
BACKTEST_SETTINGS: Final = "backtest_settings"
