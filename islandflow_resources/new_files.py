"""Files that appear whole under a name or not at all, and never in place of another.

For what a command writes where its user says. Objects of the store have their own rules,
in ``object_store``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import ContractError


def refuse_taken(path: Path) -> None:
    """Refuse a name under which no new file can be made, before any work is done for it.

    Raises
    ------
    ContractError
        ``FILE_EXISTS`` or ``FILE_NOT_WRITABLE``.
    """
    if path.exists() or path.is_symlink():
        raise _exists(path)
    folder = path.parent
    if not folder.is_dir():
        raise _not_writable(path, f"there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _not_writable(path, f"folder {folder} cannot be written to")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; what was written there becomes it at the end.

    Nothing is left under either name if the block raises.

    Raises
    ------
    ContractError
        As `refuse_taken`, also if another file has taken the name meanwhile, or if
        writing fails.
    """
    refuse_taken(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _exists(path: Path) -> ContractError:
    what = f"cannot write {path}: it exists, and nothing is overwritten"
    return ContractError("FILE_EXISTS", what, str(path), ("give another name",))


def _not_writable(path: Path, why: str) -> ContractError:
    what = f"cannot write {path}: {why}"
    hint = "give a name in a folder that exists and can be written to"
    return ContractError("FILE_NOT_WRITABLE", what, str(path), (hint,))
