"""A bench for lanes of a test's own: a real sink, a real tap with its ledger, and all events that come of them.

The lanes of these tests speak no protocol, so no servers process is needed; ``NoServers`` says when one asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from probes.events import Event
from probes.fold import fold, order_key
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.sink import Sink
from probes.state import LaneState, RunState
from probes.tap.decode import http_conversation
from probes.tap.proxy import Address, Tap
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper
from tests.kit.story import plan

T = TypeVar("T")
E = TypeVar("E", bound=Event)
RUN = 1


class NoServers:
    """There is no servers process here."""

    def strike(self, run: int, lane: str, how: str, grace: float | None = None) -> None:
        raise AssertionError(f"{lane} of run {run} wants the servers to {how}, {grace}")

    async def entered(self, run: int, lane: str) -> None:
        raise AssertionError(f"{lane} of run {run} waits for a handler")


class Workshop:
    """``bench`` for lanes, and what was said on it."""

    def __init__(self, upstream: Address) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.errors: list[tuple[str, BaseException]] = []
        self.sink = Sink("lab", self._said)
        self.tasks = TaskKeeper(lambda name, error: self.errors.append((name, error)))
        ledger = Ledger(self.sink, "test", http_conversation)
        tap = Tap(ledger.witness, upstream, self.sink.clock)
        self.bench = Bench(self.sink, tap.start(), ledger, tap, self.tasks, NoServers())

    def _said(self, event: Event, _line: bytes) -> None:
        self.events.append(event)
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], T]) -> T:
        """Wait for ``condition`` to become true; it is looked at after every event. Fails after ten seconds."""
        async with asyncio.timeout(10):
            while not (value := condition()):
                await self._news.wait()
            return value

    def of(self, kind: type[E], lane: str = "") -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and lane in ("", event.lane)]

    def state(self) -> RunState:
        """What the events fold to."""
        return fold(sorted((event for event in self.events if event.run), key=order_key))

    def lane(self, name: str) -> LaneState:
        found = self.state().lane(name)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def workshop(upstream: Address = ("127.0.0.1", 1)) -> AsyncIterator[Workshop]:
    """A workshop for the time of the block; what failed in it fails the test."""
    shop = Workshop(upstream)
    try:
        yield shop
    finally:
        shop.bench.tap.close()
        await shop.tasks.close()
    assert shop.errors == []


class Waiting(Lane):
    """A call that waits for a future that the test has: ``call.set_result`` ends it, ``set_exception`` fails it."""

    resource = "nothing"

    def __init__(self, shop: Workshop, name: str = "waiting", protocol: str = "grpc", **fields: object) -> None:
        super().__init__(shop.bench, RUN, plan(protocol, lane=name, phase="waiting", **fields))
        self.call: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.back = asyncio.Event()
        """To be set when the resource is given back."""
        self.calls = 0

    async def exchange(self) -> None:
        self.calls += 1
        self.rows.open_client("waits for the test")
        self.open_resource()
        self.armed("waiting")
        try:
            await self.call
        finally:
            self.back.set()

    async def released(self) -> str | None:
        await self.back.wait()
        return "given back"
