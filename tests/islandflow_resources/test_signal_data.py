"""What signals see of a stored grid: prices, spreads, rows in groups of whole bins."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractError
from engine.signals.registry import STATISTICAL, signal
from islandflow_resources.signal_data import (
    SignalData,
    refuse_other_radius,
    signal_values,
    signal_values_v1,
)
from tests.islandflow_resources.campaigning import Home
from tests.islandflow_resources.experimenting import (
    BINS,
    RADIUS,
    finished_folder,
    grid_columns,
    kept,
    opened,
    oracle_market,
    ready,
)

pytestmark = pytest.mark.xdist_group("books")


@pytest.fixture(scope="module")
def home():
    home = Home.embedded(finished_folder())
    yield home
    home.database.dispose()


@pytest.fixture(scope="module")
def data(home):
    with opened(home, ready(home)) as data:
        yield data


def test_derivative_with_the_parameters_of_the_dataset_is_its_state_model_to_the_bit(home, data):
    """The stored column, not the machine's own."""
    one = signal("derivative")
    params = {each.name: float(getattr(data.runtime, f"state_model_{each.name}"))
              for each in one.parameters}  # fmt: skip
    [values] = signal_values(data, home.runtime, one, [params])
    stored = pq.read_table(data.dataset.folder / "bins.parquet")["state_model_score"].to_numpy()
    assert values.tobytes() == stored.tobytes()
    assert np.count_nonzero(values) > 3


@pytest.mark.parametrize("name", STATISTICAL)
def test_many_sets_at_once_on_some_threads_are_each_as_if_alone(home, data, name):
    one = signal(name)
    first = one.parameters[0]
    other = first.low if first.default == first.high else first.default + 1.0
    sets = [one.bound({}), one.bound({first.name: other}), one.bound({})]
    together = signal_values(data, home.with_runtime(threads=3).runtime, one, sets)
    assert together.shape == (3, BINS[0])
    for row, params in zip(together, sets, strict=True):
        [alone] = signal_values(data, home.with_runtime(threads=1).runtime, one, [params])
        assert row.tobytes() == alone.tobytes()
    beginning = signal_values(data, home.runtime, one, sets, bins=77)
    assert beginning.tobytes() == together[:, :77].tobytes()


def test_groups_are_whole_bins_and_all_of_them(data):
    grid = grid_columns(data)
    at, parts = 0, []
    for place, columns in data.groups(["v_add", "state5_code"]):
        assert place.start == at
        assert columns["v_add"].shape == (place.stop - place.start, 2 * RADIUS + 1)
        at = place.stop
        parts.append(columns)
    assert at == data.bins == BINS[0]
    for name in ("v_add", "state5_code"):
        whole = np.concatenate([one[name] for one in parts])
        assert whole.dtype == np.float64
        assert np.array_equal(whole, grid[name])


def test_the_market_is_that_of_the_bins(data):
    market, wanted = data.market, oracle_market(data)
    assert market.ts_ns.tolist() == wanted.ts_ns
    assert market.tick == wanted.tick == 0.25
    for bin_ in range(data.bins):
        assert market.mid[bin_] == (wanted.mid[bin_] if wanted.priced(bin_) else 0.0)
        assert market.spread_ticks[bin_] == 2 * wanted.half_spread(bin_)
    assert not data.market_v1.spread_ticks.any()
    assert data.market_v1.mid.tolist() == wanted.mid


def test_a_crossed_quote_costs_what_the_last_valid_one_did_and_never_pays(data, tmp_path):
    dataset = kept(data.dataset, tmp_path / "crossed")
    path = dataset.folder / "bins.parquet"
    path.chmod(0o644)
    table = pq.read_table(path)
    tick = data.runtime.tick_int
    bid, ask, valid = (
        table[name].to_numpy().copy()
        for name in ("best_bid_price_int", "best_ask_price_int", "book_valid")
    )
    valid[:] = True
    valid[:3], valid[60:62] = False, False
    ask[:] = bid + 2 * tick
    ask[50], ask[51] = bid[50] - tick, bid[51]
    ask[59] = bid[59] + 5 * tick
    for name, values in (("best_ask_price_int", ask), ("book_valid", valid)):
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values))
    pq.write_table(table, path)
    other = SignalData(dataset)
    market = other.market
    assert market.spread_ticks[:4].tolist() == [0.0, 0.0, 0.0, 2.0]
    assert market.spread_ticks[49:53].tolist() == [2.0, 2.0, 0.0, 2.0]
    assert market.spread_ticks[58:63].tolist() == [2.0, 5.0, 5.0, 5.0, 2.0]
    assert (market.mid[:3] == 0.0).all()
    assert (market.mid[60:62] == 0.0).all()
    assert (other.market_v1.mid[60:62] > 0.0).all()


def test_the_form_of_v1_is_for_its_radius_alone(data):
    with pytest.raises(ContractError) as raised:
        signal_values_v1(data, signal("msd"), [{}])
    assert (raised.value.code, raised.value.loc) == ("EXPERIMENT_V1_RADIUS", "/eval/compat")
    runtime = data.runtime.model_copy(update={"grid_radius_ticks": 50})
    refuse_other_radius(runtime)
