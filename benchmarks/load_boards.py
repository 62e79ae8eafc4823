"""A million indexed lines of campaigns' leaderboards, and a million runs of book signals.

What a person or a sensor asks of them: the best lines of a campaign that has a hundred leaderboards
of a thousand lines each, all lines of an ordinary one, the best runs in every order. Parity before
any clock: the answers are worked out here from the numbers as they were drawn, and the plan of
every query that is timed must go by an index.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, event, insert, text

from benchmarks.load_timing import spent
from contracts.campaign import CampaignSpec, campaign_from
from contracts.digest import document_digest
from islandflow_resources import signal_runs
from islandflow_resources.campaign_names import CampaignNames
from islandflow_resources.campaign_reports import INDEXED, LEADERBOARD_TABLE, VERSION, indexed
from islandflow_resources.campaigns import AnyCampaign
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact, Base, CampaignCandidate, SignalRun, utc_now
from tests.islandflow_resources.campaigning import document

TOP = 10
BOARDS_OF_THE_LARGEST = 100
DATASETS = 200
SIGNALS = 20
WANTED = "200 ms"
_BATCH = 10_000


class Named(CampaignNames):
    """A campaign as far as its index asks for it."""

    def __init__(self, spec: CampaignSpec) -> None:
        self.spec = spec


@dataclass(frozen=True)
class Board:
    """One leaderboard, by its number among all."""

    campaign: AnyCampaign
    number: int
    campaign_hash: str
    digest: str

    def set_id(self, rank: int) -> str:
        """Parameter set of a rank."""
        return f"{self.number}-{rank}"


def rows(where: str, database: Database, lines: int) -> list[list[str]]:
    """Lines of the table, after filling as many rows into both indexes."""
    return _boards(where, database, lines) + _runs(where, database, lines)


def _boards(where: str, database: Database, lines: int) -> list[list[str]]:
    boards = max(2, lines // INDEXED)
    largest = max(1, boards * BOARDS_OF_THE_LARGEST // 1_000)
    made = _made_boards(boards, largest)
    filling = spent(lambda: _fill_boards(database, made), runs=1, warm=0)
    analyse(database, CampaignCandidate)
    newest, small = made[largest - 1], made[-1]

    def best(board: Board, top: int | None) -> list[CampaignCandidate]:
        return indexed(database, board.campaign, top)

    lines_, is_tiny = boards * INDEXED, lines < 100_000
    out: list[list[str]] = []
    for board, top, said in (
        (newest, TOP, f"best {TOP} of a campaign with {largest * INDEXED:,}"),
        (small, TOP, f"best {TOP} of a campaign with {INDEXED:,}"),
        (small, None, f"all of a campaign with {INDEXED:,}"),
    ):
        wanted = [board.set_id(rank) for rank in range(1, (top or INDEXED) + 1)]
        _same([str(row.metrics["set_id"]) for row in best(board, top)], wanted, said)
        _check_plans(database, lambda b=board, t=top: best(b, t), "campaign_candidates", is_tiny)
        timed = spent(lambda b=board, t=top: best(b, t), runs=21)
        out.append(timed.line_ms(f"{where}: {said} lines, of {lines_:,}", WANTED))
    return [*out, filling.line(f"{where}: recording {lines_:,} lines of leaderboards", "")]


def _made_boards(boards: int, largest: int) -> list[Board]:
    """The first ones are all of one campaign, the others of one each."""
    campaigns = [
        cast(AnyCampaign, Named(campaign_from(document(promotion=None, id=f"load{number}"))))
        for number in range(boards - largest + 1)
    ]
    hashes = [one.spec.campaign_hash for one in campaigns]
    own = [max(0, number - largest + 1) for number in range(boards)]
    return [
        Board(campaigns[place], number, hashes[place], document_digest({"board": number}))
        for number, place in enumerate(own)
    ]


def _fill_boards(database: Database, boards: Sequence[Board]) -> None:
    begun = utc_now()
    database.record(
        [
            Artefact(
                recipe_digest=document_digest({"recipe of board": board.number}),
                what=LEADERBOARD_TABLE,
                scenario_key=board.campaign.key,
                version=VERSION,
                content_digest=board.digest,
                object_key=f"{board.campaign.folder}/{LEADERBOARD_TABLE}/{board.number}.parquet",
                rows=INDEXED,
                recipe={},
                created_at=begun + timedelta(microseconds=board.number),
            )
            for board in boards
        ]
    )
    metrics = {"pooled_sharpe": 0.123456789, "worst_max_drawdown": -0.2, "trades": 120}
    bulk(
        database,
        CampaignCandidate,
        (
            {
                "candidate_key": document_digest(
                    [board.campaign_hash, board.digest, str(rank), set_id]
                ),
                "campaign_hash": board.campaign_hash,
                "rank": rank,
                "strategy_id": "crossover",
                "strategy_hash": board.digest,
                "params": {"fast": rank, "slow": 200},
                "trials": 4,
                "objective": "sharpe",
                "score": 1.0 / rank,
                "metrics": metrics | {"set_id": set_id},
            }
            for board in boards
            for rank in range(1, INDEXED + 1)
            for set_id in [board.set_id(rank)]
        ),
    )


def _runs(where: str, database: Database, runs: int) -> list[list[str]]:
    draw = np.random.Generator(np.random.Philox(10))
    drawn = {name: draw.random(runs) for name in signal_runs.SORTS}
    # Rates of few signals are often equal, and every tenth run has none.
    drawn["tp_rate"] = np.round(drawn["tp_rate"], 4)
    for values in drawn.values():
        values[::10] = np.nan
    drawn["n_signals"] = draw.integers(0, 400, runs).astype(np.float64)
    filling = spent(lambda: _fill_runs(database, drawn, runs), runs=1, warm=0)
    analyse(database, SignalRun)
    numbers = np.arange(runs)
    out: list[list[str]] = []
    for sort, signal, dataset, said in (
        *((sort, None, None, f"best 50 by {sort}") for sort in signal_runs.SORTS),
        ("tp_rate", 7, None, "best 50 of a signal"),
        ("tp_rate", None, 150, "best 50 of a dataset"),
        ("mean_pnl_ticks", 7, None, "best 50 of a signal by mean_pnl_ticks"),
        ("tp_rate", 7, 147, "best 50 of a signal and dataset"),
    ):
        chosen = drawn["n_signals"] >= 5
        if signal is not None:
            chosen &= numbers % SIGNALS == signal
        if dataset is not None:
            chosen &= numbers % DATASETS == dataset
        sign = -1.0 if sort in signal_runs.DESCENDING else 1.0
        among = numbers[chosen]
        wanted = among[np.argsort(sign * drawn[sort][among], kind="stable")][:50].tolist()

        def asked(sort: str = sort, s: int | None = signal, d: int | None = dataset) -> list[int]:
            found = signal_runs.query_runs(
                database, s if s is None else _signal(s), d if d is None else _dataset(d), sort
            )
            return [int(row.run_id, 16) for row in found]

        _same(asked(), wanted, said)
        _check_plans(database, asked, "signal_runs", runs < 100_000)
        out.append(spent(asked, runs=7).line_ms(f"{where}: {said}, of {runs:,} runs", WANTED))

    def names() -> dict[str, list[str]]:
        return signal_runs.filters(database)

    all_names = {
        "signals": sorted(map(_signal, range(min(runs, SIGNALS)))),
        "datasets": sorted(map(_dataset, range(min(runs, DATASETS)))),
    }
    _same(names(), all_names, "filters")
    out.append(spent(names, runs=7).line_ms(f"{where}: what {runs:,} runs are of", WANTED))
    return [*out, filling.line(f"{where}: recording {runs:,} runs of signals", "")]


def _signal(number: int) -> str:
    return f"signal{number:02d}"


def _dataset(number: int) -> str:
    return f"dataset{number:03d}"


def _fill_runs(database: Database, drawn: dict[str, Any], runs: int) -> None:
    same: dict[str, Any] = {
        "campaign_hash": document_digest({"runs": "load"}),
        "campaign_key": "load-0",
        "experiment": "load",
        "params": {"zscore_window_bins": 20.0, "smoothing_bins": 5.0},
        "tp_ticks": 8,
        "sl_ticks": 4,
        "max_hold_bins": 1_200,
        "warmup_bins": 300,
        "cooldown_bins": 20,
        "threshold": 0.3,
        "object_key": "experiments/load/trials.parquet",
        "content_digest": document_digest({"trials": "load"}),
        "row_count": 1,
        "version": "1",
    }
    columns: dict[str, list[Any]] = {
        name: [None if math.isnan(value) else value for value in values.tolist()]
        for name, values in drawn.items()
    }
    bulk(
        database,
        SignalRun,
        (
            {
                **same,
                "run_id": f"{number:032x}",
                "signal": _signal(number % SIGNALS),
                "dataset_id": _dataset(number % DATASETS),
                "first_row": number,
                **{name: values[number] for name, values in columns.items()},
                "n_signals": int(columns["n_signals"][number]),
            }
            for number in range(runs)
        ),
    )


def bulk(database: Database, model: type[Base], rows_: Iterator[dict[str, Any]]) -> None:
    """Insert through the model's columns, ten thousand rows a transaction."""
    at = utc_now()
    batch: list[dict[str, Any]] = []

    def write() -> None:
        database.write("fill", lambda link: link.execute(insert(model), batch) and None)
        batch.clear()

    for row in rows_:
        batch.append({**row, "created_at": at})
        if len(batch) == _BATCH:
            write()
    if batch:
        write()


def analyse(database: Database, model: type[Base]) -> None:
    """What PostgreSQL does by itself within a minute; SQLite is asked as it is."""

    def ask(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"ANALYZE {model.__tablename__}"))

    database.write("analyse", ask)


def _check_plans(
    database: Database, action: Callable[[], object], table: str, is_tiny: bool
) -> None:
    """Every statement of an action finds its rows of a table by an index."""
    engine = database._engine()  # pyright: ignore[reportPrivateUsage]
    asked: list[tuple[str, Any]] = []

    def note(_link: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    action()
    event.remove(engine, "before_cursor_execute", note)
    is_sqlite = engine.dialect.name == "sqlite"
    for statement, parameters in asked:
        if not statement.startswith("SELECT"):
            continue
        explain = f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}"
        with engine.begin() as link:
            if not is_sqlite:
                # A table of a page or two is read whole, index or not; nothing here is so small.
                link.exec_driver_sql(f"SET LOCAL enable_seqscan = {'off' if is_tiny else 'on'}")
            plan = [str(row[-1]) for row in link.exec_driver_sql(explain, parameters)]
        if any(f"Seq Scan on {table}" in one or _is_scan(one) for one in plan):
            raise AssertionError("\n".join([statement, *plan]))


def _is_scan(step: str) -> bool:
    return step.startswith("SCAN ") and "INDEX" not in step


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {str(found)[:300]} is not {str(wanted)[:300]}")
