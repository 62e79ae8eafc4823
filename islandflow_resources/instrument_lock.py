"""The file that locks an environment to one instrument: where it lies, read and applied.

``instrument.yaml`` beside the packages, or what ``ISLANDFLOW_INSTRUMENT_CONFIG`` names. What it
says is ``contracts.instrument``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from contracts.errors import ConfigurationError, ContractError
from contracts.grid import GridConfig
from contracts.instrument import InstrumentLock, load_instrument_lock
from islandflow_resources.settings import Settings

DEFAULT_LOCK: Final = Path(__file__).parents[1] / "instrument.yaml"


def instrument_lock(settings: Settings) -> InstrumentLock | None:
    """The lock of this environment; None if there is no file by default.

    Raises
    ------
    ConfigurationError
        ``INSTRUMENT_FILE_MISSING`` if the setting names a file that cannot be read.
    ContractError
        If the file says something else than a lock; every problem names file and pointer.
    """
    path = Path(settings.instrument_config) if settings.instrument_config else DEFAULT_LOCK
    if not settings.instrument_config and not path.exists():
        return None
    try:
        return load_instrument_lock(path.read_bytes())
    except ContractError as error:
        problems = [replace(problem, loc=f"{path}#{problem.loc}") for problem in error.problems]
        first = problems[0]
        raise ContractError(
            first.code, first.message, first.loc, first.hints, tuple(problems[1:])
        ) from None
    except OSError as error:
        raise ConfigurationError(
            "INSTRUMENT_FILE_MISSING",
            f"the lock of the instrument cannot be read: {error.strerror or error}",
            str(path),
            ("let ISLANDFLOW_INSTRUMENT_CONFIG name a file with product_type and symbol",),
        ) from None


def refuse_other_instrument(settings: Settings, config: GridConfig, what: str) -> None:
    """Refuse a configuration, dataset or published spec of another instrument."""
    lock = instrument_lock(settings)
    if lock is not None:
        lock.check(config.runtime_config, what)
