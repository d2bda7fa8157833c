"""The moments of a run one by one: their order, what came before, and which order nobody can know. Pure; ns."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from probes.events import Layer
from probes.state import LaneState, Mark, RunState
from probes.verdict import marks_in_order

_WITNESS: dict[Layer, str] = {
    "caller": "lab",
    "client": "lab",
    "wire": "tap",
    "server": "server",
    "resource": "resource",
}
"""Whose clock reading a mark is. What one process says one after the other came in that order."""


class Spot(NamedTuple):
    """A mark and where it is. ``lane``: its number, from 0."""

    lane: int
    layer: Layer
    mark: Mark


def spots(run: RunState) -> list[Spot]:
    """All marks of a run, by time; at one time from the first lane to the last, top to bottom."""
    found = [Spot(index, layer, mark) for index, lane in enumerate(run.lanes) for layer, mark in marks_in_order(lane)]
    return sorted(found, key=lambda spot: spot.mark.t)


def before(spot: Spot, among: list[Spot]) -> Spot | None:
    """The moment of the same lane in front of ``spot``, or else of any lane."""
    earlier = among[: among.index(spot)]
    own = [each for each in earlier if each.lane == spot.lane]
    return own[-1] if own else earlier[-1] if earlier else None


def doubt(one: tuple[Layer, Mark], other: tuple[Layer, Mark], tap_ns: int) -> int:
    """How far apart two marks must be for their order to mean anything. ``tap_ns``: what a hop of the tap costs."""
    if _WITNESS[one[0]] == _WITNESS[other[0]]:
        return one[1].err + other[1].err if one[0] == "wire" else 0
    return max(tap_ns, one[1].err + other[1].err)


def tie(one: tuple[Layer, Mark], other: tuple[Layer, Mark], tap_ns: int) -> bool:
    """Whether which of two marks came first is not known."""
    return abs(one[1].t - other[1].t) < doubt(one, other, tap_ns)


def ties(lane: LaneState, tap_ns: int) -> dict[tuple[Layer, Mark], Mark]:
    """The marks of a lane whose order against the mark in front of them is not known, each with that mark."""
    marks = marks_in_order(lane)
    return {later: earlier[1] for earlier, later in itertools.pairwise(marks) if tie(earlier, later, tap_ns)}
