"""What belongs to no run: the lab's parts, its addresses, its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from probes import events as ev
from probes.events import Event
from probes.state import LOG_LINES, PartState, SessionState

GUESTS = "guests"
"""The part of a lab that takes outside clients."""


def fold_session(state: SessionState, event: Event) -> SessionState:
    """What belongs to no run, after ``event``."""
    handler = _SESSION_HANDLERS.get(type(event))
    return state if handler is None else handler(state, event)


def _part(state: SessionState, event: ev.Progress) -> SessionState:
    new = PartState(event.part, event.state, event.detail)
    kept = [new if part.part == event.part else part for part in state.parts]
    parts = tuple(kept) if new in kept else (*kept, new)
    ready = state.ready and not (event.part == "lab" and event.state != "ready")
    return _say(replace(state, parts=parts, ready=ready), event, event.part, f"{event.state} {event.detail}".strip())


def _ready(state: SessionState, event: ev.LabReady) -> SessionState:
    return replace(state, ready=True, versions=event.versions, addresses=event.addresses)


def _listening(state: SessionState, event: ev.Listening) -> SessionState:
    return replace(state, guests=event.addresses) if event.part == GUESTS else state


def _say(state: SessionState, event: Event, who: str, text: str) -> SessionState:
    return replace(state, log=(*state.log, (event.t, who, text))[-LOG_LINES:])


def _died(state: SessionState, event: ev.ChildDied) -> SessionState:
    ready = False if event.child == "lab" else state.ready
    return _say(replace(state, ready=ready), event, event.child, f"died: {event.status}")


_SESSION_HANDLERS: dict[type[Event], Callable[[SessionState, Any], SessionState]] = {
    ev.Progress: _part,
    ev.LabReady: _ready,
    ev.Listening: _listening,
    ev.ChildStarted: lambda state, event: _say(state, event, event.child, f"started, pid {event.pid}"),
    ev.ChildDied: _died,
    ev.ChildSaid: lambda state, event: _say(state, event, event.child, event.text),
    ev.ScenarioLoaded: lambda state, event: _say(state, event, "scenario", f"{event.name} is loaded"),
    ev.Note: lambda state, event: _say(state, event, event.src, event.text),
    ev.TapCalibrated: lambda state, event: replace(
        state, tap_median_ns=event.median_ns, tap_p95_ns=event.p95_ns, kernel_stamps=event.kernel_stamps
    ),
    ev.LoopLag: lambda state, event: replace(state, lag_ns=event.lag_ns),
    ev.Dropped: lambda state, event: replace(state, dropped=state.dropped + event.count),
}

SESSION_KINDS: frozenset[type[Event]] = frozenset(_SESSION_HANDLERS)
"""The kinds that ``fold_session`` takes notice of."""
