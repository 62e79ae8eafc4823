"""Specifications of tapes for the tests, and the digest of what they make.

Run as a module it prints the digests of all of them, which is how the interpreted kernels
are compared with the compiled ones.
"""

import hashlib
import json
import sys
from typing import Any

import numpy as np

from contracts.mbo import MboSpec, mbo_spec_from
from engine.book.events import Events
from engine.tapes.mbo import MboTape, kernels, scorecard
from engine.tapes.mbo.api import joined

SECOND_NS = 1_000_000_000
PARAMS: dict[str, dict[str, Any]] = {
    "quiet": {"drift": 0.0, "sigma": 1.5},
    "trending": {"drift": 3.0, "sigma": 4.0},
    "volatile": {"drift": 0.0, "sigma": 12.0},
}


def scenario(family: str = "trend", **params: Any) -> dict[str, Any]:
    """A scenario of one-minute bars."""
    return {
        "id": "market",
        "version": "0.1",
        "timeframe": "1m",
        "duration_bars": 200,
        "seed": 1,
        "family": family,
        "volume_model": "const",
        "params": params,
    }


def spec(market: str = "trending", **changes: Any) -> MboSpec:
    """A tape of one minute, unless told otherwise, in one of the markets."""
    document = {"id": market, "version": "0.1", "scenario": scenario(**PARAMS[market]), "bars": 1}
    return mbo_spec_from({**document, **changes})


def events(wanted: MboSpec, seed: int = 1) -> Events:
    """A whole tape."""
    return joined(list(MboTape(wanted, seed).batches()))


def digest(made: Events) -> str:
    """Digest of all columns, little-endian, in order."""
    content = hashlib.blake2b(digest_size=20)
    for column in made:
        content.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return content.hexdigest()


SHORT = {"bar_ns": 4 * SECOND_NS, "events_per_second": 30.0, "bars": 2}
CASES: dict[str, MboSpec] = {
    "quiet": spec("quiet", **SHORT),
    "volatile": spec("volatile", **SHORT),
    "later bars of a thin book": spec(first_bar=7, **{**SHORT, "events_per_second": 3.0}),
    "a path that jumps": mbo_spec_from(
        {
            "id": "jumps",
            "version": "0.1",
            "scenario": scenario("shock_mix", p_jump=1, jump_mu=0, jump_sigma=40, sigma=2),
            **SHORT,
        }
    ),
    "other flow": spec(
        flow={"branching": 0.3, "market_orders_per_add": 0.5, "modifies_per_add": 1},
        depth={"rise_levels": 2, "near_ticks": 3, "reach_ticks": 40, "first_level": 1.5},
        lots={"median": 3, "p90": 9, "p99": 50},
        tick_int=10_000_000,
        start_price_ticks=9_000,
        **SHORT,
    ),
}
"""Short tapes of every kind, for comparisons to the byte."""


def digests() -> dict[str, str]:
    """Digests of every case, and of what the scorecard finds in one of them."""
    found = {name: digest(events(case, seed=5)) for name, case in CASES.items()}
    card = scorecard([events(CASES["volatile"], seed=5)], 250_000_000)
    return {**found, "scorecard": repr(sorted(card.values().items()))}


if __name__ == "__main__":
    compiled = hasattr(kernels.advance, "py_func")
    sys.stdout.write(json.dumps({"compiled": compiled, "digests": digests()}))
