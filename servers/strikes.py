"""What a server does to a client of its own accord: it closes, resets, aborts, stops.

A strike is asked for by run, lane and name, and hits the handler that runs for them; the handler's server says which
ones it knows. Each one is told by a Signal event of the server's layer at the instant at which it is carried out.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from probes.clock import Stamp
from probes.events import Signal
from probes.sink import Sink
from servers.registry import Registry, Running

Say = Callable[[str, str, Stamp], None]
"""Told when it is done: the cause (``server RST``), by which call, and when."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One strike. ``grace``: seconds that a stop leaves the handlers; None: none."""

    say: Say
    grace: float | None = None


class Missed(Exception):
    """It comes too late; the text says why."""


Strike = Callable[[Blow], None]
"""Carries it out and says so. Raises Missed."""
Strikes = Mapping[str, Strike]
"""What a handler's server can do to its client, by name."""

HOWS = ("fin", "rst", "rst_stream", "goaway", "abort", "raise", "stop")


def reset(transport: asyncio.Transport) -> None:
    """Close the connection by RST: to linger for 0 seconds is to reset at the close (socket(7))."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def strike(sink: Sink, registry: Registry, run: int, lane: str, how: str, grace: float | None) -> str:
    """Carry it out. Returns why it could not be, or an empty text."""
    if how not in HOWS:
        return f"unknown strike {how[:40]!r}: {', '.join(HOWS)} are known"
    running = registry.newest(run, lane)
    if running is None:
        return f"strike {how}: no handler runs for run {run} lane {lane[:40]!r}"
    blow = running.strikes.get(how)
    if blow is None:
        return f"strike {how}: {running.who.protocol} knows {', '.join(running.strikes)}"
    try:
        blow(Blow(_say(sink, running), grace))
    except Missed as error:
        return f"strike {how}: {error}"
    return ""


def _say(sink: Sink, running: Running) -> Say:
    who = running.who

    def say(cause: str, how: str, at: Stamp) -> None:
        sink.emit(Signal, at=at, run=who.run, lane=who.lane, layer="server", cause=cause, how=how)

    return say
