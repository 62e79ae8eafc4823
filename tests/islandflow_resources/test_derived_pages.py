"""Pages are stored once by their recipe, found again, and made anew where they were damaged."""

import pytest

from contracts.errors import IntegrityError
from islandflow_resources.database import Database
from islandflow_resources.derived import Recipe
from islandflow_resources.derived_pages import as_stored, made_page, read_page
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.pages import rendered
from tests.islandflow_resources.test_pages import page

RECIPE = Recipe("tape_page", f"sha256:{'a' * 64}", "reports/market/ab", "1")


@pytest.fixture
def place(tmp_path):
    store, database = FolderStore(tmp_path / "objects"), Database(f"sqlite:///{tmp_path / 'i.db'}")
    yield store, database
    database.dispose()


def never():
    raise AssertionError("it was found before")


def test_a_page_is_made_once_and_named_by_what_it_is_about_and_how_it_is_written(place):
    store, database = place
    made = made_page(store, database, RECIPE, page, "run")
    found = made_page(store, database, RECIPE, never, "another run")
    assert (made.used_cache, found.used_cache) == (False, True)
    assert found.key == made.key
    assert made.key.startswith("reports/market/ab/")
    assert made.key.endswith(".html")
    assert RECIPE.digest.removeprefix("sha256:") not in made.key
    assert read_page(store, found) == rendered(page())
    [row] = database.artefacts(what="tape_page")
    assert (row.content_digest, row.object_key) == (made.content_digest, made.key)


def test_a_damaged_page_is_refused_put_aside_and_made_again(place):
    store, database = place
    made = made_page(store, database, RECIPE, page, "run")
    file = store.root / made.key
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"a name", b"a lie!"))
    with pytest.raises(IntegrityError, match="DOCUMENT_DAMAGED"):
        read_page(store, made)
    again = made_page(store, database, RECIPE, page, "run")
    assert (again.used_cache, read_page(store, again)) == (False, rendered(page()))
    assert [key for key in store.keys("quarantine/") if key.endswith(".html")]


def test_a_document_just_made_is_shown_as_the_one_that_is_read_back():
    made = {"volatility": [1.0, 0.5], "liquidity": {"b": -0.0, "a": 2}}
    assert repr(as_stored(made)) == "{'liquidity': {'a': 2, 'b': 0}, 'volatility': [1, 0.5]}"
