"""InstrumentLock: the one instrument an environment is for.

Where the file lies is in ``islandflow_resources.instrument_lock``.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from contracts.document import Model, validate
from contracts.errors import ContractError
from contracts.grid import ProductType, RuntimeConfig
from contracts.yaml_text import parse_text


class InstrumentLock(Model):
    """Product type and symbol that everything must be of.

    Attributes
    ----------
    product_type : {"future_mbo", "equity_mbo"}
    symbol : str
    """

    product_type: ProductType
    symbol: Annotated[str, Field(strict=True, min_length=1, max_length=64)]

    def check(self, runtime: RuntimeConfig, what: str) -> None:
        """Refuse what is of another instrument.

        Raises
        ------
        ContractError
            ``INSTRUMENT_LOCKED``, saying which instrument the environment is for.
        """
        ours, theirs = (self.product_type, self.symbol), (runtime.product_type, runtime.symbol)
        if ours == theirs:
            return
        raise ContractError(
            "INSTRUMENT_LOCKED",
            f"{what} is of {theirs[0]} {theirs[1]}, "
            f"but this environment is locked to {ours[0]} {ours[1]}",
            "/runtime_config/symbol",
            ("set ISLANDFLOW_INSTRUMENT_CONFIG to the file of that instrument",),
        )


INSTRUMENT_LOCK: Final[TypeAdapter[InstrumentLock]] = TypeAdapter(InstrumentLock)


def load_instrument_lock(data: bytes | str) -> InstrumentLock:
    """Read a lock from its YAML or JSON.

    Raises
    ------
    ContractError
        Every problem at once.
    """
    return validate(INSTRUMENT_LOCK, parse_text(data, "instrument"), "instrument")
