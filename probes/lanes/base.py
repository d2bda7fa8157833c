"""A lane: one client library under test, cancelled for real.

``Lane.caller`` is the coroutine that the scope cancels; it holds the caller's row and, inside it, the client's.
A subclass writes ``exchange`` (the library's calls, with whatever cleanup that library needs in a finally),
says with ``armed`` that its call is where the plan wants it, and answers after the call what became of the
resource it used. Decisions about cleanup are plain code; what must not be interrupted runs in the teardown,
outside of the cancelled task.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from probes.clock import Stamp
from probes.events import CALL, ChunkReceived, Event, LanePlan, Layer, LinkSignal, PhaseReached, Signal, Trigger
from probes.lanes.edge import Edge
from probes.middleware import Chain, Effect
from probes.sink import Sink
from probes.span import Span
from probes.tap.proxy import Address, Tap
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper

TIMER_ERR_NS = 1_000_000
"""libuv's timers count in whole milliseconds: one may fire up to so much early."""


_TRAVEL = 0.1
"""Seconds after the end of a call in which its request may still be on its way to the tap."""


class ServersLink(Protocol):
    """The servers process, as far as a lane may reach it."""

    def call_on(self, hop: Mapping[str, object]) -> None:
        """Have the handler of a lane make a call of its own (``servers.hops.Hop``)."""

    def strike(self, run: int, lane: str, how: str, grace: float | None = None) -> None:
        """Have the server side of a lane act, by one of the hows of ``servers.process``."""

    async def entered(self, run: int, lane: str) -> None:
        """Return when a handler of this run and lane runs."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a lane works with: where events go, its tap and the tap's address, what the tap knows, who keeps tasks,
    and the servers behind it."""

    sink: Sink
    address: Address
    ledger: Ledger
    tap: Tap
    tasks: TaskKeeper
    servers: ServersLink


Blow = Callable[[], Layer]
"""Carries out a cause now, without waiting; returns the layer that was told by that, empty where nobody was: a process
that is killed never hears of it."""


Fire = Callable[[str, str], object]
"""(cause, detail): cancel this lane's call, as the scope would."""


class Lane(ABC):
    """One call of one run. Used once."""

    resource = "connection"
    handled = True
    """Whether a handler of the servers process answers it."""
    takes_links = False
    """Whether this lane leads its call through the middleware of its plan."""

    def __init__(self, bench: Bench, run: int, plan: LanePlan) -> None:
        self.bench, self.run, self.plan = bench, run, plan
        self.fire: Fire = lambda cause, detail: None
        """For a lane that knows best when its cancel is due; the runner puts the scope's in."""
        self.ready = asyncio.Event()
        """Set when the phase is reached, or when the call ended without reaching it."""
        self.over = asyncio.Event()
        """Set when the call has ended."""
        self.chain = Chain(plan.middleware, self.say)
        self._edge = Edge(plan)
        self._read = 0
        self._client: Span | None = None
        self._resource: Span | None = None
        self._gave_up: Stamp | None = None
        """When the library gave up."""
        self._fired: Stamp | None = None
        """When the timer of asyncio.timeout fired."""
        self._link_ended_it = False
        """A link's own limit did."""
        self._unsent = False
        """The call ended before its request was on the wire."""
        bench.ledger.hear = self.wire

    # What a lane writes -------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Whatever must be there before the call: clients, warm connections. Raises what the library raises."""

    @abstractmethod
    async def exchange(self) -> None:
        """The call. Cancelled at any await."""

    @abstractmethod
    async def released(self) -> str | None:
        """Wait until the resource is held no more; the evidence, or None when it never will be."""

    async def settled(self) -> None:
        """Wait for what only this lane can see end on the far side."""

    def blows(self) -> Mapping[str, Blow]:
        """How this lane carries out the causes that are more than cancelling its task, by cause."""
        return {}

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        """Whether ``error`` is one of this lane's own timers: its name and the instant at which it was due."""
        del error
        return None

    def words(self, error: BaseException) -> str:
        """What ``error`` says, in a few words."""
        text = str(error).strip()
        return text.splitlines()[0][:120] if text else ""

    def wire(self, event: Event) -> None:
        """What the tap has just seen on this run's connections. Must return at once."""

    def held(self) -> dict[str, int]:
        """What is held still, by name; zeros are left out by the caller."""
        return {}

    async def teardown(self) -> None:
        """Close what ``prepare`` opened for this run alone."""

    # What every lane does -----------------------------------------------------------------------------

    def strike(self, task: asyncio.Task[Any]) -> Layer:
        """Carry out the plan's cause on the call that ``task`` makes. A timer is no blow: a lane that waits for its own
        is cancelled like any other when somebody is faster."""
        self.disturb("trigger")
        blow = self.blows().get(self.plan.cause)
        if blow is not None:
            return blow()
        self._edge.cancel(task)
        if self.plan.options.get("second_cancel"):
            asyncio.get_running_loop().call_soon(self._cancel_again, task)
        return "caller"

    def _cancel_again(self, task: asyncio.Task[Any]) -> None:
        """One turn of the loop after the first cancel: what that one's cleanup awaits is hit."""
        if task.done():
            return
        self.bench.sink.emit(
            Signal, run=self.run, lane=self.plan.lane, layer="caller", cause="second cancel", how="task.cancel again"
        )
        task.cancel()

    @property
    def how(self) -> str:
        """The call that ``strike`` makes."""
        return self.plan.cause if self.plan.cause in self.blows() else self._edge.how

    async def caller(self) -> None:
        """The calling task's body: the caller's row, and in it the client's."""
        span = self._span("caller", CALL)
        try:
            await self._limited()
        except asyncio.CancelledError as error:
            span.cancelled(error)
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library raises is the result that is shown
            span.failed(error, self.words(error))
        else:
            span.completed()
        finally:
            self.ready.set()
            self.over.set()
            span.cleaned_up("task ended")

    async def _limited(self) -> None:
        """The call under its own asyncio.timeout, if it has one."""
        limit = self.timeout("asyncio.timeout")
        if limit is None:
            await self._call()
            return
        since = self.timer_start()
        # In front of asyncio's own, which is set next: what that brings about may be on the wire before it raises.
        timer = asyncio.get_running_loop().call_later(limit, self._timer_fires)
        scope = asyncio.timeout(limit)
        try:
            async with scope:
                await self._call()
        finally:
            timer.cancel()
            # Whatever the call made of it: a library may put an error of its own in the place of the cancellation.
            if scope.expired():
                self.triggered("asyncio.timeout", due(since, limit))

    def _timer_fires(self) -> None:
        self._fired = self.bench.sink.clock.now()

    def triggered(self, cause: str, at: Stamp) -> None:
        """This lane's own timer, due ``at``, was its trigger. What it brought about cannot be older than it: a timer
        that fired early was due when that came."""
        stamps = (self._fired, self._gave_up, self.bench.ledger.closed_at)
        signs = [stamp.t for stamp in stamps if stamp is not None]
        t = min([at.t, *(sign for sign in signs if sign >= at.t - TIMER_ERR_NS)])
        self.bench.sink.emit(Trigger, at=Stamp(t, at.err), run=self.run, lane=self.plan.lane, cause=cause)

    async def _call(self) -> None:
        try:
            await self._edge.within(self.exchange)
        except asyncio.CancelledError as error:
            self.client_ended(error)
            raise
        except Exception as error:
            self.client_ended(error)
            raise
        else:
            if not self._span_client().ended:
                self._span_client().completed()
        finally:
            if self._client is not None:
                self._client.cleaned_up("finally ran")

    def open_client(self, evidence: str = "") -> None:
        """The library's call begins: the client's row starts."""
        self._client = self._span("client", CALL, evidence)

    def open_resource(self, evidence: str = "") -> None:
        """The call takes its resource (stream, pool slot, connection)."""
        self._resource = self._span("resource", self.resource, evidence)

    def client_ended(self, error: BaseException, evidence: str = "") -> None:
        """The library gave up with ``error``. The first call counts: a lane may say it earlier than the base does."""
        at = self.bench.sink.clock.now()
        span = self._span_client()
        if span.ended:
            return
        self._gave_up = at
        if isinstance(error, asyncio.CancelledError):
            span.cancelled(error, evidence, at=at)
            return
        if not self._link_ended_it and (own := self.own_timeout(error)) is not None:
            self.triggered(*own)
        span.failed(error, evidence or self.words(error), at=at)

    async def exchange_gone(self) -> str:
        """Wait for the end of the exchange, as the tap sees it. A call that ended before its request was sent had
        none, and so held nothing from the moment at which its library gave up."""
        closed = self.bench.ledger.exchange_end()
        over = self.bench.tasks.start(self.over.wait(), name=f"call of {self.plan.lane}")
        try:
            either: set[asyncio.Future[Any]] = {closed, over}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        await asyncio.wait({closed}, timeout=_TRAVEL)
        if not closed.done() and not self.bench.ledger.requested and not self.chain.detaches:
            self._unsent = True
            return "no request on the wire"
        return await asyncio.shield(closed)

    def resource_released(self, evidence: str) -> None:
        if self._resource is not None and not self._resource.cleaned:
            self._resource.cleaned_up(evidence, at=self._gave_up if self._unsent else None)

    @property
    def holds_stream(self) -> bool:
        """A stream was opened on the wire, and nothing has closed it."""
        return self._resource is not None and not self._resource.cleaned and self.bench.ledger.requested

    def armed(self, evidence: str) -> None:
        """The call is in its phase, by this evidence."""
        if not self.ready.is_set():
            self.bench.sink.emit(
                PhaseReached, run=self.run, lane=self.plan.lane, phase=self.plan.phase, evidence=evidence
            )
            self.ready.set()
            self.disturb("phase")

    def disturb(self, at: str) -> None:
        """Let the plan's faults begin that begin here: at the ``start``, in its ``phase``, at the ``trigger``."""
        for fault in self.plan.faults:
            if fault.at == at:
                self.bench.tap.inject(fault)

    def say(self, link: int, name: str, effect: Effect, evidence: str, when: float | None) -> None:
        """A link between caller and client says what it did to a signal. One that made its own, due at ``when`` on the
        loop's clock, is the lane's trigger."""
        if when is not None:
            self._link_ended_it = True
            self.triggered(name, Stamp(round(when * 1e9), self.bench.sink.clock.now().err + TIMER_ERR_NS))
        self.bench.sink.emit(
            LinkSignal,
            run=self.run,
            lane=self.plan.lane,
            layer="client",
            link=link,
            name=name,
            effect=effect,
            evidence=evidence,
        )

    def received(self, size: int, n: int = 1) -> None:
        """The caller read ``n`` chunks of ``size`` bytes in all."""
        self._read += n
        self.bench.sink.emit(
            ChunkReceived, run=self.run, lane=self.plan.lane, layer="client", n=n, size=size, total=self._read
        )

    def timer_start(self) -> Stamp:
        """Now, on the clock from which the loop's timers count: libuv's stands still for a millisecond at a time."""
        now = self.bench.sink.clock.now()
        loop = round(asyncio.get_running_loop().time() * 1e9)
        return Stamp(min(now.t, loop), now.err)

    def timeout(self, name: str) -> float | None:
        """Seconds, or None when this timeout is off."""
        return self.plan.timeouts.get(name)

    def _span(self, layer: Layer, name: str, evidence: str = "") -> Span:
        return Span(self.bench.sink, run=self.run, lane=self.plan.lane, layer=layer, name=name, evidence=evidence)

    def _span_client(self) -> Span:
        if self._client is None:
            self.open_client()
        assert self._client is not None
        return self._client


def due(since: Stamp, timeout: float) -> Stamp:
    """The instant at which a timer of ``timeout`` seconds, set at ``since``, was due."""
    return Stamp(since.t + round(timeout * 1e9), since.err + TIMER_ERR_NS)


LaneFactory = Callable[[int, LanePlan], Lane]
"""(run, plan) -> the lane for one run."""
