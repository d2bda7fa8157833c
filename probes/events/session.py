"""What the lab says of itself: its parts, its children, its loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probes.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag(Event):
    """The lab's event loop was late by ``lag_ns``, the largest since the last such event."""

    kind: Literal["loop.lag"] = "loop.lag"
    lag_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """A part of the lab is ``starting``, ``ready``, ``failed`` or ``stopped``."""

    kind: Literal["progress"] = "progress"
    part: str
    state: Literal["starting", "ready", "failed", "stopped"]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Event):
    """``part`` takes connections: name of the service -> ``host:port``. ``ca``: the certificate (PEM) of the authority
    that its TLS services are to be trusted by, made for this process alone; no key."""

    kind: Literal["listening"] = "listening"
    part: str
    addresses: dict[str, str]
    ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabReady(Event):
    """Runs can be fired. ``versions``: programs and libraries; ``addresses``: the taps, by lane."""

    kind: Literal["lab.ready"] = "lab.ready"
    versions: dict[str, str]
    addresses: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted(Event):
    kind: Literal["child.started"] = "child.started"
    child: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDied(Event):
    """A process has ended that was to go on. With a run and a lane it was that lane's own; with a run alone it is the
    servers' of all lanes of that run which have none of their own."""

    kind: Literal["child.died"] = "child.died"
    child: str
    pid: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSaid(Event):
    """A line that a child wrote to its stderr."""

    kind: Literal["child.said"] = "child.said"
    child: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioLoaded(Event):
    """The runs that follow are those of another scenario than the one that the recording's header has. ``text``: its
    file, as it was read."""

    kind: Literal["scenario.loaded"] = "scenario.loaded"
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Event):
    kind: Literal["note"] = "note"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped(Event):
    """``count`` ticks of ``what`` were not kept. Edges are never dropped."""

    kind: Literal["dropped"] = "dropped"
    what: str
    count: int
