"""From `Settings` back to an environment, for this process, its children and a shell.

Reading the environment is ``settings``.
"""

from __future__ import annotations

import os
import shlex
from urllib.parse import unquote, urlsplit

from islandflow_resources.settings import Settings


def process_environment(settings: Settings) -> dict[str, str]:
    """Variables under which Dagster and a child process see the same `settings`.

    ``DAGSTER_HOME`` is derived. In the services profile Dagster's own storage gets
    a database of its own on the same server, named ``{database}_dagster``, because
    both keep a table of migrations; and its log manager gets the store's keys under
    the names that boto3 reads. Holds secrets in the services profile.
    """
    variables = {
        "ISLANDFLOW_HOME": str(settings.home),
        "ISLANDFLOW_THREADS": str(settings.threads),
        "ISLANDFLOW_MEMORY_MB": str(settings.memory_mb),
        "ISLANDFLOW_LOG_LEVEL": settings.log_level,
        "ISLANDFLOW_EXECUTOR": settings.executor,
        "ISLANDFLOW_RAY_ADDRESS": settings.ray_address,
        "ISLANDFLOW_PROMOTION": settings.promotion,
        "ISLANDFLOW_SERVE_TOKEN": settings.serve_token,
        "ISLANDFLOW_TRACKING_URI": settings.tracking_uri,
        "ISLANDFLOW_ALERT_WEBHOOK": settings.alert_webhook,
        "ISLANDFLOW_INSTRUMENT_CONFIG": settings.instrument_config,
        "ISLANDFLOW_SIGNING_KEY": settings.signing_key,
        "ISLANDFLOW_TRUSTED_KEYS": ",".join(settings.trusted_keys),
        "DAGSTER_HOME": str(settings.dagster_home),
    }
    if settings.s3 is None:
        return variables
    server = urlsplit(settings.database_url)
    labels = settings.labels_s3
    if labels is not None:
        variables["ISLANDFLOW_S3_LABELS_ACCESS_KEY"] = labels.access_key
        variables["ISLANDFLOW_S3_LABELS_SECRET_KEY"] = labels.secret_key
    return variables | {
        "DAGSTER_PG_HOST": server.hostname or "127.0.0.1",
        "DAGSTER_PG_PORT": str(server.port or 5432),
        "DAGSTER_PG_USER": unquote(server.username or ""),
        "DAGSTER_PG_PASSWORD": unquote(server.password or ""),
        "DAGSTER_PG_DB": f"{server.path.strip('/')}_dagster",
        "AWS_ACCESS_KEY_ID": settings.s3.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.s3.secret_key,
        "AWS_DEFAULT_REGION": settings.s3.region,
        "ISLANDFLOW_S3_ENDPOINT": settings.s3.endpoint,
        "ISLANDFLOW_S3_BUCKET": settings.s3.bucket,
        "ISLANDFLOW_S3_ACCESS_KEY": settings.s3.access_key,
        "ISLANDFLOW_S3_SECRET_KEY": settings.s3.secret_key,
        "ISLANDFLOW_S3_REGION": settings.s3.region,
        "ISLANDFLOW_DATABASE_URL": settings.database_url,
    }


def apply_environment(settings: Settings) -> None:
    """Let this process and its children see `process_environment`."""
    os.environ.update(process_environment(settings))


def choose_executor(executor: str) -> None:
    """Let this process and its children use an executor, whatever the environment said."""
    os.environ["ISLANDFLOW_EXECUTOR"] = executor


def export_lines(settings: Settings) -> str:
    """Shell text that sets `process_environment`, one quoted ``export`` per line."""
    variables = process_environment(settings)
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
