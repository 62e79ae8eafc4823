"""A progress bar in the terminal, for whatever reports its progress in this process.

What reports is ``islandflow_resources.progress``. Without a terminal nothing is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from islandflow_resources.progress import listening


@contextmanager
def progress_bar() -> Iterator[None]:
    """Draw all progress that is reported inside."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if not sys.stderr.isatty():
        yield
        return
    with Progress(*columns, console=console, transient=True) as drawn:
        tasks: dict[str, TaskID] = {}

        def listen(noun: str, done: int, total: int) -> None:
            if noun not in tasks:
                tasks[noun] = drawn.add_task(noun, total=total)
            drawn.update(tasks[noun], completed=done, total=total)

        with listening(listen):
            yield
