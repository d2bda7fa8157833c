"""The part of a recording that is played by itself: a run in slow motion, or a section in a loop. Times in ns.

In slow motion most of a run is quiet: a zombie of a second takes a minute and a half at 1/100, and nothing happens in
it. What is quiet for longer than ``QUIET`` to watch is left out but for its edges, and whoever plays says how much.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from probes.machine import Machine
from probes.state import LaneState, RunState
from probes.verdict import TRAVEL_NS, zombie

SLOW = Fraction(1, 100)
"""The speed at which slow motion begins."""
LEAD = 1_500_000_000
"""What is played before the trigger. This and the others are ns of wall time, at whatever speed."""
QUIET = 3_000_000_000
AFTER, BEFORE = 1_200_000_000, 800_000_000
"""What is still played of a quiet stretch: after what happened last, and before what happens next."""
REST = 800_000_000
"""How long a loop stands at its ends, so that its first and its last mark can be looked at."""

Gap = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """``first`` to ``last``. ``quiet``: stretches in which nothing happens. ``loop``: over and over."""

    first: int
    last: int
    quiet: tuple[Gap, ...] = ()
    loop: bool = False

    def __contains__(self, t: int) -> bool:
        return self.first <= t <= self.last


def trigger(run: RunState) -> int | None:
    """The first trigger of a run, of whatever lane."""
    return min((lane.zero.t for lane in run.lanes if lane.zero is not None), default=None)


def slow_part(run: RunState, end: int, speed: Fraction = SLOW) -> Part | None:
    """From a little before the run's trigger to its end, or to ``end`` while it is open; None without a trigger."""
    zero = trigger(run)
    if zero is None:
        return None
    begin = zero if run.started is None else run.started
    last = end if run.ended is None else run.ended
    first = max(begin, zero - int(LEAD * speed))
    return Part(first, last, _quiet(run, first, last))


def loop_part(run: RunState, section: Gap | None = None) -> Part | None:
    """``section`` over and over; None: from the run's trigger to its last mark. None where there is nothing to play."""
    marks = [mark.t for lane in run.lanes for row in lane.layers for mark in row.marks]
    first, last = section or (trigger(run), max(marks, default=None))
    if first is None or last is None or last <= first:
        return None
    return Part(first, last, _quiet(run, first, last), loop=True)


def _quiet(run: RunState, first: int, last: int) -> tuple[Gap, ...]:
    """(from, to) where nothing happens that changes the picture."""
    times = sorted({t for t in _happenings(run) if first < t < last} | {first, last})
    return tuple(pairwise(times))


def _happenings(run: RunState) -> Iterator[int]:
    yield from (t for t in (run.started, run.ended) if t is not None)
    for lane in run.lanes:
        yield from _of_lane(lane)


def _of_lane(lane: LaneState) -> Iterator[int]:
    yield from (t for t in (lane.reached, lane.teardown) if t is not None)
    if lane.zero is not None:
        yield lane.zero.t
        if zombie(lane, young := lane.zero.t + TRAVEL_NS).ns:
            # From then on it is called one.
            yield young
    for row in lane.layers:
        yield from (t for t in (row.started, row.ended) if t is not None)
        yield from (mark.t for mark in row.marks)
    yield from (t for machine in (lane.client, lane.server) for t in _of_machine(machine))
    yield from (link.t for link in lane.links)
    yield from (t for fault in lane.faults for t in (fault.since, fault.until) if t is not None)


def _of_machine(machine: Machine) -> Iterator[int]:
    yield from (step.t for step in machine.path)
    yield from (violation.t for violation in machine.violations)


def pass_over(at: int, amount: int, gaps: tuple[Gap, ...], after: int, before: int) -> tuple[int, Gap | None]:
    """``at`` plus ``amount`` of playing, and the last stretch that was left out on the way: all of a gap but ``after``
    at its begin and ``before`` at its end. ``gaps`` are in order."""
    target, left_out = at + amount, None
    for first, last in gaps[max(0, bisect_right(gaps, (at,)) - 1) :]:
        begin, over = max(first + after, at), last - before
        if target <= begin:
            break
        if begin < over:
            target += over - begin
            left_out = (begin, over)
    return target, left_out
