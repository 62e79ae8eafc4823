"""The object store in a local folder, for the embedded profile.

An object appears under its name by one `link` of a complete, synced file, so a
killed writer leaves nothing but a nameless file in ``.staging``, which nothing
lists. The contract lives in ``object_store``, the bucket in ``s3_store``.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from contracts.errors import (
    ConfigurationError,
    ContractError,
    NotFoundError,
    StoreUnavailableError,
)
from islandflow_resources.object_store import (
    REFRESHED_AFTER,
    STAGING,
    ObjectStore,
    aside_key,
    checked_key,
    readable_key,
    readable_prefix,
)

_LASTING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTSUP, errno.ENOTDIR, errno.EEXIST)
"""What the operating system says of a place that waiting does not mend."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""And of one that has no room."""
_ATTEMPTS = 10
"""At a name whose folder is taken away."""


class FolderStore(ObjectStore):
    """Objects as files below `root`, which is made when first written to."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))

    def __repr__(self) -> str:
        return f"FolderStore({str(self.root)!r})"

    @property
    def root_uri(self) -> str:
        return f"file://{quote(str(self.root))}/"

    def uri(self, key: str) -> str:
        return self.root_uri + quote(readable_key(key), safe="/=")

    def parse_uri(self, uri: str) -> str:
        if uri.startswith("file://"):
            uri = unquote(uri.removeprefix("file://"))
        inside = f"{self.root}/"
        return super().parse_uri(uri.removeprefix(inside) if uri.startswith(inside) else uri)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._publish(key, lambda staged: _write(staged, data))

    def put_file_if_absent(self, key: str, path: Path) -> bool:
        return self._publish(key, lambda staged: _copy(path, staged))

    def get(self, key: str) -> bytes:
        with self.open(key) as file, _translated("read", self.uri(key)):
            return file.read()

    def open(self, key: str) -> BinaryIO:
        with _translated("read", self.uri(key)):
            return self._path(key).open("rb")

    def exists(self, key: str) -> bool:
        with _translated("look up", self.uri(key)):
            return self._path(key).is_file()

    def keys(self, prefix: str = "") -> list[str]:
        folder = readable_prefix(prefix).rpartition("/")[0]
        with _translated("list", self.root_uri + prefix):
            staging = STAGING in folder.split("/")
            found = [] if staging else _walk(self.root / folder, f"{folder}/" if folder else "")
            return sorted(
                (key for key in found if key.startswith(prefix)), key=lambda key: key.encode()
            )

    def set_aside(self, key: str, root: str) -> str:
        target = aside_key(root, key)
        with _translated("set aside", self.uri(key)):
            source = self._path(key)
            os.stat(source)
            _make_folder(self._path(target).parent)
            os.rename(source, self._path(target))
            _sync_folder(self._path(target).parent)
            _sync_folder(source.parent)
        return target

    def check(self) -> str:
        with self.staged_file():
            return f"folder {self.root} is writable"

    @contextmanager
    def staged_file(self) -> Iterator[Path]:
        """A small file that nobody lists, for as long as the block runs."""
        staged = self._staged()
        with _translated("write to", self.root_uri):
            _write(staged, b"islandflow")
            yield staged
            staged.unlink()

    def _path(self, key: str) -> Path:
        return self.root / readable_key(key)

    def _staged(self) -> Path:
        try:
            _make_folder(self.root / STAGING)
        except OSError as error:
            raise _os_error("make the folder", self.root_uri, error) from error
        return self.root / STAGING / f"{os.getpid()}-{secrets.token_hex(8)}"

    def _publish(self, key: str, fill: Callable[[Path], None]) -> bool:
        """Fill a staged file, then give it its name; the name decides who was first."""
        final = self.root / checked_key(key)
        self.before_write(key)
        if _is_wanted(final):
            return False
        staged = self._staged()
        with _translated("write", self.uri(key)):
            try:
                fill(staged)
                _name(staged, final)
            except FileExistsError:
                if final.is_dir():
                    raise
                return False
            finally:
                staged.unlink(missing_ok=True)
            _sync_folder(final.parent)
        return True


def _is_wanted(final: Path) -> bool:
    """Whether the object is there; if so, a sweep shall see that somebody still wants it."""
    if not final.is_file():
        return False
    try:
        if time.time() - final.stat().st_mtime > REFRESHED_AFTER.total_seconds():
            os.utime(final)
            # The file that was touched may be one that a sweep had just taken away and looked at:
            # the operating system finds a file by its name first and touches it afterwards.
            return final.is_file()
    except FileNotFoundError:
        return False
    except OSError:
        pass  # another user's file, or a disk that is read only: it is there all the same
    return True


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _copy(source: Path, path: Path) -> None:
    with source.open("rb") as reader, path.open("xb") as file:
        shutil.copyfileobj(reader, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def _name(staged: Path, final: Path) -> None:
    """Give a staged file its name, again if a sweep takes a folder away that is still empty."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            _make_folder(final.parent)
            os.link(staged, final)
            return
    _make_folder(final.parent)
    os.link(staged, final)


def _make_folder(folder: Path) -> None:
    """Make missing folders and sync the entry of each, so that a name survives a power cut."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name == STAGING:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name


@contextmanager
def _translated(verb: str, where: str) -> Iterator[None]:
    """Turn what the operating system says into the project's errors."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(
            "OBJECT_NOT_FOUND",
            f"cannot {verb} {where}: there is no such object",
            where,
            ("list the folder above it, or materialise the partition that makes it",),
        ) from error
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise ContractError(
            "KEY_IS_FOLDER",
            f"cannot {verb} {where}: a key may not be both an object and a folder of objects",
            where,
            ("choose a key that is no prefix of another",),
        ) from error
    except OSError as error:
        raise _os_error(verb, where, error) from error


def _os_error(verb: str, where: str, error: OSError) -> ConfigurationError | StoreUnavailableError:
    message = f"cannot {verb} {where}: {error.strerror}"
    if error.errno in _LASTING:
        hint = "point ISLANDFLOW_HOME to a writable folder on a file system with hard links"
        return ConfigurationError("STORE_NOT_WRITABLE", message, where, (hint,))
    code = "STORE_FULL" if error.errno in _FULL else "STORE_UNAVAILABLE"
    hint = "free space or mend the disk, then run again: nothing partial was left"
    return StoreUnavailableError(code, message, where, (hint,))
