"""Pages made once by their recipe, stored beside what they are about.

The policy is that of ``derived``: looked up, trusted only verified, else made. How a page is
written is ``pages``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from contracts.canonical import Document, canonical_json
from contracts.digest import recipe_digest
from contracts.errors import IntegrityError, NotFoundError
from islandflow_resources.database import Database
from islandflow_resources.derived import Derived, Recipe
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.pages import VERSION, Page, rendered, renderer_digest


def page_recipe(recipe: Recipe) -> Recipe:
    """The recipe of a page about what another recipe names: how it is written is part of it."""
    specs = {"about": recipe.digest, "renderer": renderer_digest()}
    digest = recipe_digest(recipe.what, version=f"{recipe.version}.{VERSION}", specs=specs)
    return replace(recipe, digest=digest, version=f"{recipe.version}.{VERSION}")


def as_stored(document: Document) -> Document:
    """A document as it is read from the store, whether it was just made or found.

    Order of names and kinds of numbers are those of its canonical JSON (1.0 is 1), so that pages
    about it have the same bytes.
    """
    return json.loads(canonical_json(document))


def made_page(
    store: ObjectStore,
    database: Database,
    recipe: Recipe,
    make: Callable[[], Page],
    run_id: str,
) -> Derived:
    """The page of a recipe: found whole, or made, stored and recorded.

    Raises
    ------
    IntegrityError
        ``RECIPE_DIVERGED`` if it is now made otherwise than it was recorded.
    """
    own = page_recipe(recipe)
    known = database.find([own.digest]).get(own.digest)
    if known is not None and _is_whole(store, known):
        return Derived(own.digest, known.object_key, known.content_digest, True)
    data, key = rendered(make()), own.key("html")
    content = file_digest(data)
    store.put_exact(key, data)
    database.record([own.row(key, content, content, 1, run_id)])
    return Derived(own.digest, key, content, False)


def read_page(store: ObjectStore, page: Derived) -> bytes:
    """Bytes of a stored page.

    Raises
    ------
    IntegrityError
        ``DOCUMENT_DAMAGED``.
    """
    data = store.get(page.key)
    if file_digest(data) == page.content_digest:
        return data
    said = f"cannot trust {store.uri(page.key)}: it is not what {page.content_digest} names"
    hint = "ask for the report again: what is damaged is put aside and made anew"
    raise IntegrityError("DOCUMENT_DAMAGED", said, page.key, (hint,))


def _is_whole(store: ObjectStore, known: Artefact) -> bool:
    """Whether what was recorded still lies there; damage makes way."""
    page = Derived(known.recipe_digest, known.object_key, known.content_digest, True)
    try:
        read_page(store, page)
    except NotFoundError:
        return False
    except IntegrityError:
        store.quarantine(known.object_key)
        return False
    return True
