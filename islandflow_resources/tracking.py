"""Trials told to an MLflow tracking server: each once, and never in the way of a result.

Here is what a trial is called there (`tracked_trial`) and how runs are sent (`track`). What goes
wrong is said in a `TrackingReport`, not raised: results are kept by ``trials`` and ``results``,
whoever else is told of them. Which trials are told is up to the campaign.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from contracts.backtest import BacktestSettings
from contracts.canonical import Document, canonical_json
from contracts.errors import UnavailableError
from islandflow_resources.mlflow_client import (
    TrackedRun,
    TrackingClient,
    client_environment,
    is_transient,
    reason,
    shown,
)
from islandflow_resources.retries import Patience, patiently

SENDERS: Final = 4
CHUNK: Final = 256
PATIENCE: Final = Patience(total_s=10.0, first_s=0.2, longest_s=2.0)
T = TypeVar("T")
_Outcome: TypeAlias = Literal["sent", "known", "failed"]


@dataclass(frozen=True, slots=True)
class TrackingReport:
    """What became of the runs.

    Attributes
    ----------
    sent : int
        Runs that the server has now and had not, or not whole, before.
    failed : int
        Runs that it may not have.
    problem : str or None
        Why some failed, one sentence.
    known : int
        Runs that it had already.
    """

    sent: int
    failed: int
    problem: str | None
    known: int = 0


def experiment_name(campaign: str, experiment: str | None = None) -> str:
    """Experiment of a campaign: the one it names, or ``islandflow/{campaign}``."""
    return experiment or f"islandflow/{campaign}"


def settings_told(settings: BacktestSettings) -> dict[str, str]:
    """What stands in the place of a signal's barriers, which a strategy has not."""
    return {
        "initial_cash": str(settings.initial_cash),
        "bar_delay": str(settings.bar_delay),
        "fee_bps": str(settings.costs.fee_bps),
    }


def tracked_trial(
    *,
    campaign: str,
    config_hash: str,
    local_run_id: str,
    strategy_id: str,
    dataset_id: str,
    params: Mapping[str, float],
    settings: Mapping[str, str],
    metrics: Mapping[str, float | None],
    elapsed_s: float,
    run_name_prefix: str | None = None,
    variant: str = "none",
) -> TrackedRun:
    """Describe one trial in the fields that a tracking server of signals expects.

    Parameters
    ----------
    campaign, config_hash : str
        Id of the campaign and its hash.
    local_run_id : str
        What identifies the trial here; it is sent once for each.
    strategy_id : str
        Becomes ``signal_name``, its parameters ``signal_params_json``.
    dataset_id : str
        Scenario key and seed, ``{scenario_key}|{seed}``.
    settings : mapping of str to str
        Of a signal ``eval_tp_ticks``, ``eval_sl_ticks`` and ``eval_max_hold_bins``; those of a
        strategy are `settings_told`. One trial is one row: ``n_threshold_rows`` is 1.
    metrics : mapping of str to float or None
        Those that are finite are sent as metrics, all of them in ``results_by_threshold.json``.
    elapsed_s : float
        Time that the trial took, ``elapsed_seconds``.
    run_name_prefix : str, optional
        First part of ``{prefix}:{strategy}:{dataset}:{first 8 of the local run id}``; the
        campaign by default.
    variant : str
        ``grid_variant_id``.
    """
    identity = {
        "campaign": campaign,
        "dataset_id": dataset_id,
        "signal_name": strategy_id,
        "grid_variant_id": variant,
    }
    provenance = {**identity, "config_hash": config_hash, "local_run_id": local_run_id}
    bare_id = local_run_id.rpartition(":")[2]
    sent_params = {
        **identity,
        "signal_params_json": canonical_json(dict(params)).decode(),
        **settings,
    }
    finite = {
        name: value for name, value in metrics.items() if value is not None and math.isfinite(value)
    }
    meta: Document = {**provenance, "params": dict(params), "settings": dict(settings)}
    row: Document = {name: finite.get(name) for name in metrics}
    return TrackedRun(
        run_name=f"{run_name_prefix or campaign}:{strategy_id}:{dataset_id}:{bare_id[:8]}",
        tags=provenance,
        params=sent_params,
        metrics={**finite, "elapsed_seconds": elapsed_s, "n_threshold_rows": 1.0},
        artifacts={
            "harness/meta.json": canonical_json(meta),
            "harness/results_by_threshold.json": canonical_json([row]),
        },
    )


def track(
    uri: str,
    experiment: str,
    runs: Iterable[TrackedRun],
    tags: Mapping[str, str],
    patience: Patience = PATIENCE,
) -> TrackingReport:
    """Send runs to a tracking server; those that it has already are left alone.

    A run is known by its tag ``local_run_id``, and by ``config_hash``, which all runs of one call
    share. One that was begun and not finished is finished.

    Parameters
    ----------
    uri : str
        Address of the server, http or https. How to sign in is read by its client, from
        ``MLFLOW_TRACKING_USERNAME`` and its like.
    experiment : str
        Name of the experiment; made if there is none.
    runs : iterable of TrackedRun
    tags : mapping of str to str
        Further tags of every run; a run's own come first.
    patience : Patience
        How long a server that does not answer is asked again before all that is left is given up.

    Returns
    -------
    TrackingReport
        Never an exception for what the server, the network or the client did.
    """
    remaining = iter(runs)
    first = next(remaining, None)
    if first is None:
        return TrackingReport(0, 0, None)
    everything = itertools.chain((first,), remaining)
    with client_environment():
        try:
            client = _patiently(lambda: TrackingClient(uri, experiment, first), uri, patience)
        except Exception as error:
            # Whatever it is, no result depends on it.
            count = sum(1 for _ in everything)
            return TrackingReport(0, count, _sentence(count, count, uri, reason(error, uri)))
        return _Sending(client, uri, dict(tags), patience).all(everything)


class _Sending:
    """Runs on their way, a few at a time, until the server is given up."""

    def __init__(
        self, client: TrackingClient, uri: str, tags: dict[str, str], patience: Patience
    ) -> None:
        self._client, self._uri, self._tags, self._patience = client, uri, tags, patience
        self._is_away = False
        self._reasons: list[str] = []

    def all(self, runs: Iterator[TrackedRun]) -> TrackingReport:
        outcomes: Counter[_Outcome] = Counter()
        with ThreadPoolExecutor(SENDERS, "tracking") as pool:
            while chunk := list(itertools.islice(runs, CHUNK)):
                outcomes.update(pool.map(self._one, chunk))
        sent, known, failed = (outcomes[name] for name in ("sent", "known", "failed"))
        problem = None
        if failed:
            problem = _sentence(failed, sent + known + failed, self._uri, self._reasons[0])
        return TrackingReport(sent, failed, problem, known)

    def _one(self, run: TrackedRun) -> _Outcome:
        if self._is_away:
            return "failed"
        try:
            delivery = self._client.delivery(run, self._tags)
            return "sent" if _patiently(delivery, self._uri, self._patience) else "known"
        except Exception as error:
            self._is_away = self._is_away or isinstance(error, UnavailableError)
            self._reasons.append(reason(error, self._uri))
            return "failed"


def _patiently(action: Callable[[], T], uri: str, patience: Patience) -> T:
    def attempt() -> T:
        try:
            return action()
        except Exception as error:
            if not is_transient(error):
                raise
            # Its text may hold the password of the address, and attempts are logged.
            raise _away(uri, error) from None

    return patiently(
        attempt,
        what=f"telling {shown(uri)}",
        transient=lambda error: isinstance(error, UnavailableError),
        give_up=lambda _, error: _away(uri, error),
        patience=patience,
    )


def _away(uri: str, error: BaseException) -> UnavailableError:
    return UnavailableError("TRACKING_UNAVAILABLE", reason(error, uri), shown(uri))


def _sentence(failed: int, count: int, uri: str, why: str) -> str:
    runs = "1 run was" if failed == 1 else f"{failed} of {count} runs were"
    return f"{runs} not sent to the tracking server {shown(uri)}: {why}"
