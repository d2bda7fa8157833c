"""Guests: outside clients that come through a tap, each of their exchanges with a lane of its own.

A guest says nothing of itself, so everything is told from the wire: a request opens a lane, the frame by which the
client leaves is its trigger, and the close of the exchange frees its resource. Lanes that overlap share a run; when all
are over for a while the run has settled, and the next guest opens the next one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from probes.clock import Stamp
from probes.events import (
    GUEST,
    TO_CLIENT,
    TO_SERVER,
    CleanedUp,
    Direction,
    Event,
    LaneJoined,
    LanePlan,
    RunEnded,
    RunStarted,
    SpanCancelled,
    SpanStarted,
    Trigger,
)
from probes.sink import Sink
from probes.span import Span
from probes.tap.seen import Conversation, Seen, Tag
from probes.tap.witness import Ledger, Observer

SETTLE_S = 1.0
_KEPT = 1_000
_HEADERS = re.compile(r":method (\S+) :path (\S+)")
LANES = 24
"""A run with so many lanes takes no more: the next guest opens another."""

_RESOURCE = {"http/1.1": "connection", "http/2": "stream", "grpc": "stream", "postgres": "backend"}
_STARTS = {"http/1.1": ("request",), "http/2": ("HEADERS",), "postgres": ("Query", "Parse", "Bind", "Execute")}
_LEAVES = {"http/2": ("RST_STREAM", "GOAWAY"), "postgres": ("CancelRequest", "Terminate")}


@dataclass(slots=True)
class Guest:
    """One exchange of an outside client. ``via``: the tap's own address towards the server, by which the server's
    handler is found. ``handler``: what the servers process calls it, once it has one."""

    tag: Tag
    via: str
    request: str
    resource: Span
    handler: str = ""
    busy: bool = False
    """A handler of it runs, or a backend."""
    left: int | None = None
    """When its trigger was, ns; none yet."""
    closed: bool = False


class Guests:
    """All guests of a listening lab. ``first_run``: the number of the first run."""

    def __init__(self, sink: Sink, first_run: int, joined: Callable[[Guest, int], None] = lambda _guest, _pid: None):
        self._sink, self._next_run, self._joined = sink, first_run, joined
        self._run = 0
        self._count = 0
        self._open: list[Guest] = []
        """Of the open run."""
        self._handlers: dict[str, Guest] = {}
        self._timer: asyncio.TimerHandle | None = None

    def join(self, protocol: str, peer: str, via: str, request: str, at: Stamp, pid: int = 0) -> Guest:
        """A client has asked for something: it gets a lane."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._run or self._count >= LANES:
            self._end_run()
            self._begin_run(at)
        self._count += 1
        tag = Tag(self._run, f"{protocol} {self._count}")
        plan = LanePlan(lane=tag.lane, protocol=protocol, phase=GUEST, cause="", options={"peer": peer})
        self._sink.emit(LaneJoined, at=at, run=tag.run, lane=tag.lane, plan=plan, request=request)
        resource = Span(
            self._sink,
            run=tag.run,
            lane=tag.lane,
            layer="resource",
            name=_RESOURCE[protocol],
            evidence=f"{request} from {peer}",
            at=at,
        )
        guest = Guest(tag, via, request, resource)
        self._open.append(guest)
        self._joined(guest, pid)
        return guest

    def leave(self, guest: Guest, cause: str, at: Stamp) -> None:
        """Its client has gone, or asked to stop: zero of its lane. The first time counts."""
        if guest.left is None and not guest.closed:
            self._trigger(guest, cause, at)

    def _trigger(self, guest: Guest, cause: str, at: Stamp) -> None:
        guest.left = at.t
        self._sink.emit(Trigger, at=at, run=guest.tag.run, lane=guest.tag.lane, cause=cause)

    def close(self, guest: Guest, evidence: str, at: Stamp) -> None:
        """Its exchange is over on the wire."""
        if not guest.closed:
            guest.closed = True
            guest.resource.cleaned_up(evidence, at=at)
            self.check()

    def tag(self, lane: str) -> Tag | None:
        """Run and lane of an open guest."""
        return next((guest.tag for guest in self._open if guest.tag.lane == lane and not guest.closed), None)

    def attribute(self, event: Event) -> Event:
        """An event of the servers process with its guest's run and lane; as it is where it is no guest's."""
        if event.run or not event.lane:
            return event
        if isinstance(event, SpanStarted) and event.layer == "server":
            self._bind(event)
        guest = self._handlers.get(event.lane)
        if guest is None:
            return event
        if isinstance(event, CleanedUp) and event.layer == "server":
            guest.busy = False
            asyncio.get_running_loop().call_soon(self.check)
        if isinstance(event, SpanCancelled) and event.layer == "server":
            self._told_first(guest, event)
        return replace(event, run=guest.tag.run, lane=guest.tag.lane)

    def _told_first(self, guest: Guest, event: SpanCancelled) -> None:
        """A deadline travels with a call: when the server's own timer is the first, it is zero, and not its client."""
        if guest.left is None or event.t < guest.left:
            self._trigger(guest, "server's own timer", Stamp(event.t, event.err))

    def _bind(self, event: SpanStarted) -> None:
        if event.lane in self._handlers:
            return
        for guest in self._open:
            if not guest.handler and event.evidence == f"{guest.request} from {guest.via}":
                guest.handler, guest.busy = event.lane, True
                self._handlers[event.lane] = guest
                break
        if len(self._handlers) > _KEPT:
            # What it still had to say has been said: the oldest is of a run long ago.
            del self._handlers[next(iter(self._handlers))]

    def check(self) -> None:
        """End the run a while after everybody is through."""
        if self._timer is None and self._run and all(guest.closed and not guest.busy for guest in self._open):
            self._timer = asyncio.get_running_loop().call_later(SETTLE_S, self._end_run)

    def stop(self) -> None:
        """No more guests: the open run ends."""
        if self._timer is not None:
            self._timer.cancel()
        self._end_run()

    def _begin_run(self, at: Stamp) -> None:
        self._run, self._next_run, self._count = self._next_run, self._next_run + 1, 0
        self._sink.emit(RunStarted, at=at, run=self._run, scenario="guests", title="Guests", lanes=(), settle=SETTLE_S)

    def _end_run(self) -> None:
        self._timer = None
        if self._run:
            self._sink.emit(RunEnded, run=self._run, outcome="settled")
        self._run, self._open = 0, []


class GuestLedger(Ledger):
    """The ledger of a tap for guests. ``via`` gives, for a connection's number, the tap's address to the server."""

    def __init__(
        self, sink: Sink, name: str, conversation: Callable[[], Conversation], guests: Guests, via: Callable[[int], str]
    ) -> None:
        super().__init__(sink, "", conversation)
        self.name, self.guests, self.via = name, guests, via
        self.victim = Tag(0, "")
        """The lane that a fault which begins now is meant for."""

    def disturbed(self) -> Tag:
        return self.victim

    def witness(self, conn: int, peer: str) -> Observer:
        return GuestObserver(self, conn, peer)


class GuestObserver(Observer):
    """The witness of one guest's connection."""

    def __init__(self, ledger: GuestLedger, conn: int, peer: str) -> None:
        super().__init__(ledger, conn, peer)
        self._book, self._peer = ledger, peer
        self._guests: dict[int, Guest] = {}
        """By stream; 0 where the protocol has none."""

    def _seen(self, direction: Direction, seen: Seen, stamp: Stamp) -> None:
        if direction == TO_SERVER:
            self._asked(seen, stamp)
        self._told(direction, seen, stamp)
        super()._seen(direction, seen, stamp)
        if seen.closes and (guest := self._guests.pop(seen.stream, None)) is not None:
            self._book.guests.close(guest, " ".join(part for part in (direction, seen.name, seen.code) if part), stamp)

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None:
        who = "client" if direction == TO_SERVER else "server"
        for guest in self._guests.values():
            self._book.guests.leave(guest, f"{who} {how}", stamp)
        super().hung_up(direction, how, stamp)
        if direction == TO_SERVER or how == "RST":
            for guest in self._guests.values():
                self._book.guests.close(guest, f"{direction} {how}", stamp)
            self._guests.clear()

    def hit(self, said: dict[str, Any]) -> None:
        if said["did"] == "cut":
            # Zero, before the fault is said to have struck.
            now = self._book.sink.clock.now()
            for guest in self._guests.values():
                self._book.guests.leave(guest, f"tap cut with {said['what']}", now)
        super().hit(said)

    def cut(self, how: str) -> None:
        now = self._book.sink.clock.now()
        super().cut(how)
        for guest in self._guests.values():
            self._book.guests.close(guest, f"cut with {how} by the tap", now)
        self._guests.clear()

    def _parties(self) -> list[Tag]:
        return [guest.tag for guest in self._guests.values()] or super()._parties()

    def _asked(self, seen: Seen, stamp: Stamp) -> None:
        """A request opens a lane; what follows on its stream, or on the connection, belongs to it."""
        if seen.name not in _STARTS.get(seen.proto, ()) or seen.stream in self._guests or not _is_open(seen):
            return
        protocol = "grpc" if self._book.name == "grpc" else seen.proto
        guest = self._book.guests.join(
            protocol, self._peer, self._book.via(self._conn), _request(protocol, seen), stamp, self._pid
        )
        self._guests[seen.stream] = guest
        if seen.stream:
            self._streams[seen.stream] = guest.tag
        else:
            self._tag = guest.tag

    def _told(self, direction: Direction, seen: Seen, stamp: Stamp) -> None:
        """A frame that stops an exchange is the trigger of its lane, whoever sent it."""
        if seen.name == "CancelRequest":
            self._cancel_request(seen, stamp)
            return
        if not _stops(direction, seen):
            return
        who = "client" if direction == TO_SERVER else "server"
        guests = [self._guests[seen.stream]] if seen.stream in self._guests else []
        if not seen.stream:
            guests = list(self._guests.values())
        for guest in guests:
            self._book.guests.leave(guest, f"{who} {seen.name} {seen.code}".rstrip(), stamp)

    def _cancel_request(self, seen: Seen, stamp: Stamp) -> None:
        victim = self._book.backends.get(seen.backend)
        if isinstance(victim, GuestObserver):
            for guest in victim._guests.values():
                self._book.guests.leave(guest, "client CancelRequest", stamp)


def _stops(direction: Direction, seen: Seen) -> bool:
    """Whether this frame ends an exchange before its time (a server may do that as well: its deadline, its abort)."""
    if seen.name == "HEADERS":
        return direction == TO_CLIENT and seen.detail.startswith("grpc-status") and seen.code != "0"
    return seen.name in _LEAVES.get(seen.proto, ()) or (seen.name == "ErrorResponse" and seen.code == "57014")


def _is_open(seen: Seen) -> bool:
    """Whether this frame can begin an exchange: trailers of a request cannot."""
    return seen.proto != "http/2" or _HEADERS.match(seen.detail) is not None


def _request(protocol: str, seen: Seen) -> str:
    """What was asked for, as the server's handler says it too; a statement's first words."""
    if (found := _HEADERS.match(seen.detail)) is not None:
        method, path = found.groups()
        return path.lstrip("/") if protocol == "grpc" else f"{method} {path.partition('?')[0]}"
    return seen.detail.partition("?")[0] if protocol == "http/1.1" else seen.detail
