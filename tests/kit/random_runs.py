"""Runs that look like real ones, and everything that could come instead, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from probes import events as ev
from probes.events import CALL, TO_CLIENT, TO_SERVER, Event, LanePlan
from probes.fold import order_key

PROTOCOLS = ("grpc", "http/1.1", "http/2", "postgres")
_FRAMES = (
    ("tcp", "FIN", ""),
    ("tcp", "RST", ""),
    ("http/2", "RST_STREAM", "CANCEL(8)"),
    ("http/2", "HEADERS", "0"),
    ("http/2", "HEADERS", "4"),
    ("http/2", "END_STREAM", ""),
    ("http/2", "GOAWAY", "NO_ERROR(0)"),
    ("http/1.1", "head", "200"),
    ("http/1.1", "end", ""),
    ("postgres", "Execute", ""),
    ("postgres", "Query", ""),
    ("postgres", "CancelRequest", ""),
    ("postgres", "ErrorResponse", "57014"),
    ("postgres", "ErrorResponse", "57P01"),
    ("postgres", "ErrorResponse", "42601"),
    ("postgres", "CommandComplete", "SELECT 1"),
    ("postgres", "ReadyForQuery", "I"),
)
_TEXT = st.text(max_size=12)
_SMALL = st.integers(0, 9)
_WAYS = st.sampled_from((TO_CLIENT, TO_SERVER))


def _span(cls: type[Event]) -> st.SearchStrategy[tuple[type[Event], dict[str, Any]]]:
    fields: dict[str, Any] = {
        "layer": st.sampled_from(("caller", "client", "server", "resource")),
        "span": _SMALL,
        "name": st.sampled_from((CALL, "handler", "pool slot")),
        "evidence": _TEXT,
    }
    if cls in (ev.SpanFailed, ev.SpanCancelled):
        fields["error"] = st.sampled_from(("CancelledError", "TimeoutError"))
    return _of(cls, **fields)


def _of(cls: type[Event], **fields: Any) -> st.SearchStrategy[tuple[type[Event], dict[str, Any]]]:
    return st.tuples(st.just(cls), st.fixed_dictionaries(fields))


def _frame() -> st.SearchStrategy[tuple[type[Event], dict[str, Any]]]:
    def fields(conn: int, direction: str, frame: tuple[str, str, str], trailers: bool) -> tuple[type[Event], Any]:
        proto, name, code = frame
        detail = "grpc-status" if trailers else ""
        return ev.FrameSeen, {
            "layer": "wire",
            "conn": conn,
            "direction": direction,
            "proto": proto,
            "name": name,
            "code": code,
            "detail": detail,
        }

    return st.builds(fields, _SMALL, _WAYS, st.sampled_from(_FRAMES), st.booleans())


_COUNTS = {"n": _SMALL, "size": st.integers(0, 9000), "total": st.integers(0, 99)}

LANE_EVENTS = st.one_of(
    _span(ev.SpanStarted),
    _span(ev.SpanCompleted),
    _span(ev.SpanFailed),
    _span(ev.SpanCancelled),
    _span(ev.CleanedUp),
    _of(ev.CancelSwallowed, layer=st.just("server"), span=_SMALL, name=st.just("handler"), error=_TEXT, evidence=_TEXT),
    _frame(),
    _frame(),
    _of(ev.ChunkSent, layer=st.sampled_from(("server", "client")), **_COUNTS),
    _of(ev.ChunkReceived, layer=st.sampled_from(("client", "server")), **_COUNTS),
    _of(
        ev.BytesSeen, conn=_SMALL, direction=_WAYS, size=st.integers(0, 9000), body=st.integers(0, 900), messages=_SMALL
    ),
    _of(ev.ConnectionOpened, conn=_SMALL, peer=_TEXT),
    _of(ev.ConnectionClosed, conn=_SMALL),
    _of(ev.PhaseReached, phase=_TEXT, evidence=_TEXT),
    _of(ev.Trigger, cause=st.sampled_from(("httpx read timeout", "key"))),
    _of(ev.Signal, layer=st.sampled_from(("caller", "server")), cause=st.just("key"), key_ns=_SMALL),
    _of(ev.TeardownStarted),
    _of(ev.BackendState, pid=_SMALL, state=st.sampled_from(("active", "idle", "gone")), wait=_TEXT),
    _of(ev.Residue, held=st.dictionaries(st.sampled_from(("handlers", "streams")), _SMALL)),
    _of(ev.FaultStarted, fault=st.just("freeze"), direction=_WAYS, detail=_TEXT),
    _of(
        ev.FaultHit,
        conn=_SMALL,
        fault=st.just("lose-cancel"),
        direction=_WAYS,
        did=st.sampled_from(("held", "lost", "cut")),
        what=st.sampled_from(("CancelRequest", "FIN", "RST")),
    ),
    _of(ev.BytesSwallowed, conn=_SMALL, fault=st.just("black-hole"), direction=_WAYS, size=_SMALL),
    _of(ev.FaultEnded, fault=st.just("freeze"), direction=_WAYS, conns=_SMALL, size=_SMALL, detail=_TEXT),
    _of(ev.DecoderLost, conn=_SMALL, direction=_WAYS, proto=st.just("http/2"), reason=_TEXT),
)
RUN_EVENTS = st.one_of(
    _of(ev.Trigger, cause=st.sampled_from(("key", "scope deadline")), detail=_TEXT),
    _of(ev.LoopLag, lag_ns=st.integers(0, 10**7)),
    _of(ev.RunEnded, outcome=st.sampled_from(("settled", "aborted")), detail=_TEXT),
)
SESSION_EVENTS = st.one_of(
    _of(ev.Progress, part=st.sampled_from(("lab", "servers")), state=st.sampled_from(("starting", "ready", "failed"))),
    _of(ev.LabReady, versions=st.dictionaries(_TEXT, _TEXT, max_size=2), addresses=st.just({})),
    _of(ev.ChildStarted, child=_TEXT, pid=_SMALL),
    _of(ev.ChildDied, child=st.sampled_from(("lab", "servers")), pid=_SMALL, status=_TEXT),
    _of(ev.ChildSaid, child=_TEXT, text=_TEXT),
    _of(ev.Note, text=_TEXT),
    _of(ev.TapCalibrated, median_ns=_SMALL, p95_ns=_SMALL, samples=_SMALL, kernel_stamps=st.booleans()),
    _of(ev.LoopLag, lag_ns=_SMALL),
    _of(ev.Dropped, what=_TEXT, count=_SMALL),
)


def _plans(draw: st.DrawFn) -> tuple[LanePlan, ...]:
    names = draw(st.lists(st.sampled_from(PROTOCOLS), min_size=1, max_size=4, unique=True))
    # A lane without a phase cannot miss it: half of them are judged by what came after.
    phases = ["", "response body", "", "response body"][: len(names)]
    pairs = zip(names, phases, strict=True)
    return tuple(LanePlan(lane=name, protocol=name, phase=phase, size=100) for name, phase in pairs)


@st.composite
def runs(draw: st.DrawFn, number: int = 1, begin: int = 0, size: int = 60) -> list[Event]:
    """One run's events in order, ``begin`` ns or later. Times may be equal; sources are the three processes."""
    plans = _plans(draw)
    bodies: list[tuple[type[Event], dict[str, Any]]] = [
        (ev.RunStarted, {"scenario": "s", "title": "t", "lanes": plans}),
        *draw(st.lists(st.one_of(LANE_EVENTS, LANE_EVENTS, LANE_EVENTS, RUN_EVENTS), max_size=size)),
    ]
    t, events = begin, []
    for seq, (cls, fields) in enumerate(bodies, start=1):
        t += draw(st.sampled_from((0, 1, 40_000, 2_000_000, 30_000_000))) if seq > 1 else 0
        whole = cls in (ev.RunStarted, ev.LoopLag, ev.RunEnded) or (cls is ev.Trigger and "detail" in fields)
        lane = "" if whole else draw(st.sampled_from([plan.lane for plan in plans]))
        src = draw(st.sampled_from(("lab", "servers", "app"))) if seq > 1 else "app"
        events.append(cls(t=t, err=0, src=src, seq=number * 1000 + seq, run=number, lane=lane, **fields))
    return sorted(events, key=order_key)


@st.composite
def sessions(draw: st.DrawFn) -> list[Event]:
    """A few runs one after the other, with the session's own events before, between and in them, in order."""
    events: list[Event] = []
    begin = 0
    for number in range(1, draw(st.integers(1, 3)) + 1):
        run = draw(runs(number, begin, 25))
        events += run
        begin = run[-1].t + draw(st.sampled_from((1, 400_000_000, 5_000_000_000)))
    extra = draw(st.lists(st.tuples(SESSION_EVENTS, st.integers(0, begin)), max_size=10))
    for seq, ((cls, fields), t) in enumerate(extra, start=100_000):
        events.append(cls(t=t, err=0, src="lab", seq=seq, **fields))
    return sorted(events, key=order_key)
