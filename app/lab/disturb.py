"""Faults that somebody asks for while a run is open, carried out on the tap of one of its lanes."""

from __future__ import annotations

from collections.abc import Sequence

from app import commands
from probes.events import Note
from probes.lanes.base import Lane
from probes.sink import Sink


def disturb(lanes: Sequence[Lane], command: commands.Fault | commands.Clear, sink: Sink) -> None:
    """``lanes``: those of the open run. What cannot be done is said in a note."""
    lane = next((each for each in lanes if each.plan.lane == command.lane), None)
    if lane is None:
        sink.emit(Note, text=f"no lane {command.lane!r} is open: nothing was disturbed")
        return
    tap = lane.bench.tap
    try:
        if isinstance(command, commands.Fault):
            tap.inject(command.fault)
        else:
            tap.clear(command.kind or None)
    except (ValueError, RuntimeError) as error:
        sink.emit(Note, text=f"{command.lane}: {error}")
