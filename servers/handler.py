"""A slow handler's life, the same for every protocol.

started -> chunks -> exactly one of completed, failed, cancelled -> cleaned up. A handler says before each await
where it is, so a cancel's evidence is the await that it came out of and how the client's end was told. A thread or a
task of it that may outlive it is a span of the resource layer, and the registry keeps the handler until that has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from probes.clock import Stamp
from probes.events import CancelSwallowed, ChunkReceived, ChunkSent, Layer
from probes.sink import Sink
from probes.span import Span
from probes.tasks import TaskKeeper, undisturbed
from servers.behaviours import Behaviour, Work
from servers.hops import Hops
from servers.registry import Registry, Who
from servers.strikes import Missed, Strikes

T = TypeVar("T")
HANDLER = "handler"
_guests = count(1)


@dataclass(frozen=True, slots=True)
class Env:
    """What handlers and servers share."""

    sink: Sink
    registry: Registry
    tasks: TaskKeeper
    hops: Hops


@dataclass(frozen=True, slots=True)
class Told:
    """That a client is gone: ``how`` it was told, and when (None: only the exception tells). ``denied``: the words in
    which the server's own API says that it is not gone; empty where it agrees or cannot be asked."""

    how: str
    at: Stamp | None = None
    denied: str = ""


_CLOSED = Told("the closing of its coroutine")

ToldBy = Callable[[BaseException], Told | None]
"""How this exception tells that the client is gone; None: it does not, the handler failed by itself."""


Left = Callable[[], float | None]
"""Seconds that are left of the caller's deadline; None: there is none, or nobody said so."""


class Handler:
    """One handler that runs. Make it in the task that awaits ``run``: a task that is cancelled before its first
    step never enters, and then there is nothing to tell."""

    def __init__(self, env: Env, who: Who, behaviour: Behaviour, told_by: ToldBy, left: Left = lambda: None) -> None:
        # A guest's handler gets a name of its own, by which all that it says can be told to be of one exchange.
        who = who if who.run else replace(who, lane=f"guest {next(_guests)}")
        self._env, self._who, self._behaviour, self._told_by = env, who, behaviour, told_by
        self._left = left
        now = self.now()
        self._running = env.registry.enter(who, now)
        self._span = self._open("server", HANDLER, f"{who.request} from {who.peer}", now)
        self._swallowed = 0
        self._working: asyncio.Task[Any] | None = None
        self._instead: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.chunks = self.bytes = self._taken = 0

    def _open(self, layer: Layer, name: str, evidence: str, at: Stamp | None = None) -> Span:
        who = self._who
        return Span(self._env.sink, run=who.run, lane=who.lane, layer=layer, name=name, evidence=evidence, at=at)

    def at(self, label: str) -> None:
        """Say which await comes next."""
        self._running.at = label

    async def sleep(self, label: str, seconds: float) -> None:
        """Wait as this handler's behaviour waits. With 0 seconds the loop has a turn, and a cancel its chance."""
        self.at(label)
        await self._behaviour.sleep(self, seconds)

    async def behave(self, behaviour: Behaviour, work: Work) -> str:
        """From here on live like this, and do ``work``: for a stream whose first message says how."""
        self._behaviour = behaviour
        return await behaviour.run(self, lambda: self._do(work))

    def interrupt(self, instead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have the handler itself do this, which must raise, instead of going on. It is woken by a cancel that is no
        client's, in whatever task its behaviour has put the work. Raises Missed."""
        if self.deserted:
            raise Missed("its client is gone already")
        self._instead = instead
        if self._working is not None:
            self._working.cancel()

    async def answer_time(self, label: str, seconds: float) -> None:
        """What the answer takes: a wait, or the handler's own call to the next hop."""
        hop = self._env.hops.take(self._who.run, self._who.lane)
        if hop is not None or self._left() is not None:
            self._env.hops.arrived(self._who.run, self._who.lane, self._left())
        if hop is None:
            await self.sleep(label, seconds)
            return
        self.at(f"the call of {hop.next_lane}")
        await self._env.hops.call(hop, self._left())

    def accepted(self, size: int) -> None:
        """A write of one chunk of ``size`` bytes was accepted: it cannot be taken back."""
        self.chunks += 1
        self.bytes += size
        who = self._who
        self._env.sink.emit(ChunkSent, run=who.run, lane=who.lane, layer="server", n=1, size=size, total=self.chunks)

    def taken(self, chunks: int, size: int) -> None:
        """``chunks`` whole chunks of ``size`` bytes have been read of an upload so far."""
        new, self._taken = chunks - self._taken, chunks
        if new:
            run, lane = self._who.run, self._who.lane
            self._env.sink.emit(ChunkReceived, run=run, lane=lane, layer="server", n=new, size=new * size, total=chunks)

    @property
    def deserted(self) -> bool:
        """It was told that its client is gone, and its work goes on nevertheless."""
        return self._running.left or self._swallowed > 0

    @property
    def summary(self) -> str:
        """What was accepted so far: ``3 chunks, 3072 bytes``."""
        return f"{self.chunks} chunk{'' if self.chunks == 1 else 's'}, {self.bytes} bytes"

    async def run(self, work: Work, strikes: Strikes) -> None:
        """Do ``work`` and end the span. Raises what ended it, after the cleanup. ``strikes``: what its server can do to
        its client meanwhile."""
        dropped = False
        self._running.strikes = strikes
        try:
            done = await self._behaviour.run(self, lambda: self._do(work))
        except BaseException as error:
            self._ended(error, self.now())
            dropped = isinstance(error, GeneratorExit)
            raise
        else:
            self._span.completed(done)
        finally:
            self._running.strikes = {}
            if dropped:
                # A coroutine that is being closed may not await any more.
                self._leave("dropped: its coroutine was closed")
            else:
                await self._clean_up()

    async def _do(self, work: Work) -> str:
        task = self._working = asyncio.current_task()
        try:
            return await work()
        except asyncio.CancelledError:
            if self._instead is None or task is None or task.uncancel() > 0:
                # The client's own cancel came as well.
                raise
            await self._instead()
            raise

    # What its behaviour says (``servers.behaviours.Stage``) ---------------------------------------------

    def now(self) -> Stamp:
        return self._env.sink.clock.now()

    def start(self, coro: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        return self._env.tasks.start(coro, name=f"{what} of {self._who.request}")

    def hold(self, name: str, evidence: str) -> Hold:
        self._running.holds.append(name)
        return Hold(self, self._open("resource", name, evidence))

    def let_go(self, name: str) -> None:
        """What was held under ``name`` has ended."""
        self._running.holds.remove(name)
        self._env.registry.check(self._running)

    def denied(self, error: BaseException) -> str:
        told = self._told_by(error)
        return "" if told is None else told.denied

    def swallowed(self, error: BaseException, why: str = "") -> None:
        self._swallowed += 1
        told = self._told_by(error)
        self._env.sink.emit(
            CancelSwallowed,
            at=told.at if told else None,
            run=self._who.run,
            lane=self._who.lane,
            layer="server",
            span=self._span.id,
            name=HANDLER,
            error=type(error).__name__,
            n=self._swallowed,
            evidence=", ".join(part for part in (_words(self._running.at, error, told), why) if part),
        )

    def explain(self, error: BaseException) -> str:
        return _words(self._running.at, error, self._told_by(error))

    # How it ends ----------------------------------------------------------------------------------------

    def _ended(self, error: BaseException, now: Stamp) -> None:
        told = _CLOSED if isinstance(error, GeneratorExit) else self._told_by(error)
        words = _words(self._running.at, error, told)
        if told is None:
            self._span.failed(error, words, at=now)
        else:
            self._span.cancelled(error, words, at=told.at or now)

    async def _clean_up(self) -> None:
        cleanup = self._behaviour.cleanup()
        if cleanup is None:
            self._leave("finally ran")
            return
        self.at("cleanup")
        begun = self.now()
        task = self.start(cleanup, "cleanup")
        try:
            await undisturbed(task)
        finally:
            took = (self.now().t - begun.t) / 1e6
            self._leave(f"finally ran, {_outcome(task)} after {took:.0f} ms")

    def _leave(self, evidence: str) -> None:
        self._running.left = True
        self._env.registry.check(self._running)
        self._span.cleaned_up(evidence)


class Hold:
    """Something of a handler that may outlive it."""

    def __init__(self, handler: Handler, span: Span) -> None:
        self._handler, self._span = handler, span

    def release(self, evidence: str, at: Stamp | None = None) -> None:
        """It has ended. Raises SpanError when called twice."""
        self._handler.let_go(self._span.name)
        self._span.cleaned_up(evidence, at=at)


async def linger(handler: Handler, seconds: float) -> None:
    """All chunks are sent: wait before the response ends."""
    if seconds:
        await handler.sleep("sleep after the last chunk", seconds)


def _words(at: str, error: BaseException, told: Told | None) -> str:
    return f"at {at}{_first_line(error)}" if told is None else f"at {at}, told by {told.how}"


def _outcome(task: asyncio.Task[None]) -> str:
    if task.cancelled():
        return "cleanup was cut off"
    return "cleanup failed" if task.exception() else "cleanup done"


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f": {text.splitlines()[0][:120]}" if text else ""
