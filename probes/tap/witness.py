"""From what passes a connection to events: decode, attribute to a run and a lane, emit.

Attribution comes from the wire itself: a request names its run and lane (``probes.schema``), a CancelRequest
the pid of the backend whose connection did. What comes before the first such tag on a connection belongs to
the run that the lab expects on this tap at the moment of accept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from probes.clock import Stamp
from probes.events import (
    TO_SERVER,
    BytesSeen,
    BytesSwallowed,
    ConnectionClosed,
    ConnectionOpened,
    DecoderLost,
    Direction,
    Event,
    FaultEnded,
    FaultHit,
    FaultPlan,
    FaultStarted,
    FrameSeen,
)
from probes.sink import Sink
from probes.tap.faults import FaultOver
from probes.tap.seen import Conversation, Item, Lost, Seen, Tag, Tick


class Ledger:
    """What the connections of one tap share: the expected run, backends by pid, closed exchanges.

    It is the ``FaultLog`` of its tap as well: faults belong to the run that was expected when they began, what they
    do to a connection to that connection's run.
    """

    def __init__(self, sink: Sink, lane: str, conversation: Callable[[], Conversation]) -> None:
        self.sink = sink
        self.conversation = conversation
        self.expected = Tag(0, lane)
        self.backends: dict[int, Observer] = {}
        self.open: dict[int, Observer] = {}
        self._changed = asyncio.Event()
        self.requested = False
        """Whether a request of the expected run has passed."""
        self.closed_at: Stamp | None = None
        """When the exchange of the expected run was closed."""
        self.hear: Callable[[Event], None] | None = None
        """Is told each event of the expected run when it was said; must return at once."""
        self._closed: dict[Tag, asyncio.Future[str]] = {}
        self._hung_up: asyncio.Future[str] | None = None

    def expect(self, run: int, lane: str) -> None:
        """From now on new connections belong to this run and lane until they say otherwise."""
        self.expected = Tag(run, lane)
        self.requested = False
        self.closed_at = self.hear = None
        self._closed.clear()
        self._hung_up = None

    def witness(self, conn: int, peer: str) -> Observer:
        return Observer(self, conn, peer)

    def exchange_end(self) -> asyncio.Future[str]:
        """Gets the evidence when the exchange (stream) of the expected run is closed in both directions."""
        return self._future(self.expected)

    async def hangup(self) -> str:
        """Wait for a FIN, RST or cut of a connection that carried the expected run; the evidence."""
        return await asyncio.shield(self._hangup())

    def _hangup(self) -> asyncio.Future[str]:
        if self._hung_up is None:
            self._hung_up = asyncio.get_running_loop().create_future()
        return self._hung_up

    def hung_up(self, evidence: str) -> None:
        if not (future := self._hangup()).done():
            future.set_result(evidence)

    def connections(self) -> int:
        """Connections of this lane that are open now."""
        return len(self.open)

    def unended(self) -> int:
        """Those of them on which the client's end, FIN or RST, has not passed."""
        return sum(not observer.left for observer in self.open.values())

    def conns(self, run: int, lane: str) -> set[int]:
        """The numbers of the open connections that belong to this run and lane now: whom a cut is to reach."""
        return {conn for conn, observer in self.open.items() if observer.belongs_to(Tag(run, lane))}

    def clients(self, run: int, lane: str) -> int:
        """How many of these have a client that has not hung up."""
        return sum(not self.open[conn].left for conn in self.conns(run, lane))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for ``condition`` to become true, which is looked at whenever a connection has opened, its client has
        hung up, or it has closed."""
        while not condition():
            await self._changed.wait()

    def changed(self) -> None:
        """Somebody may be waiting for that."""
        self._changed.set()
        self._changed = asyncio.Event()

    def disturbed(self) -> Tag:
        """Whose connections a fault that begins now is meant for."""
        return self.expected

    def fault_started(self, fault: FaultPlan, detail: str) -> FaultOver:
        tag = self.disturbed()
        head: dict[str, Any] = {"run": tag.run, "lane": tag.lane, "layer": "wire"}
        head |= {"fault": fault.kind, "direction": fault.direction}
        self.sink.emit(FaultStarted, detail=detail, **head)
        return lambda conns, size, why: self._fault_over(head, conns, size, why)

    def _fault_over(self, head: dict[str, Any], conns: int, size: int, why: str) -> None:
        self.sink.emit(FaultEnded, conns=conns, size=size, detail=why, **head)

    def fault_hit(
        self, conn: int, fault: FaultPlan, direction: Direction, did: str, what: str, size: int, detail: str
    ) -> None:
        said = {"fault": fault.kind, "direction": direction, "did": did, "what": what, "size": size, "detail": detail}
        self.open[conn].hit(said)
        if did == "cut":
            self.open[conn].cut(what)

    def bytes_swallowed(self, conn: int, fault: FaultPlan, direction: Direction, size: int, stamp: Stamp) -> None:
        self.open[conn].swallowed(fault, direction, size, stamp)

    def closed(self, tag: Tag, evidence: str, at: Stamp) -> None:
        if tag == self.expected and not (future := self._future(tag)).done():
            self.closed_at = at
            future.set_result(evidence)

    def said(self, tag: Tag, event: Event) -> None:
        if self.hear is not None and tag == self.expected:
            self.hear(event)

    def _future(self, tag: Tag) -> asyncio.Future[str]:
        if tag not in self._closed:
            self._closed[tag] = asyncio.get_running_loop().create_future()
        return self._closed[tag]


class Observer:
    """The witness of one connection."""

    def __init__(self, ledger: Ledger, conn: int, peer: str) -> None:
        self._ledger, self._conn = ledger, conn
        self._talk = ledger.conversation()
        self._tag = ledger.expected
        self._streams: dict[int, Tag] = {}
        self._carried = {self._tag}
        self._pid = 0
        self.left = False
        """Its client has hung up."""
        ledger.open[conn] = self
        self._emit(ConnectionOpened, self._tag, None, peer=peer)
        ledger.changed()

    def bytes_passed(self, direction: Direction, data: bytes, stamp: Stamp) -> None:
        self._items(direction, self._talk.feed(direction, data) if data else self._talk.end(direction), stamp)

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None:
        for tag in self._parties():
            self._emit(FrameSeen, tag, stamp, direction=direction, proto="tcp", name=how, stamp=stamp.quality)
            self._ledger.closed(tag, f"{direction} {how}", stamp)
        if direction == TO_SERVER:
            self.left = True
            self._ledger.changed()
        self._over(f"{direction} {how}")

    def belongs_to(self, tag: Tag) -> bool:
        """Whether the connection is of this run and lane now."""
        return tag in self._parties()

    def hit(self, said: dict[str, Any]) -> None:
        """A fault did something to the connection."""
        for tag in self._parties():
            self._emit(FaultHit, tag, None, **said)

    def swallowed(self, fault: FaultPlan, direction: Direction, size: int, stamp: Stamp) -> None:
        """A fault took bytes of the connection."""
        said = {"fault": fault.kind, "direction": direction, "size": size, "stamp": stamp.quality}
        self._emit(BytesSwallowed, self._tag, stamp, **said)

    def cut(self, how: str) -> None:
        """The tap itself closes the connection."""
        evidence = f"cut with {how} by the tap"
        self._ledger.closed(self._tag, evidence, self._ledger.sink.clock.now())
        self._over(evidence)

    def _over(self, evidence: str) -> None:
        if self._ledger.expected in self._carried:
            self._ledger.hung_up(evidence)

    def _parties(self) -> list[Tag]:
        """Whom the end of the connection concerns: everybody who has a stream on it, and whoever spoke last."""
        return list(dict.fromkeys((*self._streams.values(), self._tag)))

    def closed(self, detail: str) -> None:
        del self._ledger.open[self._conn]
        if self._ledger.backends.get(self._pid) is self:
            del self._ledger.backends[self._pid]
        self._emit(ConnectionClosed, self._tag, None, detail=detail)
        self._ledger.changed()

    def _items(self, direction: Direction, items: list[Item], stamp: Stamp) -> None:
        for item in items:
            if isinstance(item, Tick):
                self._tick(direction, item, stamp)
            elif isinstance(item, Seen):
                self._seen(direction, item, stamp)
            else:
                self._lost(direction, item, stamp)

    def _tick(self, direction: Direction, tick: Tick, stamp: Stamp) -> None:
        self._emit(
            BytesSeen,
            self._owner(tick.stream),
            stamp,
            direction=direction,
            stream=tick.stream,
            size=tick.size,
            body=tick.body,
            messages=tick.messages,
            stamp=stamp.quality,
        )

    def _seen(self, direction: Direction, seen: Seen, stamp: Stamp) -> None:
        self._learn(seen)
        tag = self._owner(seen.stream)
        self._emit(
            FrameSeen,
            tag,
            stamp,
            direction=direction,
            proto=seen.proto,
            name=seen.name,
            code=seen.code,
            detail=seen.detail,
            stream=seen.stream,
            size=seen.size,
            stamp=stamp.quality,
        )
        if seen.closes:
            self._streams.pop(seen.stream, None)
            how = " ".join(part for part in (direction, seen.name, seen.code) if part)
            self._ledger.closed(tag, f"stream {seen.stream}: {how}" if seen.stream else how, stamp)

    def _learn(self, seen: Seen) -> None:
        if seen.tag is not None:
            self._tag = seen.tag
            self._carried.add(seen.tag)
            self._ledger.requested |= seen.tag == self._ledger.expected
            if seen.stream:
                self._streams[seen.stream] = seen.tag
        if not seen.backend:
            return
        if seen.name == "CancelRequest":
            victim = self._ledger.backends.get(seen.backend)
            self._tag = self._tag if victim is None else victim._tag
        else:
            self._pid = seen.backend
            self._ledger.backends[seen.backend] = self

    def _owner(self, stream: int) -> Tag:
        return self._streams.get(stream, self._tag) if stream else self._tag

    def _lost(self, direction: Direction, lost: Lost, stamp: Stamp) -> None:
        self._emit(DecoderLost, self._tag, stamp, direction=direction, proto=lost.proto, reason=lost.reason)

    def _emit(self, cls: type[Event], tag: Tag, at: Stamp | None, **fields: object) -> None:
        head: dict[str, Any] = {"run": tag.run, "lane": tag.lane, "layer": "wire", "conn": self._conn}
        self._ledger.said(tag, self._ledger.sink.emit(cls, at=at, **head, **fields))
