"""Regimes and phases of a session: the state that everything on a tape reads."""

from engine.regimes.api import BucketState, RegimeWalk

__all__ = ["BucketState", "RegimeWalk"]
