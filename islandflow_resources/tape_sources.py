"""Where the events of a tape come from: the engine, imported when it is asked.

Whoever asks has prepared the engine, see ``engine_runtime``. Where events go is
``tape_folder``.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.tape_manifest import ParameterSnapshot
from islandflow_resources.tape_folder import TapeEvents
from islandflow_resources.tape_inputs import TapeInputs


def generator_version() -> str:
    """Version of what the engine makes."""
    from engine.tapes.market.api import VERSION

    return VERSION


def events_of(inputs: TapeInputs) -> Callable[[], TapeEvents]:
    """The engine's events of some inputs, to be drawn from their start."""
    from engine.tapes.market.api import MarketTape

    return lambda: MarketTape(inputs.spec, inputs.seed_bundle.root_seed)


def made_again(snapshot: ParameterSnapshot) -> TapeEvents | None:
    """The events of a stored tape once more; None if it is of another version."""
    from engine.tapes.market.api import VERSION, MarketTape

    if snapshot.generator.version != VERSION:
        return None
    return MarketTape(snapshot.spec, snapshot.seed_bundle.root_seed)
