"""A cached result verifies by being evaluated again; damage is named and put aside."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_jobs import verify_results

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
