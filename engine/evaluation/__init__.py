"""Detections judged by the hidden truth: which alert finds which burst, and what it comes to.

Verbs: `score_tape` one tape, `pooled` and `curves` of several, `levels` that the pooled figures
must reach. Nothing here knows how a detection is made: that is ``engine.flow``, whose tables come
in as columns.
"""

from engine.evaluation.api import VERSION, score_tape
from engine.evaluation.curves import Curves, Point, Reliability, curves
from engine.evaluation.levels import Level, broken_levels, coverage_levels, levels
from engine.evaluation.pooling import (
    Delay,
    Figure,
    GroupScore,
    Pooled,
    ProfileScore,
    RegimeScore,
    pooled,
)
from engine.evaluation.scores import TapeScore, tape_score
from engine.evaluation.tables import TapeTables

__all__ = [
    "VERSION",
    "Curves",
    "Delay",
    "Figure",
    "GroupScore",
    "Level",
    "Point",
    "Pooled",
    "ProfileScore",
    "RegimeScore",
    "Reliability",
    "TapeScore",
    "TapeTables",
    "broken_levels",
    "coverage_levels",
    "curves",
    "levels",
    "pooled",
    "score_tape",
    "tape_score",
]
