"""Tells a run as a list of events, at times given in microseconds after its trigger."""

from __future__ import annotations

from typing import Any

from probes.clock import Clock, Stamp
from probes.events import Event, LanePlan
from probes.sink import Sink

ZERO = 10_000_000_000
"""The monotonic time of the trigger, ns."""


class Story:
    """``story(cls, us, **fields)`` adds one event of run 1 at ``us`` microseconds after the trigger."""

    def __init__(self, lane: str = "grpc", run: int = 1) -> None:
        self.events: list[Event] = []
        self._sink = Sink("lab", lambda event, _line: self.events.append(event), Clock())
        self._lane, self._run = lane, run

    def __call__(self, cls: type[Event], us: float, **fields: Any) -> Story:
        stamp = Stamp(ZERO + round(us * 1000))
        self._sink.emit(cls, at=stamp, **{"run": self._run, "lane": self._lane, **fields})
        return self


def plan(protocol: str, **fields: Any) -> LanePlan:
    """A plan for a lane that is called like its protocol. It names no phase, so a story need not tell of one."""
    return LanePlan(**{"lane": protocol, "protocol": protocol, "phase": "", **fields})
