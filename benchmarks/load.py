"""Load: a registry of a million results, a hundred thousand partitions, fifty runs at once.

``python -m benchmarks.load [PART ...]`` prints the table of docs/operations.md, or some of its
parts, which are ``results``, ``partitions`` and ``runs``; ``--tiny`` tries them in a hundredth of
the size, without saying anything. What is measured and what must be equal first is said in
``load_results``, ``load_partitions`` and ``load_runs``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmarks.load_timing import HEADER
from benchmarks.timing import table
from tests.dagster_files import as_dagster_does

RESULTS, PARTITIONS, RUNS = 1_000_000, 100_000, 50


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("parts", nargs="*", metavar="PART", help="results, partitions, runs")
    parser.add_argument("--tiny", action="store_true", help="in a hundredth of the size or less")
    parser.add_argument("--sqlite", action="store_true", help="without PostgreSQL")
    asked = parser.parse_args()
    size = 100 if asked.tiny else 1
    parts: dict[str, Callable[[], list[list[str]]]] = {
        "results": lambda: _results(RESULTS // size // (10 if asked.tiny else 1), asked.sqlite),
        "partitions": lambda: _partitions(PARTITIONS // size, asked.sqlite),
        "runs": lambda: _runs(3 if asked.tiny else RUNS),
    }
    for part in asked.parts or parts:
        with as_dagster_does():
            rows = parts[part]()
        sys.stdout.write(table(HEADER, rows) + "\n")
        sys.stdout.flush()


def _results(results: int, is_sqlite_only: bool) -> list[list[str]]:
    from benchmarks import load_results

    return load_results.rows(results, postgres=not is_sqlite_only)


def _partitions(partitions: int, is_sqlite_only: bool) -> list[list[str]]:
    from benchmarks import load_partitions

    return load_partitions.rows(partitions, postgres=not is_sqlite_only)


def _runs(runs: int) -> list[list[str]]:
    from benchmarks import load_runs

    return load_runs.rows(runs)


if __name__ == "__main__":
    main()
