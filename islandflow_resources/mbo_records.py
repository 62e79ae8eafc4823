"""Market-by-order records as a file holds them: columns, places, and how a refusal reads.

Nothing here reads or judges: decoding is in ``mbo_dbn`` and ``mbo_columns``, what the
records become in ``mbo_rules``, the verbs in ``mbo_files``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.errors import ContractError
from engine.arrays import Ints
from engine.book.events import ACTIONS, SIDES, Events, Letters

Mask = npt.NDArray[np.bool_]

MAX_SIZE: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one stretch of a file.

    Attributes
    ----------
    events : Events
        As the file has them; a time of none is negative, a price of none `NO_PRICE`.
    instruments : ndarray, shape (n,), int64
        What tells instruments apart; zeros where the file has one alone.
    publishers : ndarray, shape (n,), int64
        Venues; zeros where the file names none.
    index_ns : ndarray, shape (n,), int64
        Time that decides which symbol an instrument's id has.
    symbols : ndarray, shape (n,), int64, optional
        Index into `names`, where every record says its symbol.
    names : tuple of str
    has_ids : bool
        Whether `instruments` are ids of the source, not indices into `names`.
    number : int
        Number of the first record in the file, from 0.
    numbers : ndarray, shape (n,), int64, optional
        Numbers of all records where they do not follow one another.
    byte : int
        Offset of the first record among the unpacked bytes, −1 in tables.
    stride : int
        Bytes of a record.
    """

    events: Events
    instruments: Ints
    publishers: Ints
    index_ns: Ints
    symbols: Ints | None = None
    names: tuple[str, ...] = ()
    has_ids: bool = False
    number: int = 0
    numbers: Ints | None = None
    byte: int = -1
    stride: int = 0

    def place(self, row: int) -> str:
        """Where a record is in the file: its number, and its offset if it has one."""
        number = self.number + row if self.numbers is None else int(self.numbers[row])
        if self.byte < 0:
            return f"row {number}"
        return record_place(number, self.byte + row * self.stride)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Records that are none of market by order, by reason."""

    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Source:
    """What a file says of itself before its first record.

    Attributes
    ----------
    path : Path
    form : str
        ``dbn``, ``parquet`` or ``csv``.
    is_raw : bool
        Whether the records are a vendor's, so that times of snapshots are still to be
        set; False for our own layout, where they are.
    dataset, schema : str
        Empty if the file names none.
    version : int
        Of DBN, else 0.
    symbols : tuple of str
        Of the file's symbology, or the one symbol of our own files.
    """

    path: Path
    form: str
    is_raw: bool
    dataset: str = ""
    schema: str = ""
    version: int = 0
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What a file was, and what became of its records.

    ``records`` is always the sum of ``rows`` and of all that was dropped.

    Attributes
    ----------
    path : Path
    form : str
        ``dbn``, ``parquet`` or ``csv``.
    digest : str
        ``blake3:…`` of the file's bytes as they are stored.
    dataset, schema : str
        As the file says; empty if it does not.
    version : int
        Of DBN, else 0.
    symbols : tuple of str
        Of the file, wanted or not.
    symbol : str
        Of the events; empty if none was asked for and the file names none.
    instrument_ids : tuple of int
        Of the events, as far as the file has ids.
    records, rows : int
        Read, and given on.
    dropped : mapping of str to int
        By reason: ``rtype_…``, ``other_instrument``, ``outside_window``,
        ``before_start``, ``no_price``.
    changed : mapping of str to int
        Events given on that differ from their record, by what was done:
        ``snapshot_time``, ``price_zeroed``; and ``snapshot_without_start``, whose time
        stayed as it was.
    is_complete : bool
        Whether the file has been read to its end.
    """

    path: Path
    form: str
    digest: str
    dataset: str
    schema: str
    version: int
    symbols: tuple[str, ...]
    symbol: str
    instrument_ids: tuple[int, ...]
    records: int
    rows: int
    dropped: Mapping[str, int]
    changed: Mapping[str, int]
    is_complete: bool


def record_place(number: int, byte: int) -> str:
    """How the place of a record reads."""
    return f"record {number} at byte {byte}"


def refusal(path: Path, code: str, what: str, hint: str, loc: str = "") -> ContractError:
    """Error of a file that is refused whole.

    Parameters
    ----------
    what : str
        Follows "cannot read the events of PATH:", and the place where there is one.
    loc : str
        Record or row, and column.
    """
    where = f"{loc}: " if loc else ""
    message = f"cannot read the events of {path}: {where}{what}"
    return ContractError(code, message, loc, (hint,))


def known(letters: Letters, alphabet: str) -> Mask:
    """Which letters are of `alphabet`."""
    table = np.zeros(256, np.bool_)
    table[np.frombuffer(alphabet.encode(), np.uint8)] = True
    return table[letters]


def first_bad_letter(events: Events) -> tuple[int, str, str] | None:
    """Row, column and message of the first action or side that is none."""
    for name, letters, alphabet in (
        ("action", events.action, ACTIONS),
        ("side", events.side, SIDES),
    ):
        good = known(letters, alphabet)
        if not good.all():
            row = int(np.argmin(good))
            what = f"its {name} is {chr(letters[row])!r}, none of {' '.join(alphabet)}"
            return row, name, what
    return None
