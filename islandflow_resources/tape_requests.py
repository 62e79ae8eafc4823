"""What tapes are wanted: registered profiles with their seeds, and the specs that they mean.

A request keeps the profile as it was written, because one that names the control log of the
deployment means another tape whenever the log changes before its end. A spec is what one means
now; it is the partition. Entering either twice changes nothing. What becomes of a spec is
``market_tapes``, profiles are resolved by ``tape_specs``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from contracts.canonical import Document, canonical_json
from contracts.control import ControlLog
from contracts.digest import bare, document_digest, recipe_digest
from contracts.errors import NotFoundError
from contracts.seeds import parse_seed
from contracts.tape import VERSION, NamedControl, TapeProfile, TapeSpec, profile_from, spec_from
from contracts.tape_manifest import ProfileIdentity
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from islandflow_resources.models import Artefact
from islandflow_resources.object_store import ObjectStore, file_digest
from islandflow_resources.spec_registry import Entry, Kind, key_of, register_document
from islandflow_resources.tape_specs import resolve

HINT: Final = "register its profile: islandflow tape register FILE"
REQUEST: Final = Kind("tape_request", VERSION, HINT)
SPEC: Final = Kind("market_tape", VERSION, HINT)


@dataclass(frozen=True)
class TapeRequest:
    """A profile, and the seeds that it is wanted with.

    Attributes
    ----------
    profile : TapeProfile
    seeds : tuple of int
        None of them: the shared seed of the control in force when the tape begins.
    """

    profile: TapeProfile
    seeds: tuple[int, ...] = ()

    @property
    def follows_deployment(self) -> bool:
        """Whether it means what the control log of the deployment says."""
        return isinstance(self.profile.control, NamedControl)

    @cached_property
    def key(self) -> str:
        """``{id}-{first 12 of the hash}``."""
        return key_of(self.profile.id, document_digest(self.document()))

    def document(self) -> Document:
        """The request as it is stored, every field of its profile written out."""
        profile: Document = self.profile.model_dump(mode="json")
        return {"profile": profile, "seeds": [str(seed) for seed in self.seeds]}

    def seeds_of(self, spec: TapeSpec) -> tuple[int, ...]:
        """The seeds of a spec that it means."""
        return self.seeds or (spec.control.at(spec.start_ns).shared_seed,)


@dataclass(frozen=True)
class ResolvedTape:
    """A tape without its seed.

    Attributes
    ----------
    spec : TapeSpec
    profile : ProfileIdentity
        Of the first request that meant it.
    """

    spec: TapeSpec
    profile: ProfileIdentity

    @property
    def key(self) -> str:
        """Its partition."""
        return self.spec.partition_key


def resolved(request: TapeRequest, log: ControlLog | None) -> ResolvedTape:
    """What a request means under a control log of the deployment.

    Raises
    ------
    ContractError
        As of ``tape_specs.resolve``.
    """
    profile = request.profile
    digest = document_digest(profile.document())
    identity = ProfileIdentity(id=profile.id, version=profile.version, profile_hash=digest)
    return ResolvedTape(resolve(profile, log), identity)


def register_request(store: ObjectStore, database: Database, request: TapeRequest) -> Entry:
    """Enter a request; one of the same profile with other seeds is another one."""
    return register_document(store, database, REQUEST, request.profile.id, request.document())


def registered_requests(database: Database) -> list[TapeRequest]:
    """Every request, by the order of its key."""
    rows = database.artefacts(what=REQUEST.what)
    return [_request(row.recipe) for row in rows]


def register_tape(store: ObjectStore, database: Database, tape: ResolvedTape) -> Entry:
    """Enter the spec of a tape under its partition key.

    The database is asked last: what is entered stands in the store.
    """
    spec = tape.spec
    document = spec.document()
    data = canonical_json(document) + b"\n"
    place = f"{SPEC.noun}s/{spec.id}/{bare(spec.tape_hash)}.json"
    store.put_exact(place, data)
    row = Artefact(
        recipe_digest=recipe_digest(SPEC.what, version=SPEC.version, specs={"tape": document}),
        what=SPEC.what,
        scenario_key=tape.key,
        version=SPEC.version,
        content_digest=spec.tape_hash,
        file_digest=file_digest(data),
        object_key=place,
        rows=1,
        recipe={"tape": document, "profile": tape.profile.document()},
    )
    return Entry(tape.key, database.record([row]) == 1)


def is_registered(database: Database, key: str) -> bool:
    """Whether a spec is entered under a partition key."""
    return bool(database.artefacts(what=SPEC.what, scenario_key=key))


def registered_tape(store: ObjectStore, database: Database, key: str) -> ResolvedTape:
    """The tape of a partition key; one that a request means is entered on the way.

    A sensor adds keys and writes nothing: the spec of such a key is found by resolving the
    requests again, under the log as it was at each of its revisions.

    Raises
    ------
    NotFoundError
        ``TAPE_NOT_REGISTERED``.
    """
    rows = database.artefacts(what=SPEC.what, scenario_key=key)
    if rows:
        return _tape(rows[0].recipe)
    for tape in _meant(database, key):
        register_tape(store, database, tape)
        return tape
    said = f"no tape is registered as {key}"
    raise NotFoundError("TAPE_NOT_REGISTERED", said, key, (HINT,))


def _meant(database: Database, key: str) -> Iterable[ResolvedTape]:
    """What the requests mean at the revisions of the log, the newest first, if it has the key."""
    wanted = [
        request
        for request in registered_requests(database)
        if request.follows_deployment and key.startswith(f"{request.profile.id}-")
    ]
    versions = ControlLogStore(database).log().versions if wanted else ()
    for count in range(len(versions), 0, -1):
        log = ControlLog(versions=versions[:count])
        for request in wanted:
            tape = resolved(request, log)
            if tape.key == key:
                yield tape


def _request(document: dict[str, Any]) -> TapeRequest:
    seeds = tuple(parse_seed(seed) for seed in document["seeds"])
    return TapeRequest(profile_from(document["profile"]), seeds)


def _tape(recipe: dict[str, Any]) -> ResolvedTape:
    return ResolvedTape(spec_from(recipe["tape"]), ProfileIdentity(**recipe["profile"]))
