"""Files of bars as others would write them, what reading them says, for the tests of bars.

The tests stand beside this file.
"""

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.columns import OHLCV
from contracts.errors import ContractError
from contracts.scenario import TIMEFRAME_NS
from islandflow_resources.bar_files import read_bar_file
from islandflow_resources.table_digest import content_digest

START_NS = 1_704_067_200_000_000_000
HOUR_NS = TIMEFRAME_NS["1h"]
FORMATS = (".parquet", ".csv")


def bars(rows=6, **changes):
    """Valid hourly bars as lists, with some values changed."""
    columns = {
        "ts_ns": [START_NS + row * HOUR_NS for row in range(rows)],
        "open": [10.0 + row for row in range(rows)],
        "high": [12.5 + row for row in range(rows)],
        "low": [9.25 + row for row in range(rows)],
        "close": [11.0 + row for row in range(rows)],
        "volume": [float(row) for row in range(rows)],
    }
    for name, change in changes.items():
        for row, value in change.items():
            columns[name][row] = value
    return columns


def write(path, columns, texts=None):
    """A file in the format of its suffix; a CSV as a person would write it."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns).replace_schema_metadata(texts), path)
        return path
    lines = [",".join(columns)]
    lines += [",".join(map(cell, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def cell(value):
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def read(path, timeframe="1h", bars_per_day=24.0, **options):
    return read_bar_file(path, timeframe, bars_per_day, **options)


def refused(path, *arguments, **options):
    with pytest.raises(ContractError) as caught:
        read(path, *arguments, **options)
    assert all(str(path) in problem.message for problem in caught.value.problems)
    assert all(all(problem.hints) for problem in caught.value.problems)
    return caught.value


def place(suffix, row):
    return f"row {row}" if suffix == ".parquet" else f"row {row}, line {row + 2}"


def outcomes_of_damage(path, damaged, *arguments, cases=300):
    """What reading says, over cut and overwritten copies; any untyped error passes through."""
    good, draw, outcomes = path.read_bytes(), random.Random(7), set()
    for case in range(cases):
        data = bytearray(good[: draw.randrange(len(good))] if case % 3 == 0 else good)
        for _ in range(case % 3 * draw.choice((1, 8))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        damaged.write_bytes(data)
        try:
            read_bar_file(damaged, *arguments)
            outcomes.add("read")
        except ContractError as error:
            outcomes.update(problem.code for problem in error.problems)
    assert all(each == "read" or each.startswith("DATA_") for each in outcomes)
    return outcomes


def plain_digest(columns):
    return content_digest(pa.table(columns), OHLCV)


def isos(ts_ns, zone=UTC, form="%Y-%m-%dT%H:%M:%S%z"):
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t // 1000) for t in ts_ns]
    return [moment.astimezone(zone).strftime(form) for moment in moments]
