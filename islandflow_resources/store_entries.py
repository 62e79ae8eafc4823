"""What a sweep needs of a store: objects with size and time, what was never finished, removal.

Nothing else deletes: everybody else only adds, or sets aside. Which objects may go is decided in
``references`` and ``garbage``; the contract that objects are immutable lives in ``object_store``.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from contracts.errors import NotFoundError
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.object_store import STAGING, ObjectStore, readable_key
from islandflow_resources.s3_store import S3Store


@dataclass(frozen=True, slots=True)
class Entry:
    """An object that lies in a store.

    Attributes
    ----------
    key : str
    size_bytes : int
    modified : datetime
        When it was written, or found again by somebody who would have written the same; UTC.
    """

    key: str
    size_bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a killed writer left: a staged file, or an upload in parts; nobody can read it.

    Attributes
    ----------
    key : str
        Of the object that it was to become; of a staged file, its own name.
    token : str
        How the store calls it.
    begun : datetime
        UTC.
    """

    key: str
    token: str
    begun: datetime


def entries(store: ObjectStore, prefix: str = "") -> list[Entry]:
    """Objects whose keys start with the text `prefix`, in the order of their bytes."""
    if isinstance(store, S3Store):
        found = [_s3_entry(item) for item in _s3_objects(store, prefix)]
    else:
        found = [one for key in store.keys(prefix) if (one := _file_entry(_folder(store), key))]
    return sorted(found, key=lambda one: one.key.encode())


def unfinished(store: ObjectStore, prefix: str = "") -> list[Unfinished]:
    """What was begun below `prefix` and not finished; staged files of a folder have no prefix."""
    if isinstance(store, S3Store):
        return _s3_uploads(store, prefix)
    found: list[Unfinished] = []
    staging = _folder(store).root / STAGING
    for path in sorted(staging.iterdir()) if staging.is_dir() else []:
        with suppress(FileNotFoundError):
            found.append(Unfinished(f"{STAGING}/{path.name}", str(path), _time_of(path)))
    return found


def remove(store: ObjectStore, entry: Entry) -> bool:
    """Delete an object unless it has been written or found again since it was listed.

    Returns
    -------
    bool
        Whether it is gone by this call.
    """
    if isinstance(store, S3Store):
        return _s3_remove(store, entry)
    folder = _folder(store)
    path = folder.root / readable_key(entry.key)
    staged = folder.root / STAGING / f"sweep-{secrets.token_hex(8)}"
    staged.parent.mkdir(exist_ok=True)
    try:
        # Out of the way first: a writer who found it here has touched it, one who comes now
        # finds nothing and writes it again.
        os.rename(path, staged)
    except FileNotFoundError:
        return False
    if _time_of(staged) != entry.modified:
        with suppress(FileExistsError):
            os.link(staged, path)
        staged.unlink()
        return False
    staged.unlink()
    _remove_empty(path.parent, folder.root)
    return True


def drop(store: ObjectStore, begun: Unfinished) -> None:
    """Forget what was never finished; that it is gone already is no error."""
    if not isinstance(store, S3Store):
        Path(begun.token).unlink(missing_ok=True)
        return
    upload = {"Bucket": store.settings.bucket, "Key": begun.key, "UploadId": begun.token}
    client = store.client

    def abort() -> None:
        try:
            client.abort_multipart_upload(**upload)
        except client.exceptions.NoSuchUpload:
            return

    store.call("drop the unfinished upload of", begun.key, abort)


def store_time(store: ObjectStore) -> datetime:
    """Time, in UTC, that the store would date an object with now."""
    if isinstance(store, S3Store):
        client, its = store.client, {"Bucket": store.settings.bucket}
        answer = store.call("ask for the time of", "", lambda: client.head_bucket(**its))
        told = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(told).astimezone(UTC)
    with _folder(store).staged_file() as path:
        return _time_of(path)


def _folder(store: ObjectStore) -> FolderStore:
    assert isinstance(store, FolderStore)
    return store


def _file_entry(store: FolderStore, key: str) -> Entry | None:
    path = store.root / key
    try:
        return Entry(key, path.stat().st_size, _time_of(path))
    except FileNotFoundError:
        return None


def _time_of(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _remove_empty(folder: Path, root: Path) -> None:
    """Take away folders that hold nothing any more; a writer makes them again."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def _s3_objects(store: S3Store, prefix: str) -> list[dict[str, Any]]:
    paginator = store.client.get_paginator("list_objects_v2")

    def read() -> list[dict[str, Any]]:
        pages = paginator.paginate(Bucket=store.settings.bucket, Prefix=prefix)
        return [item for page in pages for item in page.get("Contents", ())]

    return store.call("list", prefix, read)


def _s3_entry(item: dict[str, Any]) -> Entry:
    return Entry(item["Key"], int(item["Size"]), item["LastModified"].astimezone(UTC))


def _s3_uploads(store: S3Store, prefix: str) -> list[Unfinished]:
    paginator = store.client.get_paginator("list_multipart_uploads")

    def read() -> list[Unfinished]:
        pages = paginator.paginate(Bucket=store.settings.bucket, Prefix=prefix)
        return [
            Unfinished(one["Key"], one["UploadId"], one["Initiated"].astimezone(UTC))
            for page in pages
            for one in page.get("Uploads", ())
        ]

    return store.call("list the unfinished uploads of", prefix, read)


def _s3_remove(store: S3Store, entry: Entry) -> bool:
    its = {"Bucket": store.settings.bucket, "Key": entry.key}

    def delete() -> bool:
        head = store.client.head_object(**its)
        # A header tells whole seconds.
        if head["LastModified"].astimezone(UTC) > entry.modified:
            return False
        store.client.delete_object(**its, IfMatch=head["ETag"])
        return True

    try:
        return store.call("delete", entry.key, delete, exists=False)
    except NotFoundError:
        return False
