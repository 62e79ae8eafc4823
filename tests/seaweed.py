"""A real S3 store for tests: SeaweedFS on loopback, with checked signatures.

The process itself is tests/server_process.py's, the fixtures are in tests/servers.py.
"""

from __future__ import annotations

import functools
import http.client
import json
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from islandflow_resources.s3_store import S3Store
from islandflow_resources.settings import S3Settings
from tests.server_process import Server, free_port, server_folder


@dataclass
class S3Server:
    """A running S3 store with one administrator and one reader."""

    server: Server
    endpoint: str
    access_key: str
    secret_key: str
    reader_access_key: str
    reader_secret_key: str

    @functools.cached_property
    def _store(self) -> S3Store:
        return S3Store(self.settings("none"))

    def client(self) -> Any:
        """A boto3 client with the administrator's rights."""
        return self._store.client

    def settings(self, bucket: str) -> S3Settings:
        """Settings of a bucket for the administrator."""
        return S3Settings(self.endpoint, bucket, "us-east-1", self.access_key, self.secret_key)

    def reader_settings(self, bucket: str) -> S3Settings:
        """Settings of a bucket for an identity that may not write."""
        keys = (self.reader_access_key, self.reader_secret_key)
        return S3Settings(self.endpoint, bucket, "us-east-1", *keys)

    def create_bucket(self) -> str:
        """Make a fresh bucket and return its name."""
        name = f"lake-{secrets.token_hex(6)}"
        self.client().create_bucket(Bucket=name)
        return name


@contextmanager
def run_s3_server(path: Path | None = None, identities: str = "") -> Iterator[S3Server]:
    """Run SeaweedFS's S3 store, with its data in `path` or in a folder of its own.

    Parameters
    ----------
    identities : str
        Who there is and may do what, in place of its own administrator and reader.
    """
    with server_folder("s3-", path) as folder:
        keys = [secrets.token_hex(8) for _ in range(4)]
        (folder / "s3.json").write_text(identities or _identities(*keys), "utf-8")
        server, ports = _start_seaweed(folder, temporary=path is None)
        try:
            yield S3Server(server, f"http://127.0.0.1:{ports[0]}", *keys)
        finally:
            server.kill()
            _remove(_sockets(ports))


def _start_seaweed(folder: Path, *, temporary: bool) -> tuple[Server, list[int]]:
    """Start on fresh ports, again if somebody took one meanwhile."""
    (folder / "data").mkdir(exist_ok=True)
    weed = Path(sys.executable).with_name("weed")
    for attempt in range(3):
        ports = [free_port() for _ in range(4)]
        s3, master, volume, filer = ports
        # A bucket takes several volumes; without a bound, free disk decides how many there may be.
        # The parts that a store needs, without the administration that ``mini`` starts beside them;
        # a lone master that was killed waits as long as an election lasts before it leads again.
        command = f"""{weed} -logtostderr=true server -filer -s3 -dir={folder / "data"}
            -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.telemetry=false -master.port={master}
            -volume.port={volume} -filer.port={filer} -s3.port={s3} -s3.port.iceberg=0
            -s3.port.lance=0 -s3.config={folder / "s3.json"}
            -s3.allowDeleteBucketNotEmpty=false -s3.autoCreateBucket=false
            -s3.concurrentUploadLimitMB=128 -volume.max=10000 -volume.preStopSeconds=0
            -master.volumeSizeLimitMB=128 -master.electionTimeout=1s
            -master.heartbeatInterval=100ms"""
        environment = {"GOMEMLIMIT": "512MiB", "HOME": str(folder)}
        ready = functools.partial(_is_healthy, s3)
        server = Server(command.split(), folder, ready, signal.SIGTERM, signal.SIGKILL, environment)
        server.rubbish = [*_sockets(ports), *([str(folder)] if temporary else [])]
        try:
            server.start()
        except RuntimeError:
            _remove(_sockets(ports))
            if attempt == 2:
                raise
        else:
            return server, ports
    raise AssertionError("unreachable")


def _sockets(ports: list[int]) -> list[str]:
    """What the server leaves in the temporary folder, whatever the environment says."""
    names = ("s3", "master", "volume", "filer")
    plain = [f"seaweedfs-{name}-{port}.sock" for name, port in zip(names, ports, strict=True)]
    grpc = [
        f"seaweedfs-{name}-grpc-{port + 10_000}.sock"
        for name, port in zip(names, ports, strict=True)
    ]
    return [str(Path("/tmp") / name) for name in (*plain, *grpc)]


def _remove(paths: list[str]) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _identities(admin: str, admin_secret: str, reader: str, reader_secret: str) -> str:
    def identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
        credentials = [{"accessKey": key, "secretKey": secret}]
        return {"name": name, "credentials": credentials, "actions": actions}

    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps(
        {
            "identities": [
                identity("admin", admin, admin_secret, everything),
                identity("reader", reader, reader_secret, ["Read", "List"]),
            ]
        }
    )
