"""The object store's contract: immutable objects under checked keys, never overwritten.

The two places that keep it are ``folder_store`` and ``s3_store``. What the bytes
mean, and whether they are right, is judged in ``tables`` and by the callers'
content digests; which objects exist on purpose is recorded in ``database``.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from blake3 import blake3

from contracts.errors import ContractError, IntegrityError

Item = TypeVar("Item")
Result = TypeVar("Result")

QUARANTINE = "quarantine/"
STAGING = ".staging"
CONCURRENCY = 8
MAX_KEY_BYTES = 960
"""S3 allows 1,024: the rest is room for the quarantine's prefix."""
REFRESHED_AFTER = timedelta(hours=12)
"""An object that is wanted again is made young if it is older: a sweep takes none under a day."""
_COMPONENT = re.compile(r"[a-z0-9_=-](?:[a-z0-9._=-]*[a-z0-9_=-])?")

_OUTSIDE = frozenset({"", ".", "..", STAGING})


def checked_key(key: str) -> str:
    """Return `key` unchanged, or refuse what some store would alias, hide or refuse.

    Components of ``[a-z0-9._=-]``, 1 to 255 long, neither starting nor ending with a
    dot, joined by single slashes; at most `MAX_KEY_BYTES` in all.

    Raises
    ------
    ContractError
        ``KEY_INVALID``.
    """
    if not _is_short(key):
        raise _key_error(key, f"is longer than {MAX_KEY_BYTES}, or a part of it than 255")
    if not is_own(key):
        raise _key_error(key, "is not made of parts of a-z 0-9 . _ = - joined by single slashes")
    return key


def is_own(key: str) -> bool:
    """Whether `checked_key` lets a key pass."""
    return _is_short(key) and all(_COMPONENT.fullmatch(part) for part in key.split("/"))


def _is_short(key: str) -> bool:
    return len(key) <= MAX_KEY_BYTES and all(len(part) <= 255 for part in key.split("/"))


def readable_key(key: str) -> str:
    """Return `key` unchanged, or refuse what could escape the store.

    Wider than `checked_key`, because people drop files of any name into an inbox; but what some
    file system or server might fold into such a key is refused with it.

    Raises
    ------
    ContractError
        ``KEY_INVALID``.
    """
    if not is_readable(key):
        raise _key_error(key, "is empty, too long, or leads out of the store")
    return key


def is_readable(key: str) -> bool:
    """Whether `readable_key` lets a key pass."""
    folded = unicodedata.normalize("NFKC", key)
    return (
        key.isprintable()
        and len(key.encode("utf-8", "replace")) <= MAX_KEY_BYTES + 64
        and folded.count("/") == key.count("/")
        and not any(_OUTSIDE.intersection(form.split("/")) for form in (key, folded))
    )


def readable_prefix(prefix: str) -> str:
    """Return the beginning of keys unchanged, or refuse what could list something else.

    Raises
    ------
    ContractError
        ``KEY_INVALID``.
    """
    folders = prefix.split("/")[:-1]
    if "\0" in prefix or {"", ".", ".."}.intersection(folders):
        raise _key_error(prefix, "is no beginning of a key: it leads out of the store")
    return prefix


class ObjectStore(ABC):
    """Immutable objects by key; safe for concurrent writers in many processes.

    Instances hold no connection until first use, can be pickled and survive a
    fork. Methods raise `StoreUnavailableError` after patient retries if the store
    stays away, and `ConfigurationError` if it refuses the credentials or bucket.

    Attributes
    ----------
    first_write : callable or None
        Called once, before this process writes its first object. Copies that are pickled have
        none: who sends them has one.
    """

    first_write: Callable[[], object] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "first_write"}

    def before_write(self, key: str) -> None:
        """Call `first_write` if that is due; what is set aside does not count as written."""
        due = self.first_write
        if due is None or key.startswith(QUARANTINE):
            return
        self.first_write = None
        try:
            due()
        except BaseException:
            self.first_write = due
            raise

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object, whole and durable, or leave the existing one alone.

        Returns
        -------
        bool
            True if it was certainly this call that created it. False if an object
            was there: possibly one this very call wrote in an attempt whose answer
            was lost, so compare contents.
        """

    @abstractmethod
    def put_file_if_absent(self, key: str, path: Path) -> bool:
        """As `put_if_absent`, streaming a local file."""

    @abstractmethod
    def get(self, key: str) -> bytes:
        """Whole object.

        Raises
        ------
        NotFoundError
            ``OBJECT_NOT_FOUND``.
        """

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """Seekable reader that fetches only what is read, for row-group streaming.

        Raises
        ------
        NotFoundError
            ``OBJECT_NOT_FOUND``.
        """

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether an object of exactly this key is there."""

    @abstractmethod
    def keys(self, prefix: str = "") -> list[str]:
        """All keys that start with the text `prefix`, sorted by their bytes.

        Raises
        ------
        ContractError
            ``KEY_INVALID`` for a prefix that leads out of the store.
        """

    @abstractmethod
    def set_aside(self, key: str, root: str) -> str:
        """Move the object to ``{root}{token}/{key}``; return that key.

        Nothing is lost at any instant: a crash in between may leave two copies.

        Raises
        ------
        NotFoundError
            ``OBJECT_NOT_FOUND``.
        """

    def quarantine(self, key: str) -> str:
        """Set aside a damaged or broken object, see `set_aside`."""
        return self.set_aside(key, QUARANTINE)

    @property
    @abstractmethod
    def root_uri(self) -> str:
        """Address of the store, ending in a slash."""

    @abstractmethod
    def check(self) -> str:
        """Prove that an object can be written and read; return a sentence saying where."""

    def uri(self, key: str) -> str:
        """Address of an object, e.g. ``s3://bucket/key`` or ``file:///folder/key``."""
        return self.root_uri + readable_key(key)

    def parse_uri(self, uri: str) -> str:
        """Key of an address of this store; a bare key is returned as it is.

        Raises
        ------
        ContractError
            ``URI_ELSEWHERE`` if the address belongs to another store.
        """
        if uri.startswith(self.root_uri):
            return readable_key(uri.removeprefix(self.root_uri))
        if "://" in uri or uri.startswith("/"):
            raise ContractError(
                "URI_ELSEWHERE",
                f"{uri!r} is not an object of the store in use, {self.root_uri}",
                uri,
                ("set the ISLANDFLOW_* variables of the profile that the object belongs to",),
            )
        return readable_key(uri)

    def concurrently(self, action: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Results of `action` in the order of `items`, up to `CONCURRENCY` at once.

        For batches of small objects: waiting for the disk or the server dominates
        them, and concurrent waits are served together. All items are tried; then
        the first failure in order is raised.
        """
        work = list(items)
        if len(work) < 2:
            return [action(item) for item in work]
        with ThreadPoolExecutor(min(CONCURRENCY, len(work)), "islandflow-store") as pool:
            futures = [pool.submit(action, item) for item in work]
        return [future.result() for future in futures]

    def put_exact(self, key: str, data: bytes) -> bool:
        """`put_if_absent`, and an existing object must hold the same bytes.

        Raises
        ------
        IntegrityError
            ``OBJECT_DIFFERS``, naming the key and both digests.
        """
        if self.put_if_absent(key, data):
            return True
        ours, theirs = file_digest(data), file_digest(self.get(key))
        if ours == theirs:
            return False
        raise IntegrityError(
            "OBJECT_DIFFERS",
            f"cannot store {self.uri(key)}: an object with other bytes is there, "
            f"stored {theirs}, ours {ours}",
            key,
            (f"look at both, then run: islandflow repair {self.uri(key)}",),
        )


def file_digest(data: bytes | memoryview) -> str:
    """BLAKE3 over raw bytes, as ``blake3:…``; not the content digest of a table."""
    return f"blake3:{blake3(data).hexdigest()}"


def aside_key(root: str, key: str) -> str:
    """A fresh place below `root` that keeps the object's own name readable."""
    return f"{root}{secrets.token_hex(6)}/{readable_key(key)}"


def _key_error(key: str, what: str) -> ContractError:
    quoted = repr(key[:120])
    return ContractError(
        "KEY_INVALID",
        f"the object key {quoted} {what}",
        key[:120] if key.isprintable() else quoted,
        ("write a key such as scenarios/trend-up/seed=7/v1/dataset.parquet",),
    )
