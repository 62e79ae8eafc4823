"""The object store in an S3-compatible bucket, for the services profile.

Names are given by conditional requests (``If-None-Match: *``), so a writer never
overwrites. The contract lives in ``object_store``, the order of a large upload
in ``s3_multipart``, what a failure means in ``s3_errors``, the local folder in ``folder_store``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from contracts.errors import (
    ConfigurationError,
    IslandflowError,
    NotFoundError,
    StoreUnavailableError,
)
from islandflow_resources.object_store import (
    QUARANTINE,
    REFRESHED_AFTER,
    ObjectStore,
    aside_key,
    checked_key,
    readable_key,
    readable_prefix,
)
from islandflow_resources.retries import Patience, patiently
from islandflow_resources.s3_errors import client_error, given_up, status_of, transient

if TYPE_CHECKING:
    from islandflow_resources.settings import S3Settings

T = TypeVar("T")

LARGE_BYTES = 16 << 20
"""From here on objects go up in parts."""
_READ_AHEAD_BYTES = 1 << 20
_COPY_LIMIT_BYTES = 5 << 30
"""What S3 copies in one request."""
_CLIENTS: dict[tuple[int, str, str, str, str], Any] = {}


class S3Store(ObjectStore):
    """Objects in one bucket that must exist; clients are made at first use."""

    def __init__(self, settings: S3Settings, patience: Patience | None = None) -> None:
        self.settings = settings
        self.patience = patience or Patience()

    def __repr__(self) -> str:
        return f"S3Store({self.settings.endpoint!r}, bucket={self.settings.bucket!r})"

    @property
    def root_uri(self) -> str:
        return f"s3://{self.settings.bucket}/"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        checked_key(key)
        self.before_write(key)
        if len(data) >= LARGE_BYTES:
            return self._upload(key, io.BytesIO(data), len(data))

        def put() -> bool:
            arguments = {"Key": key, "Body": data, "IfNoneMatch": "*"}
            self.client.put_object(Bucket=self.settings.bucket, **arguments)
            return True

        return self.call("write", key, put, exists=False) or self._wanted(key)

    def put_file_if_absent(self, key: str, path: Path) -> bool:
        checked_key(key)
        self.before_write(key)
        size = path.stat().st_size
        if size < LARGE_BYTES:
            return self.put_if_absent(key, path.read_bytes())
        with path.open("rb") as file:
            return self._upload(key, file, size)

    def _upload(self, key: str, source: BinaryIO, size: int) -> bool:
        from islandflow_resources.s3_multipart import upload_if_absent

        if not self.exists(key) and upload_if_absent(self, key, source, size):
            return True
        return self._wanted(key)

    def _wanted(self, key: str) -> bool:
        """Let a sweep see that somebody still wants an old object: it is copied onto itself.

        Returns
        -------
        bool
            False: the object was not created here.
        """
        its = {"Bucket": self.settings.bucket, "Key": key}
        with suppress(NotFoundError):  # as if it had never been there: whoever reads it, finds out
            head = self._head(key)
            age, size = datetime.now(UTC) - head["LastModified"], int(head["ContentLength"])
            if age > REFRESHED_AFTER and size <= _COPY_LIMIT_BYTES:
                copy = {**its, "CopySource": its, "CopySourceIfMatch": head["ETag"]}
                copy["MetadataDirective"] = "REPLACE"
                self.call("keep", key, lambda: self.client.copy_object(**copy), exists=None)
        return False

    def get(self, key: str) -> bytes:
        def read() -> bytes:
            answer = self.client.get_object(Bucket=self.settings.bucket, Key=readable_key(key))
            return answer["Body"].read()

        return self.call("read", key, read)

    def open(self, key: str) -> BinaryIO:
        head = self._head(key)
        reader = _RangeReader(self, key, int(head["ContentLength"]), str(head["ETag"]))
        return io.BufferedReader(reader, _READ_AHEAD_BYTES)

    def exists(self, key: str) -> bool:
        try:
            self._head(key)
        except NotFoundError:
            return False
        return True

    def _head(self, key: str) -> dict[str, Any]:
        try:
            return self.call("look up", key, lambda: self._head_once(key))
        except NotFoundError:
            # A HEAD has no body: only the bucket itself can say whether it is what is missing.
            self.call("find the bucket for", key, self._head_bucket)
            raise

    def _head_once(self, key: str) -> dict[str, Any]:
        return self.client.head_object(Bucket=self.settings.bucket, Key=readable_key(key))

    def _head_bucket(self) -> None:
        try:
            self.client.head_bucket(Bucket=self.settings.bucket)
        except client_error() as error:
            if status_of(error) == 404:
                raise self._no_bucket() from error
            raise

    def read_range(self, key: str, start: int, stop: int, etag: str) -> bytes:
        """Bytes ``start … stop − 1`` of exactly the object that answered with `etag`."""

        def read() -> bytes:
            answer = self.client.get_object(
                Bucket=self.settings.bucket,
                Key=readable_key(key),
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=etag,
            )
            return answer["Body"].read()

        return self.call("read", key, read)

    def keys(self, prefix: str = "") -> list[str]:
        readable_prefix(prefix)
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.call("list", prefix, lambda token=token: self._page(prefix, token))
            found.extend(item["Key"] for item in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return sorted(found, key=lambda key: key.encode())
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: str, token: dict[str, str]) -> dict[str, Any]:
        return self.client.list_objects_v2(Bucket=self.settings.bucket, Prefix=prefix, **token)

    def set_aside(self, key: str, root: str) -> str:
        target, etag = aside_key(root, key), str(self._head(key)["ETag"])
        source = {"Bucket": self.settings.bucket, "Key": key}

        def copy() -> None:
            self.client.copy_object(
                Bucket=self.settings.bucket, Key=target, CopySource=source, CopySourceIfMatch=etag
            )

        def delete() -> None:
            # Only the very object that was copied: a repaired one may have taken its place.
            self.client.delete_object(Bucket=self.settings.bucket, Key=key, IfMatch=etag)

        self.call("set aside", key, copy)
        self.call("set aside", key, delete, exists=None)
        return target

    def check(self) -> str:
        """Prove access: write, read and drop one small object in quarantine."""
        key = aside_key(QUARANTINE, "access-check")
        self.put_if_absent(key, b"islandflow")
        self.get(key)
        bucket = self.settings.bucket
        self.call("delete", key, lambda: self.client.delete_object(Bucket=bucket, Key=key))
        return f"bucket {bucket} at {self.settings.endpoint} is readable and writable"

    @property
    def client(self) -> Any:
        """This process's boto3 client for these credentials; stores of one server share it."""
        its = self.settings
        # A connection pool must not cross a fork.
        identity = (os.getpid(), its.endpoint, its.region, its.access_key, its.secret_key)
        client = _CLIENTS.get(identity)
        if client is None:
            client = _CLIENTS.setdefault(identity, _make_client(its))
        return client

    def call(self, verb: str, key: str, action: Callable[[], T], **answers: T) -> T:
        """Run one request patiently and translate what it raises.

        Parameters
        ----------
        verb, key : str
            For messages.
        action : callable
            Sends the request; called again after transient errors.
        **answers
            ``exists``: what to return when the precondition fails.
        """
        where = f"{self.root_uri}{key}"
        try:
            return patiently(
                action,
                what=f"{verb} {where} at {self.settings.endpoint}",
                transient=transient,
                give_up=lambda tried, last: given_up(tried, last, where),
                patience=self.patience,
            )
        except client_error() as error:
            if "exists" in answers and status_of(error) == 412:
                return answers["exists"]
            raise self._translated(verb, where, error) from error

    def _translated(self, verb: str, where: str, error: Any) -> IslandflowError:
        code, status = error.response["Error"].get("Code", ""), status_of(error)
        if code == "NoSuchBucket":
            return self._no_bucket()
        if status == 404:
            return NotFoundError(
                "OBJECT_NOT_FOUND",
                f"cannot {verb} {where}: there is no such object",
                where,
                ("list the prefix above it, or materialise the partition that makes it",),
            )
        if status in (401, 403):
            return ConfigurationError(
                "STORE_ACCESS_DENIED",
                f"cannot {verb} {where}: {self.settings.endpoint} refuses the credentials ({code})",
                where,
                ("check ISLANDFLOW_S3_ACCESS_KEY, ISLANDFLOW_S3_SECRET_KEY, rights and clock",),
            )
        if status == 412:
            message = f"cannot {verb} {where}: the object changed meanwhile"
            hint = "run again"
            return StoreUnavailableError("OBJECT_CHANGED", message, where, (hint,))
        return ConfigurationError(
            "STORE_REFUSED",
            f"cannot {verb} {where}: {self.settings.endpoint} answered {status} {code}: "
            f"{error.response['Error'].get('Message', '')}",
            where,
            ("the server must be S3-compatible with conditional writes; see islandflow doctor",),
        )

    def _no_bucket(self) -> ConfigurationError:
        return ConfigurationError(
            "BUCKET_NOT_FOUND",
            f"there is no bucket {self.settings.bucket!r} at {self.settings.endpoint}",
            "ISLANDFLOW_S3_BUCKET",
            ("create it, or correct ISLANDFLOW_S3_BUCKET",),
        )


class _RangeReader(io.RawIOBase):
    """Random access to one version of one object."""

    def __init__(self, store: S3Store, key: str, size: int, etag: str) -> None:
        self._store, self._key, self._size, self._etag = store, key, size, etag
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        stop = min(self._position + len(view), self._size)
        if stop <= self._position:
            return 0
        data = self._store.read_range(self._key, self._position, stop, self._etag)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def _make_client(settings: S3Settings) -> Any:
    # Imported here: half a second that the embedded profile never needs.
    from boto3.session import Session
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=32,
        s3={"addressing_style": "path"},
    )
    return Session().client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        config=config,
    )
