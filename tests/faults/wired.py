"""Fresh places on the real servers, directly and through wires, and what undisturbed runs leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from islandflow_resources.models import Artefact
from tests.faults import campaigns
from tests.faults.campaign_state import CampaignState, campaign_state_of
from tests.faults.operations import Operation, opened
from tests.faults.report import Table
from tests.faults.wire import Faults, http, postgres, wired
from tests.journeys import children
from tests.journeys.state import store_of
from tests.servers import PostgresServer, S3Server

LONG = campaigns.INSTANTS > 3
HEAD = ("operation", "faults of the store", "of the database", "undisturbed s", "took s", "more s")


@dataclass
class Servers:
    """A fresh bucket and database.

    Attributes
    ----------
    environment : dict of str to str
        Variables that lead there directly.
    """

    s3: S3Server
    postgres: PostgresServer
    database: str
    environment: dict[str, str]

    @contextmanager
    def wired(self, store: Faults, database: Faults) -> Iterator[dict[str, str]]:
        """Variables that lead there through wires."""
        port = int(self.s3.endpoint.rpartition(":")[2])
        with (
            wired(port, http, store) as near,
            wired(self.postgres.port, postgres, database) as far,
        ):
            direct = f":{self.postgres.port}/"
            url = self.environment["ISLANDFLOW_DATABASE_URL"].replace(direct, f":{far.port}/")
            yield {
                **self.environment,
                "ISLANDFLOW_S3_ENDPOINT": f"http://127.0.0.1:{near.port}",
                "ISLANDFLOW_DATABASE_URL": url,
            }


@contextmanager
def fresh_servers(s3: S3Server, postgres: PostgresServer, home: Path) -> Iterator[Servers]:
    """A bucket and a database, which is dropped in the end."""
    name = postgres.create_database()
    settings = s3.settings(s3.create_bucket())
    variables = children.services(home, settings, postgres.url(name))
    yield Servers(s3, postgres, name, variables | campaigns.MEMORY)
    postgres.drop_database(name)


@dataclass
class Whole:
    """What operations leave in the embedded profile that nobody disturbs, each made once."""

    folder: Path
    _made: dict[str, tuple[CampaignState, float]] = field(default_factory=dict)
    _taken: dict[str, tuple[int, int]] = field(default_factory=dict)

    def taken(self, operation: Operation) -> tuple[int, int]:
        """Bytes of disk that it takes when it is done, and those of its largest file."""
        self.of(operation)
        return self._taken[operation.name]

    def of(self, operation: Operation) -> tuple[CampaignState, float]:
        """What it leaves, and the seconds that it takes once its kernels are there."""
        if operation.name not in self._made:
            # Loading kernels takes its time, too; only figures that are written down need it apart.
            if LONG:
                self._run(operation, f"{operation.name} first")
            self._made[operation.name] = self._run(operation, operation.name)
        return self._made[operation.name]

    def _run(self, operation: Operation, name: str) -> tuple[CampaignState, float]:
        environment = children.embedded(self.folder / name) | campaigns.MEMORY
        resources = opened(environment)
        started_s = time.monotonic()
        operation.run(resources, self.folder)
        took_s = time.monotonic() - started_s
        self._taken[name] = _taken(self.folder / name)
        resources.database.dispose()
        return campaign_state_of(environment), took_s


def _taken(folder: Path) -> tuple[int, int]:
    found = [path.stat() for path in folder.rglob("*")]
    return sum(512 * one.st_blocks for one in found), max(one.st_size for one in found)


def check_driven(
    operation: Operation,
    faults: tuple[Faults, Faults],
    servers: Servers,
    whole_operations: Whole,
    table: Table,
) -> None:
    """Run an operation through wires to store and database; it must leave what it always does."""
    whole, whole_s = whole_operations.of(operation)
    with servers.wired(*faults) as environment:
        resources = opened(environment)
        started_s = time.monotonic()
        operation.run(resources, whole_operations.folder)
        took_s = time.monotonic() - started_s
        resources.database.dispose()
    for one in faults:
        assert one.total > 0 or not one.kinds
        assert set(one.done) <= set(one.kinds)
    assert campaign_state_of(servers.environment) == whole
    told = (one.told for one in faults)
    table.add(max(took_s - whole_s, 0.0), operation.name, *told, f"{whole_s:.1f}", f"{took_s:.1f}")


def assert_part_of(left: CampaignState, whole: CampaignState) -> None:
    """Objects are whole ones, rows are true and point to what is there, aliases moved or not."""
    for key, digest in left.state.objects.items():
        assert whole.state.objects[key] == digest, key
    assert set(left.state.rows) <= set(whole.state.rows)
    assert set(left.rows) <= set(whole.rows)
    assert len(set(left.rows)) == len(left.rows)
    assert left.trials.items() <= whole.trials.items()


def artefacts_of(environment: dict[str, str]) -> list[Artefact]:
    """What is recorded there."""
    database = opened(environment).database
    rows = database.artefacts()
    database.dispose()
    return rows


def assert_rows_stand(environment: dict[str, str]) -> None:
    """Every key that a row names is that of an object."""
    rows = artefacts_of(environment)
    there = set(store_of(environment).keys(""))
    named = {key for row in rows for key in (row.object_key, row.manifest_key) if key}
    assert named <= there
