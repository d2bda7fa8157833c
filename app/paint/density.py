"""Bytes on the wire: the higher a column, the more passed in its time. The fullest column of a lane is a full block."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.paint.canvas import Canvas, Role
from probes.state import Burst, LaneState

BLOCKS = "▁▂▃▄▅▆▇█"
Span = Callable[[int, int], tuple[int, int]]
"""From two times (ns) to the first column and the one after the last; equal where both are beyond one end."""


def paint_density(canvas: Canvas, y: int, lane: LaneState, span: Span) -> None:
    """Over the wire's bar; what passed after the caller's Done has a colour of its own."""
    before, late = _columns(lane, span, late=False), _columns(lane, span, late=True)
    top = max((*before.values(), *late.values()), default=0)
    for columns, role in ((before, Role.RUNNING), (late, Role.ALERT)):
        for x, size in columns.items():
            canvas.put(x, y, BLOCKS[min(7, int(size * 8 / top))], role)


def _columns(lane: LaneState, span: Span, *, late: bool) -> dict[int, float]:
    """Bytes by column; a burst that goes over several has its bytes shared out."""
    left = lane.left
    columns: dict[int, float] = {}
    for burst in _bursts(lane):
        if (left is not None and burst.first > left) is not late:
            continue
        first, end = span(burst.first, burst.last)
        for x in range(first, end):
            columns[x] = columns.get(x, 0.0) + burst.size / (end - first)
    return columns


def _bursts(lane: LaneState) -> Iterable[Burst]:
    return (*lane.flow_before.bursts, *lane.flow_after.bursts)
