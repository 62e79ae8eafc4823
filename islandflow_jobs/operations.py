"""What the commands do, as functions that return lines; ``cli`` reads and prints.

Every function takes validated input. Imports that cost seconds (Dagster, the
engine) are made inside, after the kernel cache is settled.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, cast

from contracts.canonical import Document, Json
from contracts.errors import ContractError, IslandflowError
from contracts.json_schemas import NAMES, schema_text
from contracts.scenario import ScenarioSpec
from contracts.seeds import parse_seed
from contracts.strategy import StrategySpec, load_strategy
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.process_environment import apply_environment, export_lines
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.retries import Patience

_BAD = "bad   "
_SHORTLY = Patience(total_s=2.0)
"""A doctor answers soon: what is down now is to be said now."""


def make(spec: ScenarioSpec, seed: int, out: Path) -> list[str]:
    """Make one dataset into a folder that is laid out like the store."""
    ResourceSet.from_environment().engine_runtime.prepare()
    from engine import paths
    from islandflow_resources import datasets, materialise

    store = FolderStore(out)
    ref = materialise.dataset_ref(spec, seed)
    made = store.exists(ref.manifest_key)
    bars = paths.simulate(spec, seed)
    dataset = datasets.publish(store, ref, bars, materialise.provenance("cli"))
    word = "unchanged" if made else "made"
    return [
        f"{word} {store.uri(ref.dataset_key)}",
        f"{dataset.manifest.rows} bars, {dataset.manifest.content_digest}",
    ]


def register_scenarios(
    resources: ResourceSet, specs: Sequence[ScenarioSpec], seeds: Sequence[int]
) -> list[str]:
    """Register scenarios and seeds as partitions."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import registration
    from islandflow_jobs.instance import open_instance

    with open_instance(resources.settings) as instance:
        done = registration.register_scenarios(resources.database, instance, specs)
        registration.add_seeds(instance, seeds)
    return [f"{'registered' if one.new else 'unchanged'} {one.key}" for one in done]


def checked_strategy(data: bytes, bars: int | None = None) -> StrategySpec:
    """A strategy that is whole and compiles, for so many bars where that is known.

    Settles the kernel cache for what is whole, since compiling imports the engine.

    Raises
    ------
    ContractError
        A ``DSL_…`` code with its place.
    """
    spec = load_strategy(data)
    ResourceSet.from_environment().engine_runtime.prepare()
    from engine.dsl import compile_strategy

    compile_strategy(spec, bars=bars)
    return spec


def explain(spec: StrategySpec) -> list[str]:
    """What a strategy means: canonical form, its hash, and the indicator columns."""
    from engine.dsl import compile_strategy

    program = compile_strategy(spec)
    return [
        *_shown_json(program.ir),
        f"ir_hash {program.ir_hash}",
        *(f"column {k}: {text}" for k, text in enumerate(program.described_columns())),
    ]


def _shown_json(ir: Document) -> list[str]:
    """A canonical form as JSON with a line for every rule."""
    fields = {name: json.dumps(value, ensure_ascii=False) for name, value in ir.items()}
    rules = cast("list[Json]", ir["rules"])
    listed = ",\n    ".join(json.dumps(rule, ensure_ascii=False) for rule in rules)
    fields["rules"] = f"[\n    {listed}\n  ]"
    text = ",\n".join(f'  "{name}": {value}' for name, value in fields.items())
    return ["{", *text.splitlines(), "}"]


def register_strategies(resources: ResourceSet, specs: Sequence[StrategySpec]) -> list[str]:
    """Register strategies that have been checked."""
    from islandflow_jobs import registration

    done = [registration.register_strategy(resources.database, spec) for spec in specs]
    return [f"{'registered' if one.new else 'unchanged'} {one.key}" for one in done]


def export_schemas(out: Path) -> list[str]:
    """Write every JSON Schema as ``{name}.json``; existing ones are replaced.

    Raises
    ------
    ContractError
        ``FOLDER_NOT_WRITABLE``.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (out / f"{name}.json").write_text(schema_text(name), "utf-8")
    except OSError as error:
        raise ContractError(
            "FOLDER_NOT_WRITABLE",
            f"cannot write the schemas to {out}: {error.strerror}",
            "--out",
            ("give a folder that is yours to write",),
        ) from error
    return [f"wrote {out / f'{name}.json'}" for name in NAMES]


def verify_one(resources: ResourceSet, uri: str) -> list[str]:
    """Verify a dataset, a cached result, or a published spec with its whole chain."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import verify, verify_results, verify_serving

    if verify_serving.is_serving(resources.store, uri):
        place = resources.store, resources.database, resources.engine_runtime
        return verify_serving.verify_serving(*place, resources.keyring, uri)
    if verify_results.is_result(resources.store, uri):
        digest = verify_results.verify_result(resources.store, resources.database, uri)
        return [f"verified {uri}", f"recomputed {digest}"]
    ref = verify.dataset_of(resources.store, resources.database, uri)
    digest = verify.verify_dataset(resources.store, resources.database, ref)
    return [f"verified {resources.store.uri(ref.dataset_key)}", f"recomputed {digest}"]


def verify_all(resources: ResourceSet) -> tuple[list[str], int]:
    """Verify every registered scenario × seed; lines, and how many are not verified."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import verify
    from islandflow_jobs.instance import open_instance

    with open_instance(resources.settings) as instance:
        seeds = [parse_seed(seed) for seed in instance.get_dynamic_partitions("seed")]
    found = list(verify.verify_all(resources.store, resources.database, seeds))
    broken = [(ref, problem) for ref, problem in found if problem is not None]
    lines = [f"{ref.spec.partition_key}|{ref.seed}: {problem}" for ref, problem in broken]
    return [*lines, f"{len(found) - len(broken)} of {len(found)} verified"], len(broken)


def repair(resources: ResourceSet, uri: str) -> list[str]:
    """Repair the dataset or the cached result that an object belongs to."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import verify, verify_results

    if verify_results.is_result(resources.store, uri):
        aside = verify_results.repair_result(resources.store, resources.database, uri)
        lines = [f"quarantined {resources.store.uri(key)}" for key in aside]
        return [*lines, "the next run makes it again"] if aside else [f"whole: {uri}"]
    ref = verify.dataset_of(resources.store, resources.database, uri)
    done = verify.repair_dataset(resources.store, resources.database, resources.engine_runtime, ref)
    if not done.quarantined:
        return [f"whole, nothing to repair: {resources.store.uri(ref.dataset_key)}"]
    lines = [f"quarantined {resources.store.uri(key)}" for key in done.quarantined]
    return [*lines, f"remade {resources.store.uri(ref.dataset_key)}", done.content_digest]


def sql(resources: ResourceSet, query: str) -> list[str]:
    """Rows of a query over the catalogue's views, tab-separated below their names.

    Raises
    ------
    ContractError
        ``QUERY_INVALID`` with what the database says of it.
    """
    import duckdb

    from islandflow_resources.catalog import open_catalogue
    from islandflow_resources.catalog_tables import view_names
    from islandflow_resources.control_log import ControlLogStore
    from islandflow_resources.signal_runs import TABLE, all_runs

    database, asked = resources.database, query.lower()
    catalogue = open_catalogue(
        resources.store,
        database.results(),
        # There may be a million runs of signals, and most queries ask for none.
        all_runs(database) if TABLE in asked else [],
        labels_store=resources.labels_store,
        artefacts=database.artefacts() if "artefacts" in asked else [],
        controls=ControlLogStore(database).history() if "controls" in asked else [],
    )
    with catalogue as connection:
        try:
            found = connection.execute(query)
            names = [column[0] for column in found.description or ()]
            rows = found.fetchall()
        except duckdb.Error as error:
            message = " ".join(str(error).split())
            hint = f"views are {', '.join(view_names())}, results, {TABLE}, artefacts, controls"
            raise ContractError("QUERY_INVALID", message, "QUERY", (hint,)) from error
    return ["\t".join(names), *("\t".join(map(str, row)) for row in rows)]


def provision(resources: ResourceSet) -> list[str]:
    """Make bucket, tables and databases."""
    from islandflow_jobs.instance import prepare_home
    from islandflow_resources.provision import provision as make_missing

    lines = make_missing(resources)
    return [*lines, f"Dagster's home is {prepare_home(resources.settings)}"]


def environment(resources: ResourceSet) -> str:
    """Shell exports of the profile, with Dagster's home made ready."""
    from islandflow_jobs.instance import prepare_home

    prepare_home(resources.settings)
    return export_lines(resources.settings)


def doctor() -> tuple[list[str], bool]:
    """Examine the profile part by part; lines, and whether all is well."""
    lines = [_version_line()]
    try:
        resources = ResourceSet.from_environment()
    except IslandflowError as error:
        return [*lines, *(f"{_BAD}{problem}" for problem in error.problems)], False
    settings = resources.settings
    lines.append(f"ok    profile {settings.profile}, home {settings.home}")
    examined = [
        _examined(lambda: _store_line(resources)),
        _examined(lambda: _database_line(resources)),
        _examined(lambda: _engine_line(resources)),
    ]
    # Dagster's own database lies on the same server, and Dagster waits long for it.
    if not examined[1].startswith(_BAD):
        examined.append(_examined(lambda: _instance_line(resources)))
    return [*lines, *examined], not any(line.startswith(_BAD) for line in examined)


def _examined(examine: Callable[[], str]) -> str:
    try:
        return f"ok    {examine()}"
    except IslandflowError as error:
        return "\n".join(f"{_BAD}{problem}" for problem in error.problems)


def serve_ui(resources: ResourceSet, port: int) -> NoReturn:
    """Become ``dagster dev`` on the workspace of the project.

    The process is replaced rather than waited for, so that a signal to it stops the UI.
    """
    from islandflow_jobs.instance import prepare_home

    prepare_home(resources.settings)
    apply_environment(resources.settings)
    top = Path(__file__).resolve().parent.parent
    command = [
        sys.executable, "-m", "dagster", "dev", "--workspace", str(top / "workspace.yaml"),
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    sys.stdout.write(f"the UI will be at http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    os.chdir(top)
    os.execv(command[0], command)


def _version_line() -> str:
    from importlib.metadata import version

    names = ("islandflow", "dagster", "numba", "numpy", "pyarrow")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"ok    Python {sys.version.split()[0]}, {versions}"


def _store_line(resources: ResourceSet) -> str:
    from islandflow_resources.s3_store import S3Store

    s3 = resources.settings.s3
    return (resources.store if s3 is None else S3Store(s3, _SHORTLY)).check()


def _database_line(resources: ResourceSet) -> str:
    from islandflow_resources.database import Database

    database = Database(resources.settings.database_url, _SHORTLY)
    try:
        return database.check()
    finally:
        database.dispose()


def _engine_line(resources: ResourceSet) -> str:
    resources.engine_runtime.prepare()
    from engine.digest import engine_digest

    threads = resources.settings.threads
    return f"engine {engine_digest()[:16]}, {threads} threads, {os.cpu_count()} cores"


def _instance_line(resources: ResourceSet) -> str:
    from islandflow_jobs.instance import open_instance

    with open_instance(resources.settings) as instance:
        scenarios = len(instance.get_dynamic_partitions("scenario"))
        seeds = len(instance.get_dynamic_partitions("seed"))
    return f"Dagster knows {scenarios} scenarios × {seeds} seeds"
