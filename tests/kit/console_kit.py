"""What tests of the console need: a clock that is moved by hand, a handle that records, and runs as a lab tells them.

The events have the shape of real ones: they go through a ``Sink``, in the order and with the fields that lanes, tap
and servers give them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from app import commands
from app.library import Library
from app.paint.view import View
from app.settings import RunSettings
from app.source import LiveSource, view_of
from probes import events as ev
from probes.clock import Clock, Stamp
from probes.events import CALL, TO_CLIENT, TO_SERVER, Event, LanePlan
from probes.sink import Sink
from probes.state import RunState

SECOND = 1_000_000_000
RUN_BEGIN = 100 * SECOND
ARMED = RUN_BEGIN + 12_000_000
"""When every call of a told run is in its phase."""

LANES = ("grpc", "http/1.1", "http/2", "postgres")
PHASES = ("mid-stream", "response body", "response body", "statement executing")


def settings(*, deadline: float | None = None) -> RunSettings:
    timeouts: dict[str, float | None] = {"connect": 0.5, "read": 2.0}
    own: dict[str, dict[str, Any]] = {
        "grpc": {"shape": "server stream"},
        "http/1.1": {"timeouts": timeouts},
        "http/2": {"timeouts": timeouts},
        "postgres": {"delay": 60.0},
    }
    plans = tuple(
        LanePlan(lane=lane, protocol=lane, phase=phase, **own[lane]) for lane, phase in zip(LANES, PHASES, strict=True)
    )
    return RunSettings("one-scope", "One scope, four lanes", plans, deadline)


SCENARIOS = Path(__file__).parent / "scenarios"


def library() -> Library:
    """Scenarios to choose from that stay as they are: the shipped ones become more."""
    return Library(lambda: {path.stem: path for path in sorted(SCENARIOS.glob("*.toml"))})


class ManualClock:
    """ns; stands still until it is moved."""

    def __init__(self, now: int = RUN_BEGIN) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class RecordingHandle:
    """The edge to the lab: keeps what is sent, and gives events on."""

    def __init__(self, on_events: Callable[[list[Event]], None], folder: Path | None = None) -> None:
        self.on_events, self._folder = on_events, folder
        self.sent: list[commands.AnyCommand] = []
        self.started = self.stopped = 0
        self.recording: Path | None = None
        self.recording_error = ""
        self.told: dict[str, str] = {}
        """Texts of the scenarios that were loaded, by name."""

    def send(self, command: commands.AnyCommand) -> None:
        self.sent.append(command)

    async def start(self) -> None:
        self.started += 1

    async def stop(self) -> None:
        self.stopped += 1

    def start_recording(self, path: Path | None, *, overwrite: bool = False) -> Path:
        self.recording = path or (self._folder or Path()) / "session.jsonl"
        return self.recording

    def stop_recording(self) -> None:
        self.recording = None

    def tell_scenario(self, name: str, text: str) -> None:
        self.told[name] = text


class Told:
    """Writes events as the processes of a lab would; ``events`` are all of them, in the order of writing."""

    def __init__(self, run: int = 1, begin: int = RUN_BEGIN) -> None:
        self.events: list[Event] = []
        self.run, self.begin = run, begin
        self.zero = begin + 313_000_000
        self._sinks = {src: Sink(src, self._keep, Clock()) for src in ("lab", "servers", "app")}
        self._span = 0

    def _keep(self, event: Event, _line: bytes) -> None:
        self.events.append(event)

    def emit(self, cls: type[Event], t: int, src: str = "lab", **fields: Any) -> Told:
        self._sinks[src].emit(cls, at=Stamp(t, fields.pop("err", 0)), **fields)
        return self

    def at(self, cls: type[Event], us: float, lane: str, src: str = "lab", **fields: Any) -> Told:
        """``us`` microseconds after the trigger of run and lane."""
        return self.emit(cls, self.zero + round(us * 1000), src, run=self.run, lane=lane, **fields)

    # --- the lab --------------------------------------------------------------------------------------

    def starting(self, *ready: str) -> Told:
        self.emit(ev.Progress, 10 * SECOND, part="lab", state="starting")
        self.emit(ev.ChildStarted, 10 * SECOND, child="servers", pid=4712)
        for part in ("servers", "postgresql"):
            self.emit(ev.Progress, 10 * SECOND, part=part, state="starting", detail="")
        for part in ready:
            self.emit(ev.Progress, 11 * SECOND, part=part, state="ready")
        return self

    def ready(self) -> Told:
        self.starting("servers")
        self.emit(ev.Progress, 12 * SECOND, part="postgresql", state="ready", detail="PostgreSQL 18.1, port 43211")
        self.emit(ev.TapCalibrated, 13 * SECOND, median_ns=38_000, p95_ns=91_000, samples=200, kernel_stamps=True)
        self.emit(ev.Progress, 13 * SECOND, part="tap", state="ready", detail="+38 µs a hop")
        self.emit(ev.LabReady, 13 * SECOND, versions={"grpcio": "1.80.0", "postgresql": "18.1"}, addresses={})
        self.emit(ev.ChildSaid, 13 * SECOND, child="postgresql", text="database system is ready to accept connections")
        self.emit(ev.Progress, 13 * SECOND, part="lab", state="ready")
        return self.emit(ev.LoopLag, 14 * SECOND, lag_ns=90_000)

    # --- a run ----------------------------------------------------------------------------------------

    def fired(self, plan: RunSettings) -> Told:
        start = plan.to_start(self.run)
        self.emit(
            ev.RunStarted,
            self.begin,
            run=self.run,
            scenario=start.scenario,
            title=start.title,
            lanes=start.lanes,
            deadline=start.deadline,
            settle=start.settle,
        )
        for index, lane in enumerate(start.lanes):
            self._called(index, lane)
        return self

    def _called(self, index: int, plan: LanePlan) -> None:
        head = {"run": self.run, "lane": plan.lane}
        t = self.begin + 1_000_000
        for layer in ("caller", "client", "resource"):
            self.emit(ev.SpanStarted, t, layer=layer, span=self._next(), name=CALL, **head)
        conn = self.run * 10 + index
        self.emit(ev.ConnectionOpened, t + 500_000, layer="wire", conn=conn, peer="127.0.0.1:40001", **head)
        if plan.protocol == "postgres":
            self.frame(-309_000, plan.lane, "postgres", "Execute", TO_SERVER)
        else:
            handler = {"layer": "server", "span": self._next(), "name": "handler", **head}
            self.emit(ev.SpanStarted, t + 2_000_000, "servers", **handler)
            self._streamed(plan, conn)
        armed = ARMED - RUN_BEGIN + self.begin
        self.emit(ev.PhaseReached, armed, phase=plan.phase, evidence="chunk 1 read", **head)

    def _streamed(self, plan: LanePlan, conn: int) -> None:
        for total in range(1, 15):
            us = -300_000 + total * 20_000
            self.sent(us, plan.lane, total)
            self.bytes(us + 100, plan.lane, conn)
            self.at(ev.ChunkReceived, us + 200, plan.lane, layer="client", n=1, size=1024, total=total)

    def sent(self, us: float, lane: str, total: int) -> Told:
        return self.at(ev.ChunkSent, us, lane, "servers", layer="server", n=1, size=1024, total=total)

    def bytes(self, us: float, lane: str, conn: int, size: int = 1033) -> Told:
        return self.at(
            ev.BytesSeen,
            us,
            lane,
            layer="wire",
            conn=conn,
            direction=TO_CLIENT,
            size=size,
            body=1024,
            messages=1,
            stamp="kernel",
            err=20_000,
        )

    def frame(self, us: float, lane: str, proto: str, name: str, direction: str, **fields: Any) -> Told:
        conn = fields.pop("conn", self.run * 10 + (LANES.index(lane) if lane in LANES else 0))
        return self.at(
            ev.FrameSeen, us, lane, layer="wire", conn=conn, direction=direction, proto=proto, name=name, **fields
        )

    def span(self, cls: type[Event], us: float, lane: str, layer: str, evidence: str = "", **fields: Any) -> Told:
        src = "servers" if layer == "server" else "lab"
        return self.at(cls, us, lane, src, layer=layer, span=self._next(), name=CALL, evidence=evidence, **fields)

    def cancelled(self) -> Told:
        """One key over four lanes: two are heard, HTTP/2 only says so, PostgreSQL asks on a connection of its own."""
        self.emit(ev.Trigger, self.zero, run=self.run, cause="key")
        for index, lane in enumerate(LANES):
            self.at(ev.Signal, 9 + 3 * index, lane, layer="caller", cause="key", key_ns=self.zero - 900_000)
        self._grpc()
        self._http1()
        self._http2()
        return self._postgres()

    def settled(self) -> Told:
        """Torn down after a second; HTTP/2's handler only ends with that."""
        held = {"grpc": {}, "http/1.1": {}, "http/2": {"handlers": 1, "streams": 1}, "postgres": {}}
        for lane in LANES:
            self.at(ev.Residue, 1_000_000, lane, layer="resource", held=held[lane])
            self.at(ev.TeardownStarted, 1_000_100, lane)
        self.span(ev.SpanCancelled, 1_002_300, "http/2", "server", "client disconnected", error="CancelledError")
        self.span(ev.CleanedUp, 1_002_400, "http/2", "server", "finally ran")
        self.emit(ev.LoopLag, self.zero + 1_010_000_000, run=self.run, lag_ns=210_000)
        return self.emit(ev.RunEnded, self.zero + 1_020_000_000, run=self.run, outcome="settled")

    def _grpc(self) -> None:
        self.span(ev.SpanCancelled, 92, "grpc", "client", error="CancelledError")
        self.span(ev.SpanCancelled, 101, "grpc", "caller", error="CancelledError")
        self.span(ev.CleanedUp, 104, "grpc", "caller", "task ended")
        self.frame(
            610, "grpc", "http/2", "RST_STREAM", TO_SERVER, code="CANCEL(8)", stream=1, stamp="kernel", err=20_000
        )
        self.span(ev.SpanCancelled, 1_210, "grpc", "server", error="CancelledError")
        self.span(ev.CleanedUp, 1_260, "grpc", "server", "finally ran")
        self.span(ev.CleanedUp, 1_820, "grpc", "resource", "stream 1 closed by RST_STREAM CANCEL(8); connection kept")

    def _http1(self) -> None:
        self.span(ev.SpanCancelled, 118, "http/1.1", "client", error="CancelledError")
        self.span(ev.SpanCancelled, 131, "http/1.1", "caller", error="CancelledError")
        self.span(ev.CleanedUp, 134, "http/1.1", "caller", "task ended")
        self.frame(805, "http/1.1", "tcp", "FIN", TO_SERVER)
        self.span(ev.SpanCancelled, 1_390, "http/1.1", "server", "disconnect", error="CancelledError")
        self.span(ev.CleanedUp, 1_980, "http/1.1", "server", "finally ran")
        self.span(ev.CleanedUp, 940, "http/1.1", "resource", "pool slot back, connection closed")

    def _http2(self) -> None:
        self.span(ev.SpanCancelled, 110, "http/2", "client", error="CancelledError")
        self.span(ev.SpanCancelled, 122, "http/2", "caller", error="CancelledError")
        self.span(ev.CleanedUp, 125, "http/2", "caller", "task ended")
        for index in range(1, 46):
            self.sent(index * 20_000, "http/2", 14 + index)
            self.bytes(index * 20_000 + 100, "http/2", self.run * 10 + 2, size=2_690)

    def _postgres(self) -> Told:
        self.frame(1_310, "postgres", "postgres", "CancelRequest", TO_SERVER, conn=self.run * 10 + 9)
        self.frame(2_720, "postgres", "postgres", "ErrorResponse", TO_CLIENT, code="57014", stamp="kernel", err=20_000)
        self.frame(2_740, "postgres", "postgres", "ReadyForQuery", TO_CLIENT, code="I", stamp="kernel", err=20_000)
        self.span(ev.SpanCancelled, 3_050, "postgres", "client", error="CancelledError")
        self.span(ev.SpanCancelled, 3_080, "postgres", "caller", error="CancelledError")
        return self.span(ev.CleanedUp, 5_610, "postgres", "resource", "pool slot back, 10 of 10 idle")

    def _next(self) -> int:
        self._span += 1
        return self._span


def view(events: Iterable[Event], now: int = 0, *, selected: int = 0, plan: RunSettings | None = None) -> View:
    """The picture at ``now``; a run that has ended as it stood at its end."""
    source = LiveSource(plan or settings(), lambda: now)
    source.feed(events)
    return view_of(source, selected)


def ready() -> Sequence[Event]:
    return Told().ready().events


def running() -> Sequence[Event]:
    """A ready lab, and a run whose calls are all in their phase; nothing was cancelled yet."""
    return Told().ready().fired(settings()).events


def cancelled() -> Sequence[Event]:
    return Told().ready().fired(settings()).cancelled().events


def settled() -> Sequence[Event]:
    return Told().ready().fired(settings()).cancelled().settled().events


def timed_out(plan: RunSettings | None = None) -> Sequence[Event]:
    """Nobody pressed a key: gRPC's deadline and an httpx read timeout fired by themselves, the rest ended or runs."""
    told = Told().ready().fired(plan or settings())
    zero = told.zero
    told.at(ev.Trigger, 0, "grpc", cause="gRPC deadline")
    told.span(ev.SpanFailed, 310, "grpc", "client", "Deadline Exceeded", error="AioRpcError")
    told.span(ev.SpanFailed, 330, "grpc", "caller", "Deadline Exceeded", error="AioRpcError")
    told.frame(150, "grpc", "http/2", "RST_STREAM", TO_SERVER, code="CANCEL(8)", stream=1, stamp="kernel", err=20_000)
    told.span(ev.SpanCancelled, 820, "grpc", "server", error="CancelledError")
    told.span(ev.CleanedUp, 900, "grpc", "server", "finally ran")
    told.span(ev.CleanedUp, 990, "grpc", "resource", "stream 1 closed; connection kept")
    told.zero = zero + 90_000_000
    told.at(ev.Trigger, 0, "http/1.1", cause="httpx read timeout")
    told.span(ev.SpanFailed, 280, "http/1.1", "client", error="ReadTimeout")
    told.span(ev.SpanFailed, 300, "http/1.1", "caller", error="ReadTimeout")
    told.frame(420, "http/1.1", "tcp", "FIN", TO_SERVER)
    told.span(ev.SpanCancelled, 900, "http/1.1", "server", "disconnect", error="CancelledError")
    told.span(ev.CleanedUp, 950, "http/1.1", "server", "finally ran")
    told.span(ev.CleanedUp, 500, "http/1.1", "resource", "pool slot back, connection closed")
    told.frame(1_000, "http/2", "http/2", "END_STREAM", TO_CLIENT, stream=1)
    for layer in ("server", "client", "caller"):
        told.span(ev.SpanCompleted, 1_100, "http/2", layer)
    return told.events


def shifted(run: RunState, lane: str, ns: int) -> RunState:
    """The same run, in which one lane was slower: every mark of it came so much later."""
    found = run.lane(lane)
    assert found is not None
    layers = tuple(
        structs.replace(layer, marks=tuple(structs.replace(mark, t=mark.t + ns) for mark in layer.marks))
        for layer in found.layers
    )
    slower = structs.replace(found, layers=layers)
    return structs.replace(run, lanes=tuple(slower if each is found else each for each in run.lanes))
