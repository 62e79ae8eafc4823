"""MLflow's client, tamed: imported late, silent, with short limits, and each run sent once.

Only requests and what their failures mean are here. Which runs there are, how long to wait and what
is reported is ``tracking``.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from contracts.errors import ConfigurationError, IslandflowError

LOCAL_RUN_ID: Final = "local_run_id"
CONFIG_HASH: Final = "config_hash"
REQUEST_S: Final = 5
PAGE: Final = 1_000
_FINISHED: Final = "FINISHED"
_TOO_MANY_REQUESTS: Final = 429
_ENVIRONMENT: Final = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REQUEST_S),
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": str(REQUEST_S),
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One run as a tracking server knows it.

    Attributes
    ----------
    run_name : str
    tags : dict of str to str
        With ``local_run_id``, by which the run is known again.
    params : dict of str to str
    metrics : dict of str to float
        Finite.
    artifacts : dict of str to bytes
        Files by their relative path.
    """

    run_name: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    artifacts: dict[str, bytes]


@contextmanager
def client_environment() -> Iterator[None]:
    """Let the client be patient for seconds, not minutes, and tell nobody else.

    It reads its limits from the environment at every request, so they hold inside only; one thread
    at a time is let in.
    """
    with _turn:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


class TrackingClient:
    """A tracking server's experiment, and the runs that it had when it was opened.

    Parameters
    ----------
    uri : str
        http or https.
    experiment : str
        Made if there is none.
    like : TrackedRun
        A run whose ``config_hash`` all runs share that are asked about.

    Raises
    ------
    ConfigurationError
        ``TRACKING_URI_INVALID``, ``TRACKING_CLIENT_MISSING`` or ``TRACKING_EXPERIMENT_DELETED``.
    Exception
        What the client raises, see `is_transient` and `reason`.
    """

    def __init__(self, uri: str, experiment: str, like: TrackedRun) -> None:
        _refuse_uri(uri)
        self._uri, self._client = uri, _make_client(uri)
        self._experiment_id = self._open(experiment)
        self._known = self._search(_same_config(like))

    def delivery(self, run: TrackedRun, tags: Mapping[str, str]) -> Delivery:
        """Prepare one run to be sent."""
        return Delivery(self, run, dict(tags))

    def known(self, run: TrackedRun) -> Any | None:
        """The server's record of a run, as it was at first."""
        return self._known.get(run.tags[LOCAL_RUN_ID])

    def find(self, run: TrackedRun) -> Any | None:
        """The server's record of a run, as it is now."""
        key = run.tags[LOCAL_RUN_ID]
        own = f"tags.{LOCAL_RUN_ID} = {_quoted(key)}"
        return self._search(" and ".join(filter(None, (own, _same_config(run))))).get(key)

    def create(self, run: TrackedRun, tags: Mapping[str, str]) -> Any:
        """Begin a run."""
        own = {**tags, **run.tags}
        return self._client.create_run(self._experiment_id, tags=own, run_name=run.run_name)

    def complete(self, record: Any, run: TrackedRun) -> None:
        """Log all of a run and finish it; what was logged before is the same once more."""
        from mlflow.entities import Metric, Param
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        run_id, begun_ms = record.info.run_id, record.info.start_time
        with tempfile.TemporaryDirectory(prefix="islandflow-run-") as folder:
            for path, data in run.artifacts.items():
                file = Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            # The client's own method would ask for the record once more.
            get_artifact_repository(record.info.artifact_uri, self._uri).log_artifacts(folder)
        metrics = [Metric(name, value, begun_ms, 0) for name, value in run.metrics.items()]
        params = [Param(name, value) for name, value in run.params.items()]
        self._client.log_batch(run_id, metrics=metrics, params=params, synchronous=True)
        self._client.set_terminated(run_id)

    def _open(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return self._client.create_experiment(name)
            except Exception:
                # Somebody else may have made it meanwhile.
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise ConfigurationError(
                "TRACKING_EXPERIMENT_DELETED",
                f"the experiment {name!r} is deleted there",
                name,
                ("restore it, or name another one",),
            )
        return found.experiment_id

    def _search(self, condition: str) -> dict[str, Any]:
        """Records by local run id; of several the finished one."""
        records: dict[str, Any] = {}
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id], condition, max_results=PAGE, page_token=token
            )
            for record in page:
                key = record.data.tags.get(LOCAL_RUN_ID, "")
                if key not in records or is_finished(record):
                    records[key] = record
            token = page.token
            if not token:
                return records


class Delivery:
    """One run on its way: called until it succeeds, it arrives once."""

    def __init__(self, client: TrackingClient, run: TrackedRun, tags: dict[str, str]) -> None:
        self._client, self._run, self._tags = client, run, tags
        self._is_begun = False

    def __call__(self) -> bool:
        """Send it; False if the server had it before."""
        if self._is_begun:
            # The answer of the last attempt may be all that was lost.
            record = self._client.find(self._run)
        else:
            record = self._client.known(self._run)
            if record is not None and is_finished(record):
                return False
        self._is_begun = True
        record = record or self._client.create(self._run, self._tags)
        if not is_finished(record):
            self._client.complete(record, self._run)
        return True


def is_finished(record: Any) -> bool:
    """Whether a run has been sent whole."""
    return record.info.status == _FINISHED


_BROKEN_OFF: Final = ("without response", "Connection aborted", "Connection broken")


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may help: no answer, too many requests, or the server's own fault."""
    if isinstance(error, ConfigurationError):
        return False
    status = _status(error)
    if status is None:
        return isinstance(error, OSError)
    return status == _TOO_MANY_REQUESTS or status >= 500


def reason(error: BaseException, uri: str) -> str:
    """What went wrong in a few words, without what `uri` may keep secret."""
    if isinstance(error, IslandflowError):
        hint = f"; {error.hints[0]}" if error.hints else ""
        return f"{error.message}{hint}"
    text = _without_secrets(" ".join(str(error).split()), uri)
    refused = re.search(r"\[Errno -?\d+\] ([^'\")>]+)", text)
    if refused:
        return f"it does not answer: {refused[1]}"
    if any(broken in text for broken in _BROKEN_OFF):
        return "it does not answer: it broke off the connection"
    if "timed out" in text or "timeout" in text:
        return f"it does not answer within {REQUEST_S} s"
    return text[:300] or type(error).__name__


def _without_secrets(text: str, uri: str) -> str:
    """Text of the client, which quotes the address whole and in parts."""
    text = text.replace(uri.rstrip("/"), shown(uri))
    try:
        parts = urlsplit(uri)
        secrets = (parts.username, parts.password, parts.path.strip("/"), parts.query)
    except ValueError:
        return text
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def shown(uri: str) -> str:
    """Scheme, host and port of `uri`: user, password, path and query may be secrets."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "its address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _status(error: BaseException) -> int | None:
    """Status of the answer, where there was one; the client calls a connection's failure 500."""
    response = getattr(error, "response", None)
    if response is not None:
        return int(response.status_code)
    status = getattr(error, "get_http_status_code", None)
    return None if status is None else int(status())


def _refuse_uri(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_address = False
    if not is_address:
        # Anything else would be taken for a folder or a database and written to.
        raise ConfigurationError(
            "TRACKING_URI_INVALID",
            "it is no http:// or https:// address",
            "",
            ("write scheme, host and port, e.g. http://127.0.0.1:5000",),
        )


def _make_client(uri: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient
    except ImportError as error:
        raise ConfigurationError(
            "TRACKING_CLIENT_MISSING",
            f"its client cannot be imported: {error}",
            "",
            ("install it with: pip install 'islandflow[mlflow]'",),
        ) from error
    return MlflowClient(tracking_uri=uri)


def _same_config(run: TrackedRun) -> str:
    value = run.tags.get(CONFIG_HASH)
    return f"tags.{CONFIG_HASH} = {_quoted(value)}" if value else ""


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"
