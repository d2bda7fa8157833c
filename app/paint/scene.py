"""A painted timeline, and what is where in it: for cursors, threads and the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.paint.axis import Axis, LogAxis
from app.paint.canvas import Canvas
from app.paint.lens import Pin
from app.paint.marks import Placed
from app.paint.rows import zero_of
from probes.events import Layer
from probes.state import Mark, Moment, RunState

_NO_AXIS = LogAxis(0, 4, 8, 1)
_NEAR = 1
"""The pointer is on a mark that is at most so many columns away."""


class Slot(NamedTuple):
    """A row of the timeline: of which lane, and of which layers; none for the middleware's."""

    y: int
    lane: int
    layers: tuple[Layer, ...]


class Dot(NamedTuple):
    """A mark on the screen. ``side``: beyond which end of the axis it is."""

    x: int
    y: int
    lane: int
    layer: Layer
    moment: Moment
    t: int
    side: int

    def is_(self, lane: int, layer: Layer, mark: Mark) -> bool:
        return (self.lane, self.layer, self.moment, self.t) == (lane, layer, mark.moment, mark.t)


@dataclass(slots=True)
class Scene:
    """``axis`` is that of the timeline; ``slots`` are empty before the first run."""

    canvas: Canvas
    axis: Axis = _NO_AXIS
    slots: list[Slot] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)

    def take(self, y: int, lane: int, placed: Sequence[Placed]) -> None:
        """The marks of a row, as they were drawn."""
        for each in placed:
            if not each.shown.trigger:
                mark = each.shown.mark
                self.dots.append(Dot(each.column, y, lane, each.shown.layer, mark.moment, mark.t, each.side))

    def dot(self, lane: int, layer: Layer, mark: Mark) -> Dot | None:
        return next((dot for dot in self.dots if dot.is_(lane, layer, mark)), None)

    def lane_at(self, y: int) -> int | None:
        return next((slot.lane for slot in self.slots if slot.y == y), None)

    def pin_at(self, x: int, y: int, run: RunState) -> Pin | None:
        """The mark at a cell or right beside it, or else the time there."""
        near = [dot for dot in self.dots if dot.y == y and abs(dot.x - x) <= _NEAR]
        if near:
            dot = min(near, key=lambda dot: abs(dot.x - x))
            return Pin(run.run, dot.lane, dot.layer, dot.t, dot.moment)
        slot = next((slot for slot in self.slots if slot.y == y and slot.layers), None)
        zero = None if slot is None else zero_of(run.lanes[slot.lane], run)
        if slot is None or zero is None or not self.axis.left <= x < self.axis.right:
            return None
        return Pin(run.run, slot.lane, slot.layers[-1], zero + self.axis.time(x))
