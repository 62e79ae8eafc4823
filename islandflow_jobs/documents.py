"""Reading documents from the command line's files, with errors that name the file.

What a document may say is decided in ``contracts``.
"""

from __future__ import annotations

from pathlib import Path

from contracts.canonical import MAX_DOCUMENT_BYTES
from contracts.errors import ContractError


def read_file(path: Path) -> bytes:
    """Bytes of a document; more than the allowed size is not even read.

    Raises
    ------
    ContractError
        ``FILE_NOT_READABLE``.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise ContractError(
            "FILE_NOT_READABLE",
            f"cannot read {path}: {error.strerror}",
            str(path),
            ("give the path of a JSON document",),
        ) from error
