"""What the score of a cluster of prints looks at: quantities, and the pieces they are cut into.

A feature is a quantity held within bounds, or one tooth of a row of triangles over its knots: 1
at its own knot, 0 at the neighbours, 1 on beyond the outermost. So each hypothesis adds up
a broken line in each quantity, and what a line contributes can be told. The quantities are
measured in ``engine.flow.quantities``; the weights are a ``flow_policy``.
"""

from __future__ import annotations

from math import log
from typing import Final, Literal, NamedTuple, TypeAlias

Axis: TypeAlias = Literal[
    "aggression", "size", "pace", "tenor", "moneyness", "structure", "event", "underlying"
]
AXES: Final[tuple[Axis, ...]] = (
    "aggression",
    "size",
    "pace",
    "tenor",
    "moneyness",
    "structure",
    "event",
    "underlying",
)


class Quantity(NamedTuple):
    """A number that is measured of a cluster.

    Attributes
    ----------
    name, axis, doc : str
    low, high : float
        It is held within.
    knots : tuple of float
        Where its broken line bends; none for a straight one.
    """

    name: str
    axis: Axis
    doc: str
    low: float
    high: float
    knots: tuple[float, ...] = ()


class Feature(NamedTuple):
    """One number that a weight is for.

    Attributes
    ----------
    name : str
        Of the quantity, and the knot if there is one.
    quantity : int
        Place in `QUANTITIES`.
    knot : int
        Place among its knots, −1 for the quantity itself.
    """

    name: str
    quantity: int
    knot: int


TENOR_DAYS: Final = (0, 1, 7, 14, 28, 45, 60, 90)
"""Tenors that those ask for whose flow it is; what trades is the expiry that is nearest."""
_CENTS: Final = (1, 2, 3, 5, 10, 20, 50, 100, 300, 1_000, 3_000)

# fmt: off
QUANTITIES: Final[tuple[Quantity, ...]] = (
    Quantity("buy_prints", "aggression", "prints at or through the ask", 0, 24),
    Quantity("sell_prints", "aggression", "prints at or through the bid", 0, 24),
    Quantity("inside_prints", "aggression", "prints between", 0, 24),
    Quantity("minority_prints", "aggression", "the fewer of those two", 0, 12),
    Quantity("buy_lead", "aggression", "(buy − sell) over the root of all, if positive", 0, 6),
    Quantity("sell_lead", "aggression", "(sell − buy) over the root of all, if positive", 0, 6),
    Quantity("log_premium", "size", "log of the premium in dollars", 0, 20,
             (9.5, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5, 13.5)),
    Quantity("dominance", "size", "premium of the largest order over the whole", 0, 1),
    Quantity("log_lots", "size", "log of the contracts a print", 0, 10),
    Quantity("log_price", "size", "log of the premium a contract and share, in cents", 0, 12,
             tuple(log(cents) for cents in _CENTS)),
    Quantity("orders", "pace", "orders", 0, 1000,
             (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 30.0)),
    Quantity("mean_log_gap", "pace", "mean of the log of the gaps, log ms", -10, 20,
             (-1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)),
    Quantity("venues", "pace", "venues that it printed on", 0, 12, (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)),
    Quantity("log_activity", "pace", "log(1 + orders of the contract before)", 0, 20,
             (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)),
    Quantity("price_drift", "pace", "ten times the log of last over first price", -2, 2),
    Quantity("log_days", "tenor", "log(1 + days to expiry)", 0, 10),
    *(Quantity(f"nearest_{days}d", "tenor", f"1 if no quoted expiry is nearer to {days} days", 0, 1)
      for days in TENOR_DAYS),
    Quantity("out_of_money", "moneyness", "percent out of the money", -100, 100,
             (-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)),
    Quantity("is_put", "moneyness", "1 for a put", 0, 1),
    Quantity("is_package", "structure", "1 if legs trade together", 0, 1),
    Quantity("is_straddle", "structure", "1 for a call and a put of one strike", 0, 1),
    Quantity("is_spread", "structure", "1 for two legs of one right", 0, 1),
    Quantity("has_three_legs", "structure", "1 for three legs", 0, 1),
    Quantity("has_four_legs", "structure", "1 for four legs", 0, 1),
    Quantity("spans_event", "event", "1 if it expires after the next event", 0, 1),
    Quantity("spans_event_soon", "event", "the same, and within 22 days", 0, 1),
    Quantity("has_no_event", "event", "1 without an event within 22 days", 0, 1),
    Quantity("moved", "underlying", "move of three minutes in usual ones, either way", 0, 4,
             (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)),
    Quantity("moved_with_flow", "underlying", "the same, + in the direction of the flow", -4, 4),
    Quantity("moved_with_right", "underlying", "the same, + up for calls, down for puts", -4, 4),
)
# fmt: on
"""All that is measured; the place of one is its column."""

QUANTITY_NAMES: Final = tuple(one.name for one in QUANTITIES)


def _features() -> tuple[Feature, ...]:
    found: list[Feature] = []
    for place, one in enumerate(QUANTITIES):
        if not one.knots:
            found.append(Feature(one.name, place, -1))
        found += [Feature(f"{one.name}_{k}", place, k) for k in range(len(one.knots))]
    return tuple(found)


FEATURES: Final = _features()
"""All features, those of a quantity side by side."""
FEATURE_NAMES: Final = tuple(one.name for one in FEATURES)
