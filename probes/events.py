"""The vocabulary: everything that a lab can say, as frozen values.

An event is one line of a recording. It carries *when* (``t`` and ``err``), *where* (``src``, ``run``,
``lane``, ``layer``) and then its own fields. Events hold observations only, never conclusions: that a
RST_STREAM is the moment at which a lane's I/O stopped is decided by a fold (``probes.fold``), so that a
recording can be judged again by a later version.

Units: ``t``, ``err`` and every ``*_ns`` field are nanoseconds; ``t`` is CLOCK_MONOTONIC, one clock for
all processes of a machine. Sizes are bytes. Only the standard library is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Layer = Literal["", "caller", "client", "wire", "server", "resource"]
Direction = Literal["", "client>server", "server>client"]
StampQuality = Literal["kernel", "user", "poll"]
TO_SERVER: Direction = "client>server"
TO_CLIENT: Direction = "server>client"

LAYERS: tuple[Layer, ...] = ("caller", "client", "wire", "server", "resource")
"""The rows of a lane, top to bottom."""


CALL = "call"
"""The name of the spans that make up a lane's rows; other spans are phases inside them."""

CALLED_BY = "called_by"
"""The option that makes a lane a hop: the name of the lane whose handler makes its call."""

GUEST = "guest"
"""The phase of a lane whose client is none of the lab's: it is wherever its client has brought it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What the tap is asked to do to a lane's connections (``probes.tap.faults`` has the kinds). ``at``: from the
    lane's ``start``, its ``phase`` or the ``trigger`` on; ``seconds``: how long it stands, None until it is cleared
    (of ``delay-cancel``: how long each CancelRequest is held); ``rate``: bytes a second of a slow reader; ``how``:
    ``FIN`` or ``RST`` of a cut. An empty direction is both."""

    kind: str
    direction: Direction = ""
    at: str = "start"
    seconds: float | None = None
    rate: int = 0
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePlan:
    """What one lane of a run is asked to do. Times are seconds; ``None`` switches a timeout off.

    ``cause``: what the trigger does to it (``probes.catalogue``), or the timer that is its own trigger. ``after``:
    chunks read before it counts as in its phase. ``middleware``: links between caller and client, outermost first.
    ``options``: what only some protocols have, by name.
    """

    lane: str
    protocol: str
    phase: str
    cause: str = "task.cancel"
    behaviour: str = "cooperative"
    shape: str = ""
    tls: bool = False
    after: int = 1
    delay: float = 0.0
    chunks: int = 1000
    size: int = 1024
    interval: float = 0.02
    timeouts: dict[str, float | None] = field(default_factory=dict)
    middleware: tuple[str, ...] = ()
    faults: tuple[FaultPlan, ...] = ()
    options: dict[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The head that every event has.

    ``t``: when it happened; ``err``: how far ``t`` can be off (kernel stamp, loop lag, poll interval);
    ``src``: the process that stamped it; ``seq``: that process's own count from 1, so a gap is a loss;
    ``run`` is 0 and ``lane`` empty for what belongs to the session.
    """

    t: int
    err: int
    src: str
    seq: int
    run: int = 0
    lane: str = ""
    layer: Layer = ""


# --- runs ---------------------------------------------------------------------------------------------


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


# --- spans: caller, client, server, resource ----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanStarted(Event):
    """Work began. ``span`` is unique within ``src``; ``name`` says what (call, handler, pool slot, ...)."""

    kind: Literal["span.started"] = "span.started"
    span: int
    name: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCompleted(Event):
    kind: Literal["span.completed"] = "span.completed"
    span: int
    name: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFailed(Event):
    """It ended by an error that is no cancellation. ``error`` is the exception's type."""

    kind: Literal["span.failed"] = "span.failed"
    span: int
    name: str
    error: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCancelled(Event):
    """It was told to stop: ``error`` is the exception's type, ``evidence`` where and by what."""

    kind: Literal["span.cancelled"] = "span.cancelled"
    span: int
    name: str
    error: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSwallowed(Event):
    """The span was told to stop and goes on: its ``n``-th cancel came out of the await that ``evidence`` names, and was
    not acted on."""

    kind: Literal["cancel.swallowed"] = "cancel.swallowed"
    span: int
    name: str
    error: str
    n: int = 1
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedUp(Event):
    """The span holds nothing any more (its finally ran, its slot is back, ...)."""

    kind: Literal["span.cleaned"] = "span.cleaned"
    span: int
    name: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSeen(Event):
    """What was left of the caller's deadline where a hop began: as it arrived at a server, or as it was handed on to
    the next hop. None: there was none, or it was not handed on."""

    kind: Literal["budget"] = "budget"
    left_ns: int | None
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSent(Event):
    """The server's write accepted ``n`` more chunks of ``size`` bytes in all; ``total`` chunks so far."""

    kind: Literal["chunk.sent"] = "chunk.sent"
    n: int
    size: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReceived(Event):
    """The caller read ``n`` more chunks of ``size`` bytes in all; ``total`` chunks so far."""

    kind: Literal["chunk.received"] = "chunk.received"
    n: int
    size: int
    total: int


# --- the wire -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOpened(Event):
    """The tap accepted a client (``peer``) and reached the server. ``conn`` counts per lab."""

    kind: Literal["conn.opened"] = "conn.opened"
    conn: int
    peer: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(Event):
    kind: Literal["conn.closed"] = "conn.closed"
    conn: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSeen(Event):
    """One frame, message, head, FIN or RST passed the tap. ``name`` is the RFC's (RST_STREAM, HEADERS,
    FIN, CancelRequest, ErrorResponse), ``code`` its number or SQLSTATE, ``stream`` 0 where there is none.

    A FIN is said when it comes, even while bytes in front of it wait; what a fault held back, when it passes.
    """

    kind: Literal["frame"] = "frame"
    conn: int
    direction: Direction
    proto: str
    name: str
    code: str = ""
    detail: str = ""
    stream: int = 0
    size: int = 0
    stamp: StampQuality = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesSeen(Event):
    """``body`` bytes of payload in ``messages`` whole messages passed; ``size`` counts all bytes.

    Ticks of one connection, direction and stream may be merged: ``t`` is the last one's time.
    """

    kind: Literal["bytes"] = "bytes"
    conn: int
    direction: Direction
    stream: int = 0
    size: int = 0
    body: int = 0
    messages: int = 0
    merged: int = 1
    stamp: StampQuality = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLost(Event):
    """The tap cannot follow this direction any more, and says so once; its bytes still flow."""

    kind: Literal["decoder.lost"] = "decoder.lost"
    conn: int
    direction: Direction
    proto: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStarted(Event):
    """The tap itself disturbs its connections from here on. ``fault``: a kind of ``FaultPlan``; ``detail``: its
    figures."""

    kind: Literal["fault.started"] = "fault.started"
    fault: str
    direction: Direction = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultHit(Event):
    """What a fault did to one connection: ``held``, ``passed on``, ``lost``, ``swallowed`` or ``cut``; ``what``:
    FIN, RST or CancelRequest. The tap is the cause of a cut, not client or server: no ``frame`` tells of it."""

    kind: Literal["fault.hit"] = "fault.hit"
    conn: int
    fault: str
    direction: Direction
    did: str
    what: str
    size: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesSwallowed(Event):
    """``size`` bytes came from the side that ``direction`` starts from, were acknowledged, and went no further."""

    kind: Literal["bytes.swallowed"] = "bytes.swallowed"
    conn: int
    fault: str
    direction: Direction
    size: int
    stamp: StampQuality = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEnded(Event):
    """The fault stands no more. It concerned ``conns`` connections and ``size`` bytes: those swallowed, slowed or
    lost, those that waited for a thaw. ``detail``: why it ended, and the counts in words."""

    kind: Literal["fault.ended"] = "fault.ended"
    fault: str
    direction: Direction = ""
    conns: int = 0
    size: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapCalibrated(Event):
    """What one hop through the tap costs, here and now."""

    kind: Literal["tap.calibrated"] = "tap.calibrated"
    median_ns: int
    p95_ns: int
    samples: int
    kernel_stamps: bool


# --- PostgreSQL's backend -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendState(Event):
    """A change of a row of pg_stat_activity, seen by an observer that polls: ``err`` is its interval."""

    kind: Literal["backend"] = "backend"
    pid: int
    state: str
    wait: str = ""


# --- what is left, and what the session says ----------------------------------------------------------


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


SpanEnded = SpanCompleted | SpanFailed | SpanCancelled

ALL_KINDS: tuple[type[Event], ...] = tuple(
    # Not __subclasses__(): slots make each class twice, and the first one lingers until it is collected.
    cls
    for cls in list(vars().values())
    if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event
)
"""Every kind there is, in the order of this page."""

TICKS: frozenset[type[Event]] = frozenset({BytesSeen, BytesSwallowed, ChunkSent, ChunkReceived, LoopLag})
"""Kinds that may be merged or dropped (and then are counted) when the reader cannot keep up."""


def kind_of(cls: type[Event]) -> str:
    """The ``kind`` field's value for a class of event."""
    value = cls.__dataclass_fields__["kind"].default
    assert isinstance(value, str)
    return value
