"""Reading documents from the command line's files, with errors that name the file.

What a document may say is decided in ``contracts``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from contracts.canonical import MAX_DOCUMENT_BYTES
from contracts.errors import ContractError, Problem

T = TypeVar("T")


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
            ("give the path of a document, JSON or YAML",),
        ) from error


def all_valid(files: list[Path], load: Callable[[bytes], T]) -> list[T]:
    """Every document of one kind, see `all_loaded`."""
    return all_loaded([(path, load) for path in files])


def all_loaded(files: Sequence[tuple[Path, Callable[[bytes], T]]]) -> list[T]:
    """Every document, or the problems of all of them at once."""
    documents: list[T] = []
    problems: list[tuple[Path, Problem]] = []
    for path, load in files:
        try:
            documents.append(load(read_file(path)))
        except ContractError as error:
            problems += [(path, problem) for problem in error.problems]
    if not problems:
        return documents
    for path, problem in problems:
        sys.stderr.write(f"{one_line(path)}: {one_line(problem)}\n")
    raise typer.Exit(2)


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Refuse arguments of bytes that are no text: no name of anything here is one.

    Raises
    ------
    ContractError
        ``ARGUMENTS_INVALID``.
    """
    for argument in arguments:
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ContractError(
                "ARGUMENTS_INVALID",
                f"the argument {one_line(argument)[:120]!r} is not UTF-8",
                hints=("write it in UTF-8; rename the file if it is one's name",),
            ) from error


def one_line(text: object) -> str:
    """Text without what would break the line or steer the terminal: documents quote anything."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in str(text)
    )
