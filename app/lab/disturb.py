"""Faults that somebody asks for while a run is open, carried out on the tap of one of its lanes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app import commands
from probes.events import Note
from probes.lanes.base import Lane
from probes.sink import Sink
from probes.tap.proxy import Tap

Disturbance = commands.Fault | commands.Clear


def disturb(lanes: Sequence[Lane], command: Disturbance, sink: Sink) -> None:
    """``lanes``: those of the open run. What cannot be done is said in a note."""
    lane = next((each for each in lanes if each.plan.lane == command.lane), None)
    if lane is None:
        nobody(command, sink)
    else:
        carry_out(lane.bench.tap, command, sink)


def nobody(command: Disturbance, sink: Sink) -> None:
    """Say that there is no such lane."""
    sink.emit(Note, text=f"no lane {command.lane!r} is open: nothing was disturbed")


def carry_out(tap: Tap, command: Disturbance, sink: Sink, only: Collection[int] | None = None) -> None:
    """``only``: the numbers of the connections that are meant, or all of the tap's."""
    try:
        if isinstance(command, commands.Fault):
            tap.inject(command.fault, only)
        else:
            tap.clear(command.kind or None, only)
    except (ValueError, RuntimeError) as error:
        sink.emit(Note, text=f"{command.lane}: {error}")
