"""Bars from a file: any OHLCV parquet or CSV becomes verified arrays, or is refused by row.

Columns are recognised by name. Our own datasets (ticks and lots) keep the content
digest of their manifest; every other file gets that of the normalised
``contracts.columns.OHLCV``, the same from CSV and parquet. What is asked of the
values, and how a refusal reads, lives in ``bar_rules``, the conversion of types in
``bar_columns``; docs/data.md tells users. Datasets of the object store are read by
``datasets``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from contracts import backtest
from contracts.columns import BARS, OHLCV
from contracts.errors import ContractError
from contracts.scenario import TIMEFRAME_NS, Timeframe
from islandflow_resources.bar_columns import instants, integers, numbers, text_integers
from islandflow_resources.bar_rules import (
    FIELDS,
    Mask,
    Offence,
    broken_rules,
    refusal,
    refuse,
    short,
)
from islandflow_resources.table_digest import content_digest
from islandflow_resources.table_schemas import from_arrays
from islandflow_resources.unpacking import swollen

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_BYTES: Final = 4 * 2**30
"""Of a file, and of the columns read from it."""
TIME_NAMES: Final = ("ts_ns", "ts", "timestamp", "time", "date")

_ROW_BYTES = 8 * len(OHLCV.columns)
_HEADER_BYTES = 2**20
_ROW = re.compile(r"Row #(?P<row>[0-9]+): (?P<what>.*)", re.DOTALL)
_NULL_TEXTS = ["", "NA", "N/A", "null", "NULL", "None"]
_LAYOUT_HINT = (
    "the columns are ts_ns (or ts, timestamp, time, date), open, high, low, close, volume"
)


@dataclass(frozen=True, slots=True)
class BarFile:
    """Bars that obey every rule, as the engine takes them.

    Attributes
    ----------
    ts_ns : ndarray, shape (bars,), int64
        Start of the bar, nanoseconds since 1970 UTC, strictly ascending.
    fields : dict of str to ndarray, shape (bars,), float64
        ``open high low close volume``: price units and lots, contiguous.
    timeframe : str
    bars_per_day : float
        Sets the annualisation.
    tick_size : float or None
        Price of one tick; None for files that are not ours.
    content_digest : str
        ``blake3:…`` of what the file says, whatever wrote it.
    """

    ts_ns: Ints
    fields: dict[str, Floats]
    timeframe: Timeframe
    bars_per_day: float
    tick_size: float | None
    content_digest: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A file whose names are known and whose values are not yet read."""

    path: Path
    names: list[str]
    texts: Mapping[str, str]
    parquet: pq.ParquetFile | None

    def called(self, name: str) -> list[str]:
        """Columns of this name as the file spells them."""
        return [each for each in self.names if each.strip().lower() == name]

    def read(self, kinds: Mapping[str, pa.DataType]) -> pa.Table:
        """These columns; those of a CSV as these types, or as text where they are not."""
        with _readable(self.path):
            if self.parquet is not None:
                return self.parquet.read(columns=list(kinds))
            return _read_csv(self.path, kinds)


def read_bar_file(
    path: Path, timeframe: Timeframe | None, bars_per_day: float | None, sessions: bool = False
) -> BarFile:
    """Read bars and prove that they are some.

    Parameters
    ----------
    path : Path
        Parquet or CSV, told apart by suffix and first bytes.
    timeframe : str, optional
        Distance of the bars. Our own datasets carry it; other files need it here.
    bars_per_day : float, optional
        Bars of a trading day. Follows from the timeframe for our own datasets;
        other files need it here.
    sessions : bool
        Whether a longer step is right where it crosses a UTC midnight.

    Raises
    ------
    ContractError
        The first offence against every rule, sorted by row: ``DATA_UNREADABLE``,
        ``DATA_TOO_LARGE``, ``DATA_COLUMN_MISSING``, ``DATA_COLUMN_AMBIGUOUS``,
        ``DATA_COLUMN_TYPE``, ``DATA_METADATA``, ``DATA_TIMEFRAME``,
        ``DATA_BARS_PER_DAY``, ``DATA_EMPTY``, ``DATA_DISORDER``,
        ``DATA_DUPLICATE``, ``DATA_STEP``, ``DATA_GAP``, ``DATA_NOT_FINITE``,
        ``DATA_PRICE``, ``DATA_HIGH_LOW`` or ``DATA_VOLUME``.
    """
    source = _opened(Path(path))
    tells = _read_own if _is_own(source) else _read_foreign
    return tells(source, timeframe, bars_per_day, sessions)


def _read_own(
    source: _Source, timeframe: Timeframe | None, per_day: float | None, sessions: bool
) -> BarFile:
    tick_size, stated = _own_texts(source)
    natural = backtest.bars_per_day(stated)
    offences: list[Offence] = []
    if timeframe not in (None, stated):
        what = f"its bars are {stated}, not {timeframe}"
        offences.append(Offence("DATA_TIMEFRAME", what, f"leave it out, or say {stated}"))
    if per_day not in (None, natural):
        what = f"its market trades round the clock, {natural:g} bars per day, not {per_day!r}"
        offences.append(Offence("DATA_BARS_PER_DAY", what, "leave out --bars-per-day"))
    refuse(source.path, offences)
    table = source.read(dict.fromkeys(BARS.names, pa.int64()))
    whole = _unless_refused(source, {name: integers(name, table[name]) for name in BARS.names})
    fields = {name: _floats(whole[f"{name}_ticks"]) * tick_size for name in FIELDS[:4]}
    fields["volume"] = _floats(whole["volume_lots"])
    ts_ns, nulls = _ints(whole["ts_ns"]), _nulls(whole)
    refuse(source.path, broken_rules(ts_ns, fields, stated, sessions, nulls))
    digest = content_digest(from_arrays(BARS, whole), BARS, source.texts)
    return BarFile(ts_ns, fields, stated, natural, tick_size, digest)


def _read_foreign(
    source: _Source, timeframe: Timeframe | None, per_day: float | None, sessions: bool
) -> BarFile:
    time, spelled = _spelled(source)
    refuse(source.path, _bad_options(timeframe, per_day))
    assert timeframe is not None and per_day is not None  # noqa: PT018 - for the type checker
    kinds = {spelled[name]: pa.float64() for name in FIELDS}
    kinds[spelled[time]] = pa.int64() if time == "ts_ns" else pa.string()
    table = source.read(kinds)
    is_text = source.parquet is None
    to_ns = text_integers if is_text and time == "ts_ns" else instants
    columns = {"ts_ns": to_ns(time, table[spelled[time]])}
    columns |= {name: numbers(name, table[spelled[name]], is_text) for name in FIELDS}
    whole = _unless_refused(source, columns)
    fields = {name: _floats(whole[name]) + 0.0 for name in FIELDS}  # −0 becomes +0
    ts_ns, nulls = _ints(whole["ts_ns"]), _nulls(whole)
    refuse(source.path, broken_rules(ts_ns, fields, timeframe, sessions, nulls))
    digest = content_digest(from_arrays(OHLCV, {"ts_ns": ts_ns, **fields}), OHLCV)
    return BarFile(ts_ns, fields, timeframe, float(per_day), None, digest)


def _opened(path: Path) -> _Source:
    with _readable(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    if size > MAX_BYTES:
        raise _oversize(path, f"it has {size} bytes, more than {MAX_BYTES}")
    if not (path.suffix.lower() in {".parquet", ".pq"} or head.startswith(b"PAR1")):
        return _Source(path, _csv_names(path, head), {}, None)
    with _readable(path):
        parquet = pq.ParquetFile(pa.OSFile(str(path)), page_checksum_verification=True)
        rows, schema = parquet.metadata.num_rows, parquet.schema_arrow
        names = schema.names
        metadata = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
        # What tables.write_parquet adds is no part of the digest.
        texts = {k: v for k, v in metadata.items() if not k.startswith("islandflow.")}
        what = swollen(parquet.metadata, size, set(names))
    if what:
        raise _oversize(path, f"no bars pack as tight as this file: its {what}")
    if rows * _ROW_BYTES > MAX_BYTES:
        raise _oversize(
            path, f"its {rows} rows need {rows * _ROW_BYTES} bytes, more than {MAX_BYTES}"
        )
    return _Source(path, names, texts, parquet)


def _oversize(path: Path, what: str) -> ContractError:
    hint = "split it, or keep only the columns and the years that are needed"
    return refusal(path, [Offence("DATA_TOO_LARGE", what, hint)])


def _csv_names(path: Path, head: bytes) -> list[str]:
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()
    if not lines:
        raise refusal(path, [Offence("DATA_EMPTY", "it has not even a header", _LAYOUT_HINT)])
    with _readable(path):
        return pacsv.read_csv(io.BytesIO(lines[0] + b"\n")).column_names


def _read_csv(path: Path, kinds: Mapping[str, pa.DataType]) -> pa.Table:
    try:
        return _parsed(path, kinds)
    except pa.ArrowException:
        return _as_text(path, list(kinds))


def _as_text(path: Path, names: list[str]) -> pa.Table:
    """The columns unparsed, so that what is no number can be found and quoted."""
    try:
        return _parsed(path, dict.fromkeys(names, pa.string()), use_threads=False)
    except pa.ArrowException as error:
        # Only the text of the error tells the row: a handler of rows breaks on bad UTF-8.
        told = _ROW.search(str(error))
        if told is None:
            raise
        hint = "separate the fields by commas, one bar per line as in the header, in UTF-8"
        # The reader counts from 1, the header too.
        row = int(told["row"]) - 2
        what = f"a line does not read: {short(told['what'], 200)}"
        raise refusal(path, [Offence("DATA_UNREADABLE", what, hint, row)]) from error


def _parsed(path: Path, kinds: Mapping[str, pa.DataType], use_threads: bool = True) -> pa.Table:
    # An open file and not its name: a name ending in .gz would be unpacked, without a bound.
    with pa.OSFile(str(path)) as file:
        return pacsv.read_csv(
            file,
            pacsv.ReadOptions(use_threads=use_threads),
            pacsv.ParseOptions(delimiter=","),
            pacsv.ConvertOptions(
                include_columns=list(kinds),
                column_types=dict(kinds),
                null_values=_NULL_TEXTS,
                strings_can_be_null=True,
            ),
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever a decoder says of bytes is one typed error."""
    try:
        yield
    except ContractError:
        raise
    except (pa.ArrowException, OSError, MemoryError, ValueError, LookupError, TypeError) as error:
        said = short(" ".join(str(error).split()), 300)
        hint = "it must be a whole parquet file, or a CSV in UTF-8 with commas and one header line"
        offence = Offence("DATA_UNREADABLE", f"it does not read: {said}", hint)
        raise refusal(path, [offence]) from error


def _is_own(source: _Source) -> bool:
    """Ticks with their size; or ticks and no prices, which is ours with something lost."""
    ticks = [name in source.names for name in BARS.names[1:5]]
    if all(ticks) and "tick_size" in source.texts:
        return True
    return any(ticks) and not any(source.called(name) for name in FIELDS[:4])


def _own_texts(source: _Source) -> tuple[float, Timeframe]:
    missing = [name for name in BARS.names if name not in source.names]
    hint = "give the dataset.parquet as it was written, or a file with open, high, low, close"
    refuse(source.path, [_missing(source, name) for name in missing[:1]])
    refuse(source.path, _ambiguous([[n for n in source.names if n == name] for name in BARS.names]))
    size, timeframe = source.texts.get("tick_size"), source.texts.get("timeframe")
    try:
        tick_size = float(size or "nan")
    except ValueError:
        tick_size = float("nan")
    offences = []
    if not 0 < tick_size <= 1e9:
        what = f"its prices are ticks and its key-value metadata give tick_size as {size!r}"
        offences.append(Offence("DATA_METADATA", what, hint))
    elif timeframe not in TIMEFRAME_NS:
        what = f"its key-value metadata give the timeframe as {timeframe!r}"
        offences.append(Offence("DATA_METADATA", what, hint))
    refuse(source.path, offences)
    return tick_size, cast("Timeframe", timeframe)


def _spelled(source: _Source) -> tuple[str, dict[str, str]]:
    """Which time column there is, and every column's name as the file spells it."""
    spelled = {name: source.called(name) for name in (*TIME_NAMES, *FIELDS)}
    times = [name for name in TIME_NAMES if spelled[name]]
    in_time = [column for name in times for column in spelled[name]]
    offences = [_missing(source, name) for name in FIELDS if not spelled[name]][:1]
    if not times:
        offences = [_missing(source, "ts_ns")]
    offences += _ambiguous([in_time, *(spelled[name] for name in FIELDS)])
    refuse(source.path, offences)
    return times[0], {name: spelled[name][0] for name in (times[0], *FIELDS)}


def _ambiguous(columns: list[list[str]]) -> list[Offence]:
    """The first that is there more than once."""
    hint = "keep one time column and one of each price, and rename the others"
    return [
        Offence(
            "DATA_COLUMN_AMBIGUOUS",
            f"it has {' and '.join(map(repr, names))} where one column is needed",
            hint,
            column=names[0],
        )
        for names in columns
        if len(names) > 1
    ][:1]


def _missing(source: _Source, name: str) -> Offence:
    found = short(", ".join(source.names), 200)
    what = f"it has no column {name}; it has: {found}"
    hint = _LAYOUT_HINT
    if name == "volume":
        hint = "add a column volume, of zeros if the strategy does not use it"
    elif source.parquet is None and len(source.names) == 1:
        hint = f"separate the fields by commas; {hint}"
    return Offence("DATA_COLUMN_MISSING", what, hint, column=name)


def _bad_options(timeframe: Timeframe | None, per_day: float | None) -> list[Offence]:
    if timeframe not in TIMEFRAME_NS:
        given = "none" if timeframe is None else repr(timeframe)
        what = f"its bars need a timeframe, and {given} is given"
        return [Offence("DATA_TIMEFRAME", what, f"give one of {', '.join(TIMEFRAME_NS)}")]
    most = backtest.bars_per_day(timeframe)
    hint = f"state it: --bars-per-day {most:g} if {timeframe} bars trade round the clock, else less"
    if per_day is None:
        what = "how many bars a trading day has is not stated"
        return [Offence("DATA_BARS_PER_DAY", what, hint)]
    if not 0 < per_day <= most:
        what = f"{per_day!r} bars per day is not above 0 and at most {most:g}"
        return [Offence("DATA_BARS_PER_DAY", what, hint)]
    return []


def _unless_refused(
    source: _Source, columns: Mapping[str, pa.Array | Offence]
) -> dict[str, pa.Array]:
    offences = [column for column in columns.values() if isinstance(column, Offence)]
    refuse(source.path, offences)
    whole = {name: column for name, column in columns.items() if isinstance(column, pa.Array)}
    bars = len(whole["ts_ns"])
    if bars < 2:
        what = f"it has {bars} bars, and two are the least that can be traded"
        raise refusal(source.path, [Offence("DATA_EMPTY", what, "give more bars")])
    return whole


def _nulls(columns: Mapping[str, pa.Array]) -> dict[str, Mask]:
    """Where values are missing, by the name of the field, of the columns that miss any."""
    return {
        name.removesuffix("_ticks").removesuffix("_lots"): values.is_null().to_numpy(False)
        for name, values in columns.items()
        if values.null_count
    }


def _floats(values: pa.Array) -> Floats:
    return values.to_numpy(zero_copy_only=False).astype(np.float64)


def _ints(values: pa.Array) -> Ints:
    return values.fill_null(0).to_numpy().copy()
