"""The catalogue as a file: fresh, whole, read-only for others, and never over something else."""

import os

import duckdb
import pyarrow.parquet as pq
import pytest

from contracts.columns import TRADES
from contracts.errors import ContractError, NotFoundError
from islandflow_resources.catalog_file import columns_of, facts_of, opened, write_catalogue
from islandflow_resources.database import Database
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tables import store_table
from tests.islandflow_resources.test_database import result
from tests.islandflow_resources.test_tables import trades


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'index.db'}")
    yield database
    database.dispose()


def test_a_catalogue_is_made_anew_and_a_reader_of_the_old_one_is_left_alone(
    object_store, database, tmp_path
):
    path = tmp_path / "place" / "catalogue.duckdb"
    path.parent.mkdir()
    write_catalogue(path, object_store, object_store, database)
    with opened(path, object_store) as reader:
        store_table(object_store, f"backtests/{'b' * 64}/trades.parquet", trades(2), TRADES)
        database.record_results([result(1)])
        write_catalogue(path, object_store, object_store, database)
        assert reader.execute("SELECT count(*) FROM trades").fetchone() == (0,)
    with opened(path, object_store) as reader:
        facts = {one.said: one for one in facts_of(reader)}
        with pytest.raises(duckdb.InvalidInputException):
            reader.execute("DROP VIEW trades")
    assert (facts["trades"].rows, facts["trades"].files) == (2, 1)
    assert (facts["results"].rows, facts["results"].files) == (1, None)
    assert facts["labels.print_labels"].rows == 0
    assert facts["controls"].rows == 1, "what holds before anything is saved"
    assert os.listdir(path.parent) == ["catalogue.duckdb"]


def test_files_of_an_earlier_layout_which_lack_a_column_are_in_the_catalogue(database, tmp_path):
    store, path = FolderStore(tmp_path / "objects"), tmp_path / "catalogue.duckdb"
    key = f"backtests/{'b' * 64}/trades.parquet"
    store_table(store, key, trades(2), TRADES)
    pq.write_table(trades(2).drop_columns(["reason"]), store.root / key)
    write_catalogue(path, store, store, database)
    with opened(path, store) as reader:
        columns = {one.name: one.doc for one in columns_of(reader) if one.view == "trades"}
        assert reader.execute("SELECT count(price) FROM trades").fetchone() == (2,)
    assert "reason" not in columns
    assert columns["price"] == "price paid or received, slippage included"


def test_nothing_else_is_overwritten_and_no_folder_is_made_up(object_store, database, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("mine", "utf-8")
    foreign = tmp_path / "foreign.duckdb"
    duckdb.connect(foreign).close()
    codes = []
    for path in (other, foreign, tmp_path, tmp_path / "nowhere" / "x.duckdb"):
        with pytest.raises(ContractError) as caught:
            write_catalogue(path, object_store, object_store, database)
        codes.append(caught.value.problems[0].code)
    assert codes == ["FILE_EXISTS", "FILE_EXISTS", "FILE_EXISTS", "FILE_NOT_WRITABLE"]
    assert other.read_text("utf-8") == "mine"
    with (
        pytest.raises(NotFoundError, match="islandflow catalog"),
        opened(tmp_path / "none.duckdb", object_store),
    ):
        pass
