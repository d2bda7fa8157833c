"""The vocabulary: everything that a lab can say, as frozen values.

An event is one line of a recording. It carries *when* (``t`` and ``err``), *where* (``src``, ``run``,
``lane``, ``layer``) and then its own fields. Events hold observations only, never conclusions: that a
RST_STREAM is the moment at which a lane's I/O stopped is decided by a fold (``probes.fold``), so that a
recording can be judged again by a later version.

Units: ``t``, ``err`` and every ``*_ns`` field are nanoseconds; ``t`` is CLOCK_MONOTONIC, one clock for
all processes of a machine. Sizes are bytes. Only the standard library is imported here.
"""

from __future__ import annotations

from probes.events import runs, session, spans, wire
from probes.events.base import (
    LAYERS,
    TO_CLIENT,
    TO_SERVER,
    Direction,
    Event,
    Layer,
    StampQuality,
)
from probes.events.plan import (
    CALL,
    CALLED_BY,
    GUEST,
    FaultPlan,
    LanePlan,
)
from probes.events.runs import (
    Census,
    LaneJoined,
    LinkSignal,
    PhaseReached,
    Residue,
    RunEnded,
    RunStarted,
    Signal,
    TeardownStarted,
    Trigger,
)
from probes.events.session import (
    ChildDied,
    ChildSaid,
    ChildStarted,
    Dropped,
    LabReady,
    Listening,
    LoopLag,
    Note,
    Progress,
    ScenarioLoaded,
)
from probes.events.spans import (
    BudgetSeen,
    CancelSwallowed,
    ChunkReceived,
    ChunkSent,
    CleanedUp,
    SpanCancelled,
    SpanCompleted,
    SpanEnded,
    SpanFailed,
    SpanStarted,
)
from probes.events.wire import (
    BackendState,
    BytesSeen,
    BytesSwallowed,
    ConnectionClosed,
    ConnectionOpened,
    DecoderLost,
    FaultEnded,
    FaultHit,
    FaultStarted,
    FrameSeen,
    TapCalibrated,
)

ALL_KINDS: tuple[type[Event], ...] = tuple(
    # Not __subclasses__(): slots make each class twice, and the first one lingers until it is collected.
    cls
    for page in (runs, spans, wire, session)
    for cls in vars(page).values()
    if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event
)
"""Every kind there is, in the order of those pages."""

TICKS: frozenset[type[Event]] = frozenset({BytesSeen, BytesSwallowed, ChunkSent, ChunkReceived, LoopLag})
"""Kinds that may be merged or dropped (and then are counted) when the reader cannot keep up."""


def kind_of(cls: type[Event]) -> str:
    """The ``kind`` field's value for a class of event."""
    value = cls.__dataclass_fields__["kind"].default
    assert isinstance(value, str)
    return value


__all__ = [
    "ALL_KINDS",
    "CALL",
    "CALLED_BY",
    "GUEST",
    "LAYERS",
    "TICKS",
    "TO_CLIENT",
    "TO_SERVER",
    "BackendState",
    "BudgetSeen",
    "BytesSeen",
    "BytesSwallowed",
    "CancelSwallowed",
    "Census",
    "ChildDied",
    "ChildSaid",
    "ChildStarted",
    "ChunkReceived",
    "ChunkSent",
    "CleanedUp",
    "ConnectionClosed",
    "ConnectionOpened",
    "DecoderLost",
    "Direction",
    "Dropped",
    "Event",
    "FaultEnded",
    "FaultHit",
    "FaultPlan",
    "FaultStarted",
    "FrameSeen",
    "LabReady",
    "LaneJoined",
    "LanePlan",
    "Layer",
    "LinkSignal",
    "Listening",
    "LoopLag",
    "Note",
    "PhaseReached",
    "Progress",
    "Residue",
    "RunEnded",
    "RunStarted",
    "ScenarioLoaded",
    "Signal",
    "SpanCancelled",
    "SpanCompleted",
    "SpanEnded",
    "SpanFailed",
    "SpanStarted",
    "StampQuality",
    "TapCalibrated",
    "TeardownStarted",
    "Trigger",
    "kind_of",
]
