"""What happens to a run, from its start to what is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probes.events.base import Event
from probes.events.plan import LanePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A scenario was fired. ``deadline`` is the scope's shared one in seconds, ``settle`` how long the
    lab waits after the trigger before it tears the clients down."""

    kind: Literal["run.started"] = "run.started"
    scenario: str
    title: str
    lanes: tuple[LanePlan, ...]
    deadline: float | None = None
    settle: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneJoined(Event):
    """An outside client has asked for something: it has a lane of this run from now on."""

    kind: Literal["lane.joined"] = "lane.joined"
    plan: LanePlan
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReached(Event):
    """The call of this lane is where its plan wants it to be, by the evidence named."""

    kind: Literal["phase.reached"] = "phase.reached"
    phase: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Event):
    """t = 0. With an empty lane it is the whole scope's, else the lane's own (its timeout, its key)."""

    kind: Literal["trigger"] = "trigger"
    cause: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Event):
    """The cancel was issued for this lane, by the call ``how``, at the layer that it was issued at: ``caller`` where
    the calling task was cancelled. ``key_ns``: when the key went down, 0 if none did."""

    kind: Literal["signal"] = "signal"
    cause: str
    how: str = "task.cancel"
    key_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSignal(Event):
    """What one link between caller and client made of a cancel or a deadline that came through it. ``link`` counts
    from 1, the outermost first; ``effect``: passed, weakened (a deadline was taken off), died (it stays outside or
    inside), grew (a limit that nobody outside has set)."""

    kind: Literal["link"] = "link"
    link: int
    name: str
    effect: Literal["passed", "weakened", "died", "grew"]
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TeardownStarted(Event):
    """From here on the lab itself closes this lane's client: what the wire shows after this is no answer
    to the cancel."""

    kind: Literal["teardown"] = "teardown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """``outcome`` is ``settled``, or ``aborted`` with the reason in ``detail``."""

    kind: Literal["run.ended"] = "run.ended"
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue(Event):
    """What this lane still held when its run had settled, by name: handlers, streams, pool slots, ..."""

    kind: Literal["residue"] = "residue"
    held: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Census(Event):
    """What the lab, its servers and PostgreSQL held ``before`` a run's clients were made, or ``after`` they were torn
    down, by name: tasks, sockets, threads, connections through the taps, backends by state, running handlers."""

    kind: Literal["census"] = "census"
    when: Literal["before", "after"]
    held: dict[str, int]
