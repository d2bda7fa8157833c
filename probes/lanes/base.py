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
from functools import partial
from typing import Any

from probes.clock import Stamp
from probes.events import CALL, ChunkReceived, Event, LanePlan, Layer, PhaseReached, Signal
from probes.lanes.bench import Bench
from probes.lanes.edge import Edge
from probes.lanes.holding import Holding
from probes.lanes.links import Middleware
from probes.lanes.rows import Rows
from probes.lanes.timers import Timers
from probes.sink import Sink

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
        self.rows = Rows(bench.sink, run, plan.lane)
        self.timers = Timers(bench, run, plan)
        self._links = Middleware(bench, run, plan, self.timers)
        self.chain = self._links.chain
        self.holding = Holding(bench, self.rows, self.timers, self.over, detaches=self.chain.detaches)
        self._edge = Edge(plan)
        self._read = 0
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
        self.bench.disturb(self.plan, "trigger")
        blow = self.blows().get(self.plan.cause)
        if blow is not None:
            return blow()
        self._edge.cancel(task)
        if self.plan.options.get("second_cancel"):
            again = partial(_cancel_again, task, self.bench.sink, self.run, self.plan.lane)
            asyncio.get_running_loop().call_soon(again)
        return "caller"

    @property
    def how(self) -> str:
        """The call that ``strike`` makes."""
        return self.plan.cause if self.plan.cause in self.blows() else self._edge.how

    async def caller(self) -> None:
        """The calling task's body: the caller's row, and in it the client's."""
        span = self.rows.span("caller", CALL)
        try:
            await self.timers.limited(self._call)
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
            if not self.rows.client.ended:
                self.rows.client.completed()
        finally:
            self.rows.client_over()

    def open_resource(self, evidence: str = "") -> None:
        """The call takes its resource (stream, pool slot, connection)."""
        self.rows.open_resource(self.resource, evidence)

    def client_ended(self, error: BaseException, evidence: str = "") -> None:
        """The library gave up with ``error``. The first call counts: a lane may say it earlier than the base does."""
        at = self.bench.sink.clock.now()
        span = self.rows.client
        if span.ended:
            return
        self.timers.gave_up = at
        if isinstance(error, asyncio.CancelledError):
            span.cancelled(error, evidence, at=at)
            return
        if not self._links.ended_call and (own := self.own_timeout(error)) is not None:
            self.timers.triggered(*own)
        span.failed(error, evidence or self.words(error), at=at)

    def armed(self, evidence: str) -> None:
        """The call is in its phase, by this evidence."""
        if not self.ready.is_set():
            self.bench.sink.emit(
                PhaseReached, run=self.run, lane=self.plan.lane, phase=self.plan.phase, evidence=evidence
            )
            self.ready.set()
            self.bench.disturb(self.plan, "phase")

    def received(self, size: int, n: int = 1) -> None:
        """The caller read ``n`` chunks of ``size`` bytes in all."""
        self._read += n
        self.bench.sink.emit(
            ChunkReceived, run=self.run, lane=self.plan.lane, layer="client", n=n, size=size, total=self._read
        )

    def timeout(self, name: str) -> float | None:
        """Seconds, or None when this timeout is off."""
        return self.plan.timeouts.get(name)


def _cancel_again(task: asyncio.Task[Any], sink: Sink, run: int, lane: str) -> None:
    """One turn of the loop after the first cancel: what that one's cleanup awaits is hit."""
    if not task.done():
        sink.emit(Signal, run=run, lane=lane, layer="caller", cause="second cancel", how="task.cancel again")
        task.cancel()


LaneFactory = Callable[[int, LanePlan], Lane]
"""(run, plan) -> the lane for one run."""
