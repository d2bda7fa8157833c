"""What the tap sees, and does; and what PostgreSQL says of its backends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probes.events.base import Direction, Event, StampQuality


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendState(Event):
    """A change of a row of pg_stat_activity, seen by an observer that polls: ``err`` is its interval."""

    kind: Literal["backend"] = "backend"
    pid: int
    state: str
    wait: str = ""
