"""The bar beside a picture that says what its colours mean, from −limit to limit.

The colours themselves are ``heat_cells``.
"""

from __future__ import annotations

from typing import Final

from islandflow_assets.drawing import Frame, text
from islandflow_assets.heat_cells import LEVELS, colour

_STOPS: Final = 16


def colour_bar(frame: Frame) -> str:
    """The bar right of a frame, the highest value at the top."""
    stops = "".join(
        f'<stop offset="{k / _STOPS:.4f}" '
        f'stop-color="{colour(LEVELS - 2 * LEVELS * k // _STOPS)}"/>'
        for k in range(_STOPS + 1)
    )
    return (
        f'<linearGradient id="scale" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient>'
        f'<rect class="scale" x="{frame.right + 16}" y="{frame.top}" width="14" '
        f'height="{frame.floor - frame.top}" fill="url(#scale)"/>'
    )


def colour_labels(frame: Frame, limit: float, *, beyond: bool) -> str:
    """Numbers along the bar; `beyond` says that some values lie outside its ends."""
    ends = ("≤ ", "≥ ") if beyond else ("", "")
    bar_frame = Frame(frame.left, frame.right, frame.top, frame.floor, y=(-1.0, 1.0))
    return "".join(
        text(frame.right + 36, bar_frame.up(part) + 4, f"{sign}{part * limit:.3g}")
        for part, sign in ((-1.0, ends[0]), (-0.5, ""), (0.0, ""), (0.5, ""), (1.0, ends[1]))
    )
