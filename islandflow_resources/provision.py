"""What the servers must hold before the first run: bucket, tables, Dagster's database.

Idempotent, and patient while servers start. The embedded profile needs only its
folders. Looking without changing anything is ``islandflow doctor``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import sqlalchemy as sa
from minio import Minio
from sqlalchemy.exc import OperationalError

from contracts.errors import DatabaseUnavailableError, StoreUnavailableError
from islandflow_resources.process_environment import process_environment
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.retries import Patience, patiently
from islandflow_resources.settings import S3Settings


def provision(resources: ResourceSet) -> list[str]:
    """Make what is missing; returns a sentence per thing, in order.

    Raises
    ------
    UnavailableError
        If a server stays away.
    ConfigurationError
        If a server refuses the credentials.
    """
    settings = resources.settings
    done: list[str] = []
    if settings.s3 is not None:
        done.append(_make_bucket(settings.s3))
        database = process_environment(settings)["DAGSTER_PG_DB"]
        done.append(_make_database(settings.database_url, database))
    resources.database.migrate()
    done += [resources.database.check(), resources.store.check()]
    return done


def _make_bucket(s3: S3Settings) -> str:
    """Make the bucket by the minio client, which needs no region to be guessed."""
    endpoint = urlsplit(s3.endpoint)
    client = Minio(
        endpoint.netloc,
        access_key=s3.access_key,
        secret_key=s3.secret_key,
        region=s3.region,
        secure=endpoint.scheme == "https",
    )

    def make() -> str:
        if client.bucket_exists(s3.bucket):
            return f"bucket {s3.bucket} is there"
        client.make_bucket(s3.bucket)
        return f"bucket {s3.bucket} is made"

    return patiently(
        make,
        what=f"make the bucket {s3.bucket} at {s3.endpoint}",
        transient=lambda error: not hasattr(error, "code"),
        give_up=lambda tried, _: StoreUnavailableError(
            "BUCKET_NOT_MADE", tried, "ISLANDFLOW_S3_ENDPOINT", ("start the store, then run again",)
        ),
        patience=Patience(),
    )


def _make_database(url: str, name: str) -> str:
    """Make the database of Dagster's storage beside ours on the same server."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def make() -> str:
        with engine.connect() as connection:
            there = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(there, {"name": name}).scalar():
                return f"database {name} is there"
            quoted = connection.dialect.identifier_preparer.quote(name)
            connection.execute(sa.text(f"CREATE DATABASE {quoted}"))
            return f"database {name} is made"

    return patiently(
        make,
        what=f"make the database {name}",
        transient=lambda error: isinstance(error, OperationalError),
        give_up=lambda tried, _: DatabaseUnavailableError(
            "DATABASE_NOT_MADE", tried, "ISLANDFLOW_DATABASE_URL", ("start the server, then again",)
        ),
        patience=Patience(),
    )
