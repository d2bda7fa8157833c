"""A small plot: runs along x, time on a logarithmic scale along y, in eighths of a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.paint.canvas import Canvas, Role
from app.paint.units import figure

_EIGHTHS = "▁▂▃▄▅▆▇█"
ABSENT = "·"
_LEAST = 4.0
"""The scale spans at least this ratio, so that mere noise does not look like mountains."""


def scale(values: Sequence[int | None]) -> tuple[float, float] | None:
    """The least and the most that the plot shows, ns; None where there is nothing to show."""
    known = [max(1, value) for value in values if value is not None]
    if not known:
        return None
    low, high = float(min(known)), float(max(known))
    if high / low < _LEAST:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(_LEAST), middle * math.sqrt(_LEAST)
    return low, high


def paint_strip(
    canvas: Canvas, x: int, y: int, columns: int, rows: int, values: Sequence[int | None], role: Role, at: int = -1
) -> None:
    """The last ``columns`` values as bars of up to ``rows`` cells, whose lower left corner is ``x``, ``y + rows - 1``.
    What did not come is a dot. ``at``: the index of the one that is looked at, drawn bright."""
    ends = scale(values)
    first = max(0, len(values) - columns)
    for column, value in enumerate(values[first:]):
        look = Role.STRONG if first + column == at else role
        if value is None or ends is None:
            canvas.put(x + column, y + rows - 1, ABSENT, Role.ALERT if look is Role.STRONG else Role.DIM)
            continue
        eighths = _eighths(value, *ends, rows)
        for row in range(rows):
            part = min(8, eighths - row * 8)
            if part > 0:
                canvas.put(x + column, y + rows - 1 - row, _EIGHTHS[part - 1], look)


def ends(values: Sequence[int | None]) -> str:
    """What the plot's lower and upper edge are."""
    found = scale(values)
    return "" if found is None else f"{figure(round(found[0]))} to {figure(round(found[1]))}"


def _eighths(value: int, low: float, high: float, rows: int) -> int:
    share = math.log(max(1, value) / low) / math.log(high / low)
    return 1 + round(share * (8 * rows - 1))
