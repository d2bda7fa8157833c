"""What the events say of faults: whose doing it was, and never that something passed which did not."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any, TypeVar

from probes.clock import Clock
from probes.codec import decode, encode
from probes.events import (
    TO_SERVER,
    BytesSeen,
    BytesSwallowed,
    CleanedUp,
    ConnectionClosed,
    DecoderLost,
    Event,
    FaultEnded,
    FaultHit,
    FaultPlan,
    FaultStarted,
    FrameSeen,
    Trigger,
)
from probes.schema import LANE_HEADER, RUN_HEADER
from probes.sink import Sink
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.guests import GuestLedger, Guests
from probes.tap.seen import Conversation
from probes.tap.witness import Ledger
from tests.kit.tap_kit import noticed, on_both_loops, rigged

E = TypeVar("E", bound=Event)
CANCEL = struct.pack("!IIII", 16, 80877102, 4711, 0xC0FFEE)


class Told:
    """A real ledger, and every event of it."""

    def __init__(self, conversation: Callable[[], Conversation]) -> None:
        self.events: list[Event] = []
        self.sink = Sink("lab", self._write, Clock())
        self.ledger = Ledger(self.sink, "lane", conversation)
        self.ledger.expect(3, "lane")

    def _write(self, event: Event, line: bytes) -> None:
        assert decode(line) == event
        assert encode(event) == line
        self.events.append(event)

    def of(self, cls: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, cls)]

    def frames(self) -> list[str]:
        return [event.name for event in self.of(FrameSeen)]

    async def frame(self, name: str) -> FrameSeen:
        await noticed(lambda: name in self.frames())
        return next(event for event in self.of(FrameSeen) if event.name == name)

    def rig(self) -> Any:
        return rigged(self.ledger.witness, self.ledger)


def _get(path: str, run: int = 3, lane: str = "lane") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n{RUN_HEADER}: {run}\r\n{LANE_HEADER}: {lane}\r\n\r\n".encode()


@on_both_loops
async def test_swallowed_bytes_are_said_to_be_swallowed_and_no_frame_is() -> None:
    told = Told(http_conversation)
    async with told.rig() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="black-hole", direction=TO_SERVER))
        await client.send(_get("/lost"))
        await noticed(lambda: told.of(BytesSwallowed))
        rig.tap.clear()
        await client.send(_get("/kept"))
        assert await server.exactly(len(_get("/kept"))) == _get("/kept")
        assert (await told.frame("request")).detail == "GET /kept"
        assert told.frames() == ["request", "end"]
        (swallowed,) = told.of(BytesSwallowed)
        head = (swallowed.run, swallowed.lane, swallowed.layer, swallowed.conn, swallowed.fault, swallowed.direction)
        (link,) = rig.tap.links
        assert head == (3, "lane", "wire", link.conn, "black-hole", TO_SERVER)
        assert swallowed.size == len(_get("/lost"))
        (begun,), (over,) = told.of(FaultStarted), told.of(FaultEnded)
        assert (begun.run, begun.lane, begun.layer, begun.fault) == (3, "lane", "wire", "black-hole")
        assert begun.direction == over.direction == TO_SERVER
        assert (over.conns, over.size) == (1, len(_get("/lost")))
        assert over.detail == f"cleared: 1 connection, {over.size} bytes swallowed"


@on_both_loops
async def test_a_fault_belongs_to_the_run_in_which_it_began() -> None:
    told = Told(http_conversation)
    async with told.rig() as rig:
        rig.tap.inject(FaultPlan(kind="freeze"))
        told.ledger.expect(4, "next")
        rig.tap.clear()
        assert [(event.run, event.lane) for event in (*told.of(FaultStarted), *told.of(FaultEnded))] == [
            (3, "lane")
        ] * 2


@on_both_loops
async def test_a_fin_that_waits_in_a_freeze_does_not_end_the_decoder_early() -> None:
    told = Told(http_conversation)
    async with told.rig() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="freeze"))
        await client.send(_get("/late")[:-2])
        client.fin()
        await told.frame("FIN")
        thawed = time.monotonic_ns()
        rig.tap.clear()
        await server.exactly(len(_get("/late")) - 2)
        assert await server.ended() == "FIN"
        cut_off = await told.frame("incomplete")
        assert cut_off.t >= thawed
        assert told.frames() == ["FIN", "incomplete"]
        assert told.of(DecoderLost) == []
        assert [(event.did, event.what) for event in told.of(FaultHit)] == [("held", "FIN")]


@on_both_loops
async def test_a_cut_is_the_taps_doing_and_ends_the_exchange() -> None:
    told = Told(http_conversation)
    async with told.rig() as rig:
        client, server = await rig.pair()
        await client.send(_get("/"))
        await server.exactly(len(_get("/")))
        await told.frame("request")
        rig.tap.inject(FaultPlan(kind="cut", how="FIN"))
        assert (await client.ended(), await server.ended()) == ("FIN", "FIN")
        assert await told.ledger.exchange_end() == "cut with FIN by the tap"
        assert told.frames() == ["request", "end"]
        assert [type(event) for event in told.events[-4:]] == [FaultStarted, FaultHit, ConnectionClosed, FaultEnded]
        (hit,), (closed,) = told.of(FaultHit), told.of(ConnectionClosed)
        assert (hit.run, hit.lane, hit.fault, hit.did, hit.what) == (3, "lane", "cut", "cut", "FIN")
        assert closed.detail == "cut with FIN by the tap"


@on_both_loops
async def test_a_cut_ends_a_guest() -> None:
    told = Told(http_conversation)
    guests = Guests(told.sink, 1)
    told.ledger = GuestLedger(told.sink, "http", http_conversation, guests, lambda _conn: "")
    async with told.rig() as rig:
        client, _server = await rig.pair()
        await client.send(b"GET /guest HTTP/1.1\r\nhost: x\r\n\r\n")
        await told.frame("request")
        rig.tap.inject(FaultPlan(kind="cut"))
        ((run, lane),) = {(event.run, event.lane) for event in told.of(FaultHit)}
        assert [(event.run, event.lane, event.cause) for event in told.of(Trigger)] == [(run, lane, "tap cut with RST")]
        assert [event.evidence for event in told.of(CleanedUp)] == ["cut with RST by the tap"]
        assert await client.ended() == "RST"
    guests.stop()


@on_both_loops
async def test_the_ledger_knows_whom_to_cut() -> None:
    told = Told(http_conversation)
    async with told.rig() as rig:
        pairs = [await rig.pair() for _ in range(2)]
        for run, (client, server) in enumerate(pairs, start=8):
            await client.send(_get("/", run=run))
            await server.exactly(len(_get("/", run=run)))
        await noticed(lambda: told.frames().count("request") == 2)
        assert told.ledger.conns(9, "other") == set()
        rig.tap.inject(FaultPlan(kind="cut"), only=told.ledger.conns(9, "lane"))
        assert await pairs[1][0].ended() == "RST"
        assert pairs[0][0].hears_nothing()
        assert [(event.run, event.what) for event in told.of(FaultHit)] == [(9, "RST")]


@on_both_loops
async def test_a_late_cancel_is_seen_when_it_passes() -> None:
    told = Told(postgres_conversation)
    async with told.rig() as rig:
        rig.tap.inject(FaultPlan(kind="delay-cancel"))
        client, server = await rig.pair()
        await client.send(CANCEL)
        await noticed(lambda: told.of(FaultHit))
        assert told.frames() == []
        cleared = time.monotonic_ns()
        rig.tap.clear()
        assert await server.exactly(16) == CANCEL
        frame = await told.frame("CancelRequest")
        assert (frame.t >= cleared, frame.stamp) == (True, "user")
        hits = [(event.did, event.what, event.size, event.detail) for event in told.of(FaultHit)]
        assert hits == [(did, "CancelRequest", 16, "pid 4711") for did in ("held", "passed on")]
        assert b"\xc0\xff\xee" not in b"".join(map(encode, told.events))


@on_both_loops
async def test_a_lost_cancel_is_never_seen() -> None:
    told = Told(postgres_conversation)
    async with told.rig() as rig:
        rig.tap.inject(FaultPlan(kind="lose-cancel"))
        client, server = await rig.pair()
        await client.send(CANCEL)
        client.fin()
        assert await server.ended() == "FIN"
        await told.frame("FIN")
        assert told.frames() == ["FIN"]
        assert told.of(BytesSeen) == []
        assert [(event.did, event.what) for event in told.of(FaultHit)] == [("lost", "CancelRequest")]
