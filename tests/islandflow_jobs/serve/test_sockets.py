"""Whole streams over real sockets: equal to the stored dataset, resumed, ended, begun anew."""

import numpy as np
import pyarrow as pa
import pytest

from islandflow_resources.grid_datasets import iter_rows, read_bins
from tests.islandflow_jobs.serve.published import ALIAS
from tests.islandflow_jobs.serve.served import take

QUERY = f"?serving={ALIAS}"


def bits(column):
    """A column as whole numbers: equal only to the bit."""
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    return values.view(np.int64) if values.dtype == np.float64 else values


@pytest.fixture(scope="module")
def whole(server):
    return take(server, QUERY)


def test_a_whole_stream_has_the_rows_of_the_stored_dataset_to_the_bit(whole, home):
    sent = pa.Table.from_batches(whole.rows)
    stored = pa.concat_tables(iter_rows(home.dataset))
    assert len(whole.rows) == home.dataset.bins
    names = [name for name in stored.column_names if name != "bin_seq"]
    assert sent.column_names[: len(names)] == names == whole.config["grid_schema_fields"]
    for name in names:
        assert sent.schema.field(name).type == stored.schema.field(name).type
        assert np.array_equal(bits(sent[name]), bits(stored[name])), name


def test_a_whole_stream_tells_every_bin_of_the_stored_dataset_to_the_bit(whole, home):
    bins = read_bins(home.dataset).to_pylist()
    assert whole.numbers == list(range(len(bins)))
    texts = ("ts_ns", "bin_start_ns", "bin_end_ns", "spot_ref_price_int")
    texts += ("best_bid_price_int", "best_ask_price_int")
    for update, stored in zip(whole.updates, bins, strict=True):
        told = {name: value for name, value in update.items() if name not in ("type", "signal")}
        for name in texts:
            assert told.pop(name) == str(stored[name])
        for name, value in told.items():
            assert value == stored[name], name
            assert (
                np.float64(value).tobytes() == np.float64(stored[name]).tobytes()
                if isinstance(value, float)
                else True
            )


def test_the_signal_of_every_update_is_that_of_its_state_model(whole, home):
    # For equal parameters the signal `derivative` is the state model of the grid.
    scores = read_bins(home.dataset)["state_model_score"].to_pylist()
    assert [update["signal"]["value"] for update in whole.updates] == scores
    assert len({*scores}) > 5
    first = whole.updates[0]["signal"]
    assert (first["name"], first["threshold"]) == ("derivative", 0.3)


def test_the_configuration_says_what_is_served_and_where_the_stream_stands(whole, home):
    config, runtime = whole.config, home.spec.runtime_snapshot.runtime_config
    assert config["effective_config_hash"] == runtime.derived_version == config["config_version"]
    assert (config["symbol"], config["cell_width_ms"]) == (runtime.symbol, runtime.cell_width_ms)
    assert config["serving"]["serving_name"] == ALIAS
    assert config["serving"]["serving_id"] == home.spec.serving_id
    assert config["serving"]["source"]["run_id"] == home.spec.source.run_id
    assert len(config["state_model"]) == 14
    assert len(config["grid_schema_fields"]) == 42
    assert config["grid_rows"] == 2 * runtime.grid_radius_ticks + 1
    assert config["stream"]["bin"] == 0


def test_rows_carry_a_projection_for_every_horizon(whole, home):
    horizons = home.spec.runtime_snapshot.runtime_config.horizons_ms
    assert whole.config["projection_fields"] == [f"proj_score_h{ms}" for ms in horizons]
    for name in whole.config["projection_fields"]:
        assert all(batch.schema.field(name).type == pa.float64() for batch in whole.rows)


def test_a_stream_ends_with_a_message_and_begins_anew_for_the_next_client(whole, server, home):
    assert (whole.last, whole.code) == ({"type": "end", "bins": home.dataset.bins}, 1000)
    again = take(server, f"?serving={home.spec.serving_id}")
    assert again.numbers == whole.numbers, again
    assert pa.Table.from_batches(again.rows).equals(pa.Table.from_batches(whole.rows))
    assert again.config["stream"]["started_at_ns"] > whole.config["stream"]["started_at_ns"]


def test_a_client_goes_on_from_the_bin_that_it_names(server):
    first = take(server, QUERY, bins=5)
    rest = take(server, QUERY, resume_bin=5)
    assert first.numbers[-1] >= 4
    assert rest.numbers == list(range(5, rest.last["bins"]))
    assert rest.config["stream"]["bin"] == 5
    assert rest.config["stream"]["started_at_ns"] == first.config["stream"]["started_at_ns"]


def test_after_the_end_a_client_still_gets_the_bins_that_it_misses(server, home):
    late = take(server, QUERY, resume_bin=home.dataset.bins - 3)
    assert late.numbers == [home.dataset.bins - n for n in (3, 2, 1)]
    assert late.code == 1000
