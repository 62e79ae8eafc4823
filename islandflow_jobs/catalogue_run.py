"""What ``islandflow tape catalogue`` does, as functions that return lines.

Arguments are read in ``cli_tapes``; the scenarios are ``contracts.tape_catalogue``, tapes are
made of them as of any profile by ``tape_run``.
"""

from __future__ import annotations

import json

from contracts.document import Model
from contracts.tape_catalogue import SCENARIOS, scenario_profile, scenario_seeds


def listing() -> list[str]:
    """The scenarios in order: id, family, what comes on which symbol, seed; tabs between."""
    return [
        f"{one.id}\t{one.family}\t{one.subtype} on {one.symbols[0]}\tseed {one.seed}"
        for one in SCENARIOS
    ]


def profile(scenario_id: str) -> list[str]:
    """The complete profile of a scenario, as JSON.

    Raises
    ------
    ContractError
        ``TAPE_SCENARIO_UNKNOWN``.
    """
    return _told(scenario_profile(scenario_id))


def seeds(scenario_id: str) -> list[str]:
    """The seed bundle with which a scenario is what it says, as JSON, see `profile`."""
    return _told(scenario_seeds(scenario_id))


def _told(document: Model) -> list[str]:
    return [json.dumps(document.model_dump(mode="json"), indent=2)]
