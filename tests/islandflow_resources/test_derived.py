"""Derived tables and documents: made once, trusted only verified, made again where damaged."""

import secrets

import numpy as np
import pytest

from contracts.columns import Column, TableSchema
from contracts.errors import IntegrityError, StoreUnavailableError
from islandflow_resources.database import Database
from islandflow_resources.derived import made_document, made_table, read_document, read_table
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.s3_store import S3Store
from islandflow_resources.table_schemas import from_arrays
from tests.islandflow_resources.campaigning import aside, damage, recipe, remove

NUMBERS = TableSchema("numbers", "1", (Column("n", "int64", "any"), Column("x", "float64", "any")))


class Maker:
    """Makes something, and counts how often."""

    def __init__(self, made):
        self.made, self.calls = made, 0

    def __call__(self):
        self.calls += 1
        return self.made


def numbers(first=0):
    return from_arrays(NUMBERS, {"n": np.arange(first, first + 5), "x": np.linspace(0, 1, 5)})


@pytest.fixture(scope="module", params=["embedded", "services"])
def place(request, tmp_path_factory):
    """A store and a database of each profile, of which every test uses a folder of its own."""
    if request.param == "embedded":
        folder = tmp_path_factory.mktemp("derived")
        store, url = FolderStore(folder / "objects"), f"sqlite:///{folder / 'islandflow.db'}"
    else:
        server = request.getfixturevalue("s3_server")
        store = S3Store(server.settings(server.create_bucket()))
        databases = request.getfixturevalue("postgres_server")
        url = databases.url(databases.create_database())
    database = Database(url)
    database.migrate()
    yield store, database
    database.dispose()


@pytest.fixture
def object_store(place):
    return place[0]


@pytest.fixture
def database(place):
    return place[1]


@pytest.fixture
def own_recipe():
    """Recipes by name in a folder of this test alone."""
    token = secrets.token_hex(8)
    return lambda name="thing": recipe(f"{token}{name}", folder=f"things/{token}")


@pytest.fixture(params=["table", "document"])
def make(request, object_store, database, own_recipe):
    """What makes a table or a document of one recipe, or of the recipe named."""

    def table(maker, name="thing"):
        return made_table(object_store, database, own_recipe(name), NUMBERS, maker, "run")

    def document(maker, name="thing"):
        return made_document(object_store, database, own_recipe(name), maker, "run")

    return {"table": table, "document": document}[request.param]


@pytest.fixture
def kind(request):
    return request.node.callspec.params["make"]


def maker(kind, first=0):
    return Maker(numbers(first) if kind == "table" else {"first": first, "x": 0.1})


def rows_of(database, own_recipe):
    folder = own_recipe().folder
    return [row for row in database.artefacts() if row.object_key.startswith(f"{folder}/")]


def aside_of(store, own_recipe):
    return [key for key in aside(store) if key.startswith(f"{own_recipe().folder}/")]


def said(derived, kind):
    return derived.table if kind == "table" else derived.document


def test_a_recipe_is_made_once_and_found_afterwards(make, kind, object_store, own_recipe):
    own = maker(kind)
    first, second = make(own), make(own)
    assert (first.used_cache, second.used_cache, own.calls) == (False, True, 1)
    assert said(first, kind) == said(second, kind) == own.made
    assert (first.key, first.content_digest) == (second.key, second.content_digest)
    assert object_store.keys(own_recipe().folder) == [first.key]
    assert first.key == own_recipe().key("parquet" if kind == "table" else "json")


def test_recipes_of_other_names_are_made_apart(make, kind, database, own_recipe):
    one, other = make(maker(kind), "one"), make(maker(kind, 9), "other")
    assert one.content_digest != other.content_digest
    rows = rows_of(database, own_recipe)
    assert {row.object_key for row in rows} == {one.key, other.key}
    assert {row.run_id for row in rows} == {"run"}


@pytest.mark.parametrize("data", [b"damaged", b"", b'{"first":1,"x":0.1}\n'])
def test_a_damaged_object_is_kept_aside_and_made_again(make, kind, object_store, own_recipe, data):
    own = maker(kind)
    first = make(own)
    damage(object_store, first.key, data)
    again = make(own)
    assert own.calls == 2
    assert not again.used_cache
    assert again.content_digest == first.content_digest
    assert aside_of(object_store, own_recipe) == [first.key]
    assert make(own).used_cache


def test_an_object_that_is_gone_is_made_again(make, kind, object_store, own_recipe):
    own = maker(kind)
    first = make(own)
    remove(object_store, first.key)
    assert make(own).content_digest == first.content_digest
    assert (own.calls, aside_of(object_store, own_recipe)) == (2, [])


def test_what_is_made_otherwise_than_recorded_is_refused(make, kind, object_store):
    first = make(maker(kind))
    remove(object_store, first.key)
    for _ in range(2):
        with pytest.raises(IntegrityError) as caught:
            make(maker(kind, 7))
        assert caught.value.code == "RECIPE_DIVERGED"
    assert make(maker(kind)).content_digest == first.content_digest


def test_an_object_that_was_stored_but_not_recorded_is_adopted(
    make, kind, object_store, database, own_recipe, tmp_path
):
    """As after a crash in between; here the record is another database's."""
    first = make(maker(kind))
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    verb = {"table": made_table, "document": made_document}[kind]
    schema = [NUMBERS] if kind == "table" else []
    again = verb(object_store, other, own_recipe(), *schema, maker(kind), "later")
    other.dispose()
    assert (again.used_cache, again.content_digest) == (False, first.content_digest)
    assert object_store.keys(own_recipe().folder) == [first.key]


def test_an_object_of_other_content_that_nobody_recorded_is_not_adopted(
    make, kind, object_store, own_recipe, tmp_path
):
    make(maker(kind))
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    verb = {"table": made_table, "document": made_document}[kind]
    schema = [NUMBERS] if kind == "table" else []
    with pytest.raises(IntegrityError):
        verb(object_store, other, own_recipe(), *schema, maker(kind, 3), "later")
    assert other.artefacts() == []
    other.dispose()


def test_what_the_maker_raises_leaves_nothing_behind(make, object_store, database, own_recipe):
    def fails():
        raise StoreUnavailableError("STORE_UNAVAILABLE", "no answer")

    with pytest.raises(StoreUnavailableError):
        make(fails)
    assert object_store.keys(own_recipe().folder) == rows_of(database, own_recipe) == []


def test_a_recorded_table_is_refused_for_any_byte(object_store, database, own_recipe):
    made = made_table(object_store, database, own_recipe(), NUMBERS, numbers, "run")
    row = database.find([made.recipe])[made.recipe]
    assert read_table(object_store, row, NUMBERS) == numbers()
    data = object_store.get(made.key)
    for place in (0, len(data) // 2, len(data) - 9):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        damage(object_store, made.key, changed)
        with pytest.raises(IntegrityError):
            read_table(object_store, row, NUMBERS)


@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: data + b"\n", lambda data: data.replace(b"0", b"1")],
)
def test_a_document_is_refused_for_any_byte(object_store, database, own_recipe, change):
    made = made_document(object_store, database, own_recipe(), lambda: {"x": 0.5}, "run")
    assert read_document(object_store, made.key, made.content_digest) == {"x": 0.5}
    damage(object_store, made.key, change(object_store.get(made.key)))
    with pytest.raises(IntegrityError, match="DOCUMENT_DAMAGED") as caught:
        read_document(object_store, made.key, made.content_digest)
    assert made.content_digest in caught.value.message
