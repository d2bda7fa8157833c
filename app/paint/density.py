"""Bytes on the wire: the higher a column, the more passed in its time. The fullest column of a lane is a full block."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from app.paint.axis import Axis
from app.paint.canvas import Canvas, Role
from probes.state import Flow, LaneState

BLOCKS = "▁▂▃▄▅▆▇█"
Columns = Mapping[int, float]
"""Bytes by column."""


def paint_density(canvas: Canvas, y: int, lane: LaneState, axis: Axis, zero: int | None, now: int) -> None:
    """Over the wire's bar; what passed after the caller's Done has a colour of its own. ``zero``: the trigger (ns), or
    while there is none ``now``."""
    base = now if zero is None else zero
    flows = [_shared(flow, lane.left, axis, base, zero is None) for flow in (lane.flow_before, lane.flow_after)]
    early, late = _sum(flows, 0), _sum(flows, 1)
    top = max((*early.values(), *late.values()), default=0)
    for columns, role in ((early, Role.RUNNING), (late, Role.ALERT)):
        for x, size in columns.items():
            canvas.put(x, y, BLOCKS[min(7, int(size * 8 / top))], role)


def _sum(flows: list[tuple[Columns, Columns]], part: int) -> Columns:
    before, after = (each[part] for each in flows)
    return {**before, **{x: before.get(x, 0.0) + size for x, size in after.items()}} if after else before


@lru_cache(maxsize=64)
def _shared(flow: Flow, left: int | None, axis: Axis, base: int, armed: bool) -> tuple[Columns, Columns]:
    """Bytes by column until ``left`` and after it; a burst that goes over several has its bytes shared out.

    Kept, because what passed before the trigger, and all of a lane that has ended, is asked for again in every frame.
    """
    parts: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for burst in flow.bursts:
        first, last = burst.first - base, burst.last - base
        if armed:
            first, last = min(first, -1), min(last, -1)
        if axis.side(first) * axis.side(last) > 0:
            continue
        columns = parts[left is not None and burst.first > left]
        x = axis.column(first)
        end = x + 1 if last == first else axis.column(last) + 1
        for each in range(x, end):
            columns[each] = columns.get(each, 0.0) + burst.size / (end - x)
    return parts
