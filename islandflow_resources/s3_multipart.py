"""Large objects to S3 in parts, appearing under their name all at once.

The condition is on the request that completes the upload; until then nothing is
visible. Small objects, reading and errors live in ``s3_store``.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from contracts.errors import NotFoundError

if TYPE_CHECKING:
    from islandflow_resources.s3_store import S3Store

PART_BYTES = 16 << 20
MAX_PARTS = 10_000


def upload_if_absent(store: S3Store, key: str, source: BinaryIO, size: int) -> bool:
    """Send `size` bytes of `source` in parts; True if this call gave the key its object."""
    client, bucket = store.client, store.settings.bucket
    upload: dict[str, Any] = {"Bucket": bucket, "Key": key}
    begun = store.call(
        "start writing",
        key,
        lambda: client.create_multipart_upload(**upload, ChecksumAlgorithm="CRC32"),
    )
    upload["UploadId"] = begun["UploadId"]
    try:
        parts = [
            _send(store, upload, number, data)
            for number, data in enumerate(_parts(source, size), start=1)
        ]
        created = _complete(store, upload, parts)
    except BaseException:
        _abort(store, upload)
        raise
    if not created:
        _abort(store, upload)
    return created


def _parts(source: BinaryIO, size: int) -> Iterator[bytes]:
    part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
    while data := source.read(part_bytes):
        yield data


def _send(store: S3Store, upload: dict[str, Any], number: int, data: bytes) -> dict[str, Any]:
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    answer = store.call(
        f"write part {number} of",
        upload["Key"],
        lambda: store.client.upload_part(
            **upload, PartNumber=number, Body=data, ChecksumCRC32=checksum
        ),
    )
    return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": checksum}


def _complete(store: S3Store, upload: dict[str, Any], parts: list[dict[str, Any]]) -> bool:
    def complete() -> bool:
        document = {"Parts": parts}
        store.client.complete_multipart_upload(**upload, MultipartUpload=document, IfNoneMatch="*")
        return True

    try:
        return store.call("finish writing", upload["Key"], complete, exists=False)
    except NotFoundError:
        # An attempt whose answer was lost may have ended the upload: then the object is there.
        if store.exists(upload["Key"]):
            return False
        raise


def _abort(store: S3Store, upload: dict[str, Any]) -> None:
    """Drop the parts; failing to is harmless, so it is tried once and never masks an error."""
    try:
        store.client.abort_multipart_upload(**upload)
    except Exception:
        return
