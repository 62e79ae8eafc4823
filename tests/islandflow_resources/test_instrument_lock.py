"""Where the lock of the instrument is found, and what is refused by it.

What a lock may say is in tests/contracts/test_instrument.py.
"""

import pytest

from contracts.errors import ConfigurationError, ContractError
from islandflow_resources import instrument_lock
from islandflow_resources.instrument_lock import DEFAULT_LOCK, refuse_other_instrument
from islandflow_resources.settings import load_settings
from tests.engine.grid.runs import config


def settings(path=""):
    return load_settings({"ISLANDFLOW_INSTRUMENT_CONFIG": str(path)})


def lock(path=""):
    return instrument_lock.instrument_lock(settings(path))


def written(tmp_path, text):
    path = tmp_path / "lock.yaml"
    path.write_text(text)
    return path


def test_the_lock_by_default_is_the_file_of_the_project():
    found = lock()
    assert DEFAULT_LOCK.is_file()
    assert (found.product_type, found.symbol) == ("future_mbo", "MNQH6")


def test_without_the_default_file_nothing_is_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(instrument_lock, "DEFAULT_LOCK", tmp_path / "none.yaml")
    assert lock() is None
    refuse_other_instrument(settings(), config(symbol="ANY"), "the dataset")


def test_the_setting_names_another_file(tmp_path):
    path = written(tmp_path, '{"product_type": "equity_mbo", "symbol": "AAPL"}')
    assert lock(path).symbol == "AAPL"
    with pytest.raises(ContractError) as refused:
        refuse_other_instrument(settings(path), config(), "the dataset")
    assert refused.value.code == "INSTRUMENT_LOCKED"
    for word in ("the dataset", "future_mbo MNQH6", "equity_mbo AAPL"):
        assert word in refused.value.message
    right = config(product_type="equity_mbo", symbol="AAPL")
    refuse_other_instrument(settings(path), right, "the dataset")


@pytest.mark.parametrize("name", ["nosuch.yaml", "."])
def test_a_file_that_the_setting_names_must_be_there(tmp_path, name):
    with pytest.raises(ConfigurationError) as refused:
        lock(tmp_path / name)
    assert refused.value.code == "INSTRUMENT_FILE_MISSING"
    assert refused.value.loc == str((tmp_path / name).resolve())
    assert "ISLANDFLOW_INSTRUMENT_CONFIG" in refused.value.hints[0]


def test_every_problem_of_a_malformed_file_names_the_file(tmp_path):
    path = written(tmp_path, "product_type: future\ncolour: red\n")
    with pytest.raises(ContractError) as refused:
        lock(path)
    found = {problem.loc for problem in refused.value.problems}
    assert found == {f"{path}#/product_type", f"{path}#/colour", f"{path}#/symbol"}


@pytest.mark.parametrize("text", ["", "- a\n", "{", "\x00", "symbol: [", "&a [*a]"])
def test_a_file_that_is_no_mapping_is_refused_by_its_name(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(ContractError) as refused:
        lock(path)
    assert refused.value.loc.startswith(str(path))
