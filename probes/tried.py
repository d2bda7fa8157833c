"""Which cells of the grid lane x phase x cause a session has tried: a pure fold over its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from probes import catalogue
from probes.events import CALLED_BY
from probes.state import LaneState, RunState, Zero
from probes.verdict import missed_phase, verdict

Cell = tuple[str, str, str]
"""Protocol, phase, cause."""


class Tried(Struct, frozen=True):
    """How often, and what was found the last time."""

    runs: int
    verdict: str


def fold_tried(state: Mapping[Cell, Tried], run: RunState) -> Mapping[Cell, Tried]:
    """The session's cells after ``run``."""
    return add_tried(state, tried(run))


def add_tried(state: Mapping[Cell, Tried], found: Iterable[tuple[Cell, str]]) -> Mapping[Cell, Tried]:
    """The same with what ``tried`` found in a run."""
    cells = dict(state)
    for cell, word in found:
        cells[cell] = Tried(cells[cell].runs + 1 if cell in cells else 1, word)
    return cells


def tried(run: RunState) -> Iterator[tuple[Cell, str]]:
    """(cell, verdict) of each lane that settled after its own cause had come in its phase."""
    if run.outcome != "settled" or run.ended is None:
        return
    for lane in run.lanes:
        if _counts(lane):
            yield (lane.plan.protocol, lane.plan.phase, lane.plan.cause), verdict(lane, run.ended)


def _counts(lane: LaneState) -> bool:
    # A hop is not struck: its end comes through its caller's handler.
    if lane.guest or CALLED_BY in lane.plan.options or missed_phase(lane) or lane.zero is None:
        return False
    timer = catalogue.TIMERS.get(lane.plan.cause)
    if timer is not None:
        return fired(lane.zero, timer)
    # Somebody was faster with the key, or a timer was faster than the key.
    return not any(fired(lane.zero, name) for name in catalogue.TIMEOUTS.get(lane.plan.protocol, ()))


def fired(zero: Zero, timer: str) -> bool:
    """Whether what triggered a lane was its own timeout of this name."""
    words = zero.cause.replace(" timeout", "").split()
    return zero.own and (timer in words or (timer == "timeout" and zero.cause == "asyncpg timeout"))
