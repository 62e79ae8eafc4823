"""A cached result verifies by being evaluated again; damage is named and put aside."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_assets.partitions import Partition
from islandflow_jobs import verify_results
from islandflow_resources.materialise import dataset_ref
from tests.graph import CALM, market

FILES = ("equity.parquet", "trades.parquet", "metrics.json", "result.json")


@pytest.fixture
def folder(finished):
    key = next(key for key in finished.resources.store.keys("backtests/") if "result" in key)
    return key.removesuffix("/result.json")


def parts_of(graph):
    return graph.resources.store, graph.resources.database


def test_a_whole_result_is_found_again_from_its_dataset_and_strategy(finished, folder):
    digest = verify_results.verify_result(*parts_of(finished), f"{folder}/result.json")
    assert digest.startswith("sha256:")
    assert verify_results.repair_result(*parts_of(finished), folder) == ()


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found_and_the_result_put_aside_by_a_repair(finished, folder, name):
    store = finished.resources.store
    path = store.root / folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError) as caught:
        verify_results.verify_result(*parts_of(finished), folder)
    assert folder in str(caught.value)
    aside = verify_results.repair_result(*parts_of(finished), folder)
    assert len(aside) == len(FILES)
    assert store.keys(folder) == []
    assert all(store.exists(key) for key in aside)


def test_a_result_that_nobody_recorded_is_not_found(finished):
    with pytest.raises(NotFoundError, match="RESULT_NOT_RECORDED"):
        verify_results.verify_result(*parts_of(finished), f"backtests/{'0' * 64}/result.json")


def test_an_address_without_a_key_is_refused(finished):
    with pytest.raises(ContractError, match="DIGEST_INVALID"):
        verify_results.verify_result(*parts_of(finished), "backtests/nothing")


@pytest.mark.parametrize("asset", ["screening_result", "backtest_result"])
def test_a_result_is_verified_and_when_damaged_repaired(islandflow, finished, asset):
    [long] = finished.register(market(CALM, id="long", duration_bars=1_500))
    job = {"screening_result": "t0_screen", "backtest_result": "t1_full"}[asset]
    cell = Partition(long, 1)
    run = finished.run(cell, cell, job=job)
    uri = run.metadata(asset, "uri")[str(cell)]
    code, [first, second], _ = islandflow("verify", uri)
    assert (code, first, second[:18]) == (0, f"verified {uri}", "recomputed sha256:")
    assert islandflow("repair", uri)[:2] == (0, [f"whole: {uri}"])
    path = finished.resources.store.root / finished.resources.store.parse_uri(uri)
    whole = path.read_bytes()
    for old, new in ((b'"fills":', b'"fillz":'), (b'"settings":{}', b'"settings":[]')):
        path.write_bytes(whole.replace(old, new))
        code, out, [line] = islandflow("verify", uri)
        assert (code, out) == (1, [])
        assert f"OBJECT_DAMAGED at {uri}: " in line
        code, lines, _ = islandflow("repair", uri)
        assert (code, len(lines)) == (0, 5)
        assert lines[-1] == "the next run makes it again"
        assert islandflow("verify", uri)[0] == 1
        assert finished.run(cell, cell, job=job).success
        assert path.read_bytes() == whole
    assert islandflow("verify", uri)[0] == 0


def test_a_result_is_left_alone_when_its_dataset_is_what_is_damaged(islandflow, finished):
    store = finished.resources.store
    results = [store.uri(key) for key in store.keys("backtests/") if key.endswith("result.json")]
    ref = dataset_ref(market(CALM), 1)
    (store.root / ref.dataset_key).write_bytes(b"PAR1")
    outcomes = [islandflow("repair", uri) for uri in results]
    assert sorted(code for code, _, _ in outcomes) == [0, 0, 0, 1]
    [line] = [err[0] for code, _, err in outcomes if code]
    assert store.uri(ref.dataset_key) in line
    assert len(store.keys("backtests/")) == 16


def test_a_result_of_a_scenario_or_strategy_that_is_gone_is_not_found(finished, folder):
    from sqlalchemy import create_engine, text

    for table, code in (
        ("strategies", "STRATEGY_NOT_REGISTERED"),
        ("run_results", "RESULT_NOT_RECORDED"),
    ):
        with create_engine(finished.resources.database.url).begin() as connection:
            connection.execute(text(f"DELETE FROM {table}"))
        with pytest.raises(NotFoundError, match=code):
            verify_results.verify_result(*parts_of(finished), folder)


def test_settings_of_a_run_are_read_from_its_result(finished):
    before = set(finished.resources.store.keys("backtests/"))
    config = {"resources": {"backtest_settings": {"config": {"fee_bps": 9.0, "lot_size": 0.5}}}}
    assert finished.run(config=config).success
    new = {
        key.rpartition("/")[0] for key in set(finished.resources.store.keys("backtests/")) - before
    }
    assert len(new) == 4
    for folder in new:
        assert verify_results.verify_result(*parts_of(finished), folder).startswith("sha256:")
