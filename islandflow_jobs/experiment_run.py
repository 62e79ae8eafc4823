"""What the command line does with book signals besides running experiments.

Comparison, lists, online simulation, and values and trades written to files; running and promoting
are ``campaign_run`` and ``serving_run``.
"""

from __future__ import annotations

import json
import math
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contracts.canonical import parse_document
from contracts.document import validate
from contracts.errors import ContractError, NotFoundError
from contracts.experiment import EVAL, EvalSettings
from contracts.grid import Compat
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.signal_data import SignalData

_COMPATS: Final[dict[str, Compat]] = {"v1": "v1", "v2": "v2"}
_SHARES: Final = (50.0, 95.0, 99.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs are compared, and how they are sorted."""

    signal: str | None
    dataset_id: str | None
    sort: str
    min_signals: int
    top: int


@dataclass(frozen=True, slots=True)
class Series:
    """Which values are written: of which dataset, by which signal, in which form."""

    dataset: str
    signal: str
    params: dict[str, float]
    compat: Compat


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A series of values from a file, and how it is traded."""

    file: Path
    column: str
    mode: str
    thresholds: tuple[float, ...]
    tick_size: float
    settings: EvalSettings


def parse_params(text: str) -> dict[str, float]:
    """Parameters of a signal from JSON.

    Raises
    ------
    ContractError
        ``SIGNAL_PARAMS_INVALID``.
    """
    document = parse_document(text, "signal params")
    for name, value in document.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            said = f"the parameter {name} is no number"
            hint = 'write one JSON object of numbers, e.g. {"lag_bins": 4}'
            raise ContractError("SIGNAL_PARAMS_INVALID", said, f"/{name}", (hint,))
    return {name: float(value) for name, value in document.items()}  # pyright: ignore[reportArgumentType]


def parse_compat(text: str) -> Compat:
    """The form of results: v1 or v2.

    Raises
    ------
    ContractError
        ``ARGUMENTS_INVALID``.
    """
    if text in _COMPATS:
        return _COMPATS[text]
    said = f"there is no form {text!r} of results"
    raise ContractError("ARGUMENTS_INVALID", said, "--compat", ("write v2 or v1",))


def parse_settings(text: str, compat: str) -> EvalSettings:
    """Settings of an evaluation from JSON; the form of results is told beside them."""
    told = parse_document(text, "eval")
    if "compat" in told:
        hint = "write --compat instead"
        said = "the form of results is told beside the settings"
        raise ContractError("ARGUMENTS_INVALID", said, "--eval-json/compat", (hint,))
    document = {**told, "compat": parse_compat(compat)}
    return validate(EVAL, document, "eval")


def compare(resources: ResourceSet, asked: Asked) -> list[str]:
    """The best runs of all experiments, tab-separated below their names.

    Of a signal's parameters those are shown that differ from its defaults.

    Raises
    ------
    ContractError
        ``ARGUMENTS_INVALID`` for a column that nothing is sorted by.
    """
    from islandflow_resources.signal_runs import SORTS, filters, query_runs

    if asked.sort not in SORTS:
        hint = f"write one of {', '.join(SORTS)}"
        said = f"runs are not sorted by {asked.sort!r}"
        raise ContractError("ARGUMENTS_INVALID", said, "--sort", (hint,))
    resources.engine_runtime.prepare()
    from islandflow_resources.campaign_status import changed_params

    rows = query_runs(
        resources.database,
        asked.signal,
        asked.dataset_id,
        asked.sort,
        asked.min_signals,
        asked.top,
    )
    if not rows:
        return [_no_run(asked, filters(resources.database))]
    names = (
        "run_id", "experiment", "dataset_id", "signal", "tp_ticks", "sl_ticks", "cooldown_bins",
        "threshold", "n_signals", "tp_rate", "mean_pnl_ticks", "events_per_hour",
    )  # fmt: skip
    lines = ["\t".join((*names, "params"))]
    for row in rows:
        told = [_cell(getattr(row, name)) for name in names]
        params = json.dumps(changed_params(row.signal, row.params), sort_keys=True)
        lines.append("\t".join([*told, params]))
    return lines


def list_signals(resources: ResourceSet, name: str) -> list[str]:
    """All signals, a line each; or one with its parameters."""
    resources.engine_runtime.prepare()
    from engine.signals.registry import LEARNT, SIGNALS, signal

    if not name:
        kinds = {name: "learnt" if name in LEARNT else "statistical" for name in SIGNALS}
        return [f"{one.name}\t{kinds[one.name]}\t{one.mode}\t{one.doc}" for one in SIGNALS.values()]
    found = signal(name)
    levels = ", ".join(f"{one:g}" for one in found.thresholds)
    levels = levels or f"by the rule {found.threshold_rule!r} from what is calibrated on"
    lines = [
        f"{found.name}: {found.doc}",
        f"columns {', '.join(found.columns)}; radius at least {found.least_radius}",
        f"mode {found.mode}; thresholds: {levels}",
    ]
    for one in found.parameters:
        kind = "whole number" if one.is_integer else "number"
        bounds = f"{kind} from {one.low:g} to {one.high:g}"
        lines.append(f"  {one.name} = {one.default:g}\t{bounds}\t{one.doc}")
    return lines


def list_datasets(resources: ResourceSet) -> list[str]:
    """Grid datasets that are recorded, with bins, digest and runs."""
    from islandflow_resources.signal_runs import runs_by_dataset

    rows = resources.database.artefacts(what="grid_dataset")
    if not rows:
        return ["there is no grid dataset: islandflow dataset make PIPELINE makes one"]
    runs = runs_by_dataset(resources.database)
    lines = ["dataset_id\tbins\truns\tcontent_digest"]
    for row in rows:
        name = row.scenario_key or ""
        lines.append(f"{name}\t{row.rows}\t{runs.get(name, 0)}\t{row.content_digest}")
    return lines


def online_sim(
    resources: ResourceSet,
    name: str,
    dataset_id: str,
    params: dict[str, float],
    budget_ms: float,
) -> list[str]:
    """Push a dataset bin by bin; times of the update and of the comparison, measured per bin."""
    resources.engine_runtime.prepare()
    import numpy as np

    from engine.signals.api import LiveSignal, stacked
    from engine.signals.registry import signal
    from islandflow_resources.signal_data import signal_values

    signal(name).bound(params)  # before the dataset is read, which takes longer
    with tempfile.TemporaryDirectory(prefix="islandflow-sim-") as folder:
        data = _opened(resources, dataset_id, Path(folder))
        own = data.runtime
        live = LiveSignal(name, params, own.grid_radius_ticks, own.cell_width_ms, own.tick_size)
        threshold = next(iter(live.signal.thresholds), 0.0)
        # The first call compiles or loads the kernel, which a live process does before it starts.
        signal_values(data, resources.engine_runtime, signal(name), [live.params], bins=2)
        took_ns: list[tuple[int, int]] = []
        entered, market = 0, data.market
        for place, columns in data.groups(live.signal.columns):
            fields = stacked(live.signal, columns)
            for row in range(fields.shape[1]):
                bin_ = place.start + row
                one, at = fields[:, row : row + 1], slice(bin_, bin_ + 1)
                start = time.perf_counter_ns()
                value = live.push_stacked(one, market.mid[at], market.ts_ns[at])[0]
                updated = time.perf_counter_ns()
                entered += abs(value) >= threshold
                took_ns.append((updated - start, time.perf_counter_ns() - updated))
    times = np.array(took_ns, dtype=np.float64) / 1e3
    budget_us = (budget_ms or float(own.cell_width_ms)) * 1e3
    beyond = f", {entered} at or beyond {threshold:g}" if live.signal.thresholds else ""
    lines = [f"{name} on {dataset_id}: {len(took_ns)} bins{beyond}"]
    for what, values in (
        ("update", times[:, 0]),
        ("threshold", times[:, 1]),
        ("total", times.sum(axis=1)),
    ):
        shown = [f"p{share:g} {np.percentile(values, share):.1f} us" for share in _SHARES]
        lines.append(f"{what}: {', '.join(shown)}, max {values.max():.1f} us")
    p99 = float(np.percentile(times.sum(axis=1), 99))
    refits = live.refits
    lines.append(f"p99 is {p99 / budget_us:.3%} of a budget of {budget_us / 1e3:g} ms a bin")
    if refits is not None:
        lines.append(f"{refits} fits")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*lines, f"peak memory of the process {peak_mb:.0f} MB"]


def write_signals(resources: ResourceSet, wanted: Series, out: Path) -> list[str]:
    """Write the values of signals on every bin of a dataset, a column each."""
    resources.engine_runtime.prepare()
    import pyarrow as pa
    import pyarrow.parquet as pq

    from engine.signals.registry import STATISTICAL, signal
    from islandflow_resources.new_files import new_file
    from islandflow_resources.signal_data import signal_values, signal_values_v1

    if wanted.params and not wanted.signal:
        hint = "add --signal NAME"
        said = "parameters are those of one signal"
        raise ContractError("ARGUMENTS_INVALID", said, "--signal-params-json", (hint,))
    signals = [signal(wanted.signal)] if wanted.signal else list(STATISTICAL.values())
    for one in signals:
        one.bound(wanted.params)
    with tempfile.TemporaryDirectory(prefix="islandflow-signals-") as folder:
        data = _opened(resources, wanted.dataset, Path(folder))
        market = data.market if wanted.compat == "v2" else data.market_v1
        columns: dict[str, Any] = {
            "bin_seq": pa.array(range(data.bins), pa.int64()),
            "ts_ns": pa.array(market.ts_ns),
            "mid_price": pa.array(market.mid),
        }
        for one in signals:
            if wanted.compat == "v1":
                # The predecessor's defaults differ: what is not given is filled in there.
                values = signal_values_v1(data, one, [wanted.params])
            else:
                sets = [one.bound(wanted.params)]
                values = signal_values(data, resources.engine_runtime, one, sets)
            columns[one.name] = pa.array(values[0])
    with new_file(out) as path:
        pq.write_table(pa.table(columns), path)
    return [f"{out}: {data.bins} bins of {', '.join(one.name for one in signals)}"]


def evaluate(resources: ResourceSet, request: Evaluation, out: Path) -> list[str]:
    """Trade a series of values: a summary for every rule, and all trades.

    Raises
    ------
    ContractError
        ``SERIES_…`` for a file that is no series; ``ARGUMENTS_INVALID`` for thresholds that
        are none, or are told twice.
    """
    resources.engine_runtime.prepare()
    from islandflow_resources.signal_series import evaluate_series, read_series

    _refuse_two_tellings(request)
    series = read_series(request.file, request.column)
    return evaluate_series(
        series, request.mode, request.thresholds, request.tick_size, request.settings, out
    )


def _opened(resources: ResourceSet, name: str, folder: Path) -> SignalData:
    """A stored dataset by its id, or one in a folder."""
    from islandflow_resources.grid_datasets import WHAT, GridDataset, open_grid
    from islandflow_resources.grid_folder import read_manifest
    from islandflow_resources.signal_data import SignalData

    local = Path(name)
    if "/" in name or local.is_dir():
        return SignalData(GridDataset(local.name, read_manifest(local), local))
    try:
        return SignalData(open_grid(resources.store, resources.database, name, folder))
    except NotFoundError as error:
        # What of a recorded dataset is lost is told as it is.
        if resources.database.artefacts(what=WHAT, scenario_key=name):
            raise
        said = f"no grid dataset {name!r} is recorded"
        hints = ("list them with: islandflow experiment list-datasets",)
        raise NotFoundError("DATASET_NOT_FOUND", said, name, hints) from error


def _no_run(asked: Asked, known: dict[str, list[str]]) -> str:
    """Why nothing is shown, and what would show something."""
    if not known["signals"]:
        return "there are no runs yet: islandflow experiment run FILE makes some"
    for name, said, choices in (
        ("signal", asked.signal, known["signals"]),
        ("dataset", asked.dataset_id, known["datasets"]),
    ):
        if said is not None and said not in choices:
            return f"no run is of the {name} {said!r}; there are runs of {', '.join(choices)}"
    return f"no run has {asked.min_signals} signals or more: ask for fewer with --min-signals"


def _refuse_two_tellings(request: Evaluation) -> None:
    if request.settings.thresholds is not None:
        said = "thresholds are told twice, by --threshold and by --eval-json"
        hint = "leave them out of --eval-json"
        raise ContractError("ARGUMENTS_INVALID", said, "--eval-json/thresholds", (hint,))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.6g}"
    return str(value)
