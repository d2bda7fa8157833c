"""What a run looks like at one moment: frozen values that folds build and painters read.

All times are the events' own (ns, monotonic). A mark keeps its error and its evidence with it.

They are msgspec's structs, because a fold makes a changed copy of a state for every event: ``msgspec.structs.replace``
does so for a lane in 0.08 us where ``dataclasses.replace`` took 3.3, which was most of what an event cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from struct import Struct as Packer
from typing import NamedTuple

from msgspec import Struct, field

from probes.events import GUEST, LAYERS, LanePlan, Layer, StampQuality
from probes.machine import Machine

INDEX = {layer: index for index, layer in enumerate(LAYERS)}
"""Where a layer's row is among ``LaneState.layers``."""


class Moment(StrEnum):
    DONE = "done"
    INTERRUPT = "interrupt"
    CLEANUP = "cleanup"


class Mark(Struct, frozen=True, gc=False):
    """One moment of one layer, with the evidence for it. ``err`` ns: how far ``t`` can be off."""

    moment: Moment
    t: int
    err: int
    evidence: str
    stamp: StampQuality = "user"


class LayerState(Struct, frozen=True, gc=False):
    """One row. ``started``/``ended``: when its work began and really stopped; None while it has not."""

    layer: Layer
    started: int | None = None
    ended: int | None = None
    outcome: str = ""
    """``completed``, ``failed``, ``cancelled``, ``killed`` (its process died), or empty while it runs."""
    marks: tuple[Mark, ...] = ()
    open: int = 0
    """Spans of the row that have begun and are not cleaned up."""

    def first(self, moment: Moment) -> Mark | None:
        # Loops, here and below: it is asked for with every event, and a generator costs three times as much.
        for mark in self.marks:
            if mark.moment is moment:
                return mark
        return None

    def last(self, moment: Moment) -> Mark | None:
        for mark in reversed(self.marks):
            if mark.moment is moment:
                return mark
        return None


class Chunks(Struct, frozen=True, gc=False):
    """The three counters of a partial response, or of a request's body where that is what is cancelled
    (``probes.catalogue.uploads``): what the sender's write accepted, what is on the wire, what the reader took. Sender
    is the server of a response, the client of an upload. None where nobody can know it."""

    accepted: int | None = None
    on_wire: int | None = 0
    read: int | None = 0


class Other(Struct, frozen=True, gc=False):
    """The other requests of a lane's client that have one role: how the last one ended, and how many there were."""

    outcome: str
    evidence: str
    count: int


class LinkState(Struct, frozen=True, gc=False):
    """What a link of the middleware did to a signal, ``t`` ns."""

    link: int
    name: str
    effect: str
    t: int
    evidence: str


class FaultState(Struct, frozen=True, gc=False):
    """A fault of the tap on this lane's connections: from ``since`` to ``until`` (ns), None while it stands."""

    kind: str
    direction: str
    since: int
    until: int | None = None
    detail: str = ""
    hits: tuple[str, ...] = ()
    """What it did to a connection, in words."""


class Burst(NamedTuple):
    """``size`` bytes that passed from ``first`` to ``last`` (ns)."""

    first: int
    last: int
    size: int


PACKED = Packer("<qqq")
"""A burst that is over: a state that is kept for hours has a hundred of them a lane, and as objects they were 150
bytes each."""


class Flow(Struct, frozen=True, gc=False):
    """Bytes over time (``probes.fold.flow``). ``first``, ``last`` and ``size``: the burst that may still grow, none
    while ``size`` is 0; ``level``: how often the grain was doubled."""

    closed: bytes = b""
    """Those that are over, ``PACKED`` one after the other."""
    first: int = 0
    last: int = 0
    size: int = 0
    level: int = 0

    @property
    def bursts(self) -> tuple[Burst, ...]:
        """All of them, by time."""
        over = map(Burst._make, PACKED.iter_unpack(self.closed))
        return (*over, Burst(self.first, self.last, self.size)) if self.size else tuple(over)

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(burst.size for burst in self.bursts)


_NO_FLOW = Flow()


class Zero(Struct, frozen=True, gc=False):
    """The trigger of a lane: its t = 0."""

    t: int
    cause: str
    detail: str = ""
    own: bool = False
    """True: the lane's own trigger (its timeout, its key), False: the scope's."""


class LaneState(Struct, frozen=True, gc=False):
    """One lane of a run."""

    plan: LanePlan
    zero: Zero | None = None
    key_ns: int = 0
    layers: tuple[LayerState, ...] = tuple(LayerState(layer) for layer in LAYERS)
    phase: str = ""
    reached: int | None = None
    """When the call was in its plan's phase, by the evidence of the lane."""
    client: Machine = field(default_factory=Machine)
    server: Machine = field(default_factory=Machine)
    chunks: Chunks = field(default_factory=Chunks)
    others: Mapping[str, Other] = field(default_factory=dict)
    """Requests of the lane's client beside the call, by their role."""
    body: int = 0
    """Payload bytes so far, from server to client; of an upload from client to server, like the next."""
    late_bytes: int = 0
    """Bytes after the caller was done."""
    flow_before: Flow = _NO_FLOW
    """The same payload's bytes on the wire over time, up to the trigger; ``flow_after``: from it on."""
    flow_after: Flow = _NO_FLOW
    conns: tuple[int, ...] = ()
    """Connections of this lane that the tap has open."""
    side_conns: tuple[int, ...] = ()
    """Connections that carried nothing but a CancelRequest."""
    backend: tuple[tuple[int, str, str, int], ...] = ()
    """PostgreSQL: (t, state, wait, err) of the backend, each change once."""
    call_conn: int = 0
    """PostgreSQL: the connection that carries the call; 0 before it begins."""
    completed: str = ""
    """PostgreSQL: the command that the backend called complete since it was last ready."""
    faults: tuple[FaultState, ...] = ()
    """What the tap itself did, in the order in which it began."""
    links: tuple[LinkState, ...] = ()
    """What became of signals at the links between caller and client, in the order of time."""
    budgets: tuple[tuple[int, int | None, str], ...] = ()
    """Of a hop: (t, ns left of its caller's deadline or None, by what that is known)."""
    swallowed: int = 0
    """Cancels that reached the server's handler, and that it did not act on."""
    teardown: int | None = None
    residue: Mapping[str, int] = field(default_factory=dict)
    lost: str = ""
    """Why the tap's decoder gave up, if it did."""

    @property
    def name(self) -> str:
        return self.plan.lane

    @property
    def guest(self) -> bool:
        """Whether its client is none of the lab's: then it has no caller and no client rows."""
        return self.plan.phase == GUEST

    @property
    def left(self) -> int | None:
        """When its caller was done (ns), so that nobody waits any more; of a guest that is the trigger."""
        if self.guest:
            return None if self.zero is None else self.zero.t
        done = self.layer("caller").first(Moment.DONE)
        return None if done is None else done.t

    def layer(self, layer: Layer) -> LayerState:
        return self.layers[INDEX[layer]]


class RunState(Struct, frozen=True, gc=False):
    """One run. ``zero`` is the scope's trigger; a lane may have its own."""

    run: int = 0
    scenario: str = ""
    title: str = ""
    deadline: float | None = None
    settle: float = 1.0
    started: int | None = None
    zero: Zero | None = None
    lanes: tuple[LaneState, ...] = ()
    lag_ns: int = 0
    ended: int | None = None
    outcome: str = ""
    detail: str = ""
    before: Mapping[str, int] = field(default_factory=dict)
    """What everybody held before the run, by name; ``after``: and after its teardown. Empty where nobody counted."""
    after: Mapping[str, int] = field(default_factory=dict)

    def lane(self, name: str) -> LaneState | None:
        return next((lane for lane in self.lanes if lane.name == name), None)

    @property
    def open(self) -> bool:
        return self.started is not None and self.ended is None


class PartState(Struct, frozen=True, gc=False):
    """One part of the lab (servers, postgresql, taps, ...) and how it is."""

    part: str
    state: str
    detail: str = ""


class SessionState(Struct, frozen=True, gc=False):
    """What belongs to no run: the lab and its children."""

    parts: tuple[PartState, ...] = ()
    ready: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    guests: Mapping[str, str] = field(default_factory=dict)
    """Where outside clients find each service, ``host:port``; empty unless the lab listens for them."""
    tap_median_ns: int | None = None
    tap_p95_ns: int | None = None
    kernel_stamps: bool = False
    lag_ns: int = 0
    dropped: int = 0
    log: tuple[tuple[int, str, str], ...] = ()
    """(t, who, text): what children said and did, the last ``LOG_LINES`` of them."""


LOG_LINES = 500
