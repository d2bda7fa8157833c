"""The PostgreSQL lane on a bench of its own: a real server, real taps, real runs, no other protocol.

``async with lanes(pg_server) as bench: ran = await bench.cancelled(pg("cursor"))`` is a whole run, cancelled once the
call is in its phase. On the lab's loop, because what asyncpg does on a closed connection differs from loop to loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from probes.catalogue import TIMERS
from probes.events import BackendState, Event, FrameSeen, LanePlan, PhaseReached, Residue, Signal
from probes.fold import fold, order_key
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.postgres import Backends, Login, PostgresSession
from probes.runner import Runner, RunPlan
from probes.sink import Sink
from probes.state import LaneState, RunState
from probes.tap.decode import postgres_conversation
from probes.tap.proxy import Tap
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper
from probes.verdict import violations
from servers.postgres import PgAddress
from tests.kit.bench_kit import NoServers

E = TypeVar("E", bound=Event)
LANE = "postgres"


def pg(phase: str, cause: str = "task.cancel", name: str = LANE, **fields: Any) -> LanePlan:
    """A plan that lasts until somebody ends it."""
    given = {"delay": 60.0, "interval": 0.005, "size": 64, "options": {"pool_size": 1}, **fields}
    return LanePlan(lane=name, protocol="postgres", phase=phase, cause=cause, **given)


@dataclass(frozen=True)
class Ran:
    """A run that has ended."""

    events: list[Event]
    state: RunState

    def of(self, kind: type[E], lane: str = LANE) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and event.lane == lane]

    def lane(self, name: str = LANE) -> LaneState:
        found = self.state.lane(name)
        assert found is not None
        return found

    def phase(self, lane: str = LANE) -> str:
        """The evidence for it."""
        (reached,) = self.of(PhaseReached, lane)
        return reached.evidence

    def answers(self, lane: str = LANE) -> list[str]:
        """What passed the tap between trigger and teardown, the reset of a connection that goes back left out."""
        found = self.lane(lane)
        assert found.zero is not None, "no trigger"
        assert found.teardown is not None
        return [
            " ".join(
                part for part in ("→" if frame.direction == "client>server" else "←", frame.name, frame.code) if part
            )
            for frame in self.of(FrameSeen, lane)
            if found.zero.t <= frame.t < found.teardown
        ]

    def backend(self, lane: str = LANE) -> list[str]:
        """The states that its backend was seen in."""
        return [event.state for event in self.of(BackendState, lane)]

    def told(self, lane: str = LANE) -> list[tuple[str, str]]:
        """(layer, how) of each signal."""
        return [(event.layer, event.how) for event in self.of(Signal, lane)]

    def residue(self, lane: str = LANE) -> dict[str, int]:
        (residue,) = self.of(Residue, lane)
        return residue.held

    def check(self) -> None:
        """What holds for each run."""
        assert self.state.outcome == "settled", self.state.detail
        for lane in self.state.lanes:
            assert violations(lane) == 0, (lane.client.violations, lane.server.violations)
            assert not lane.lost
            accepted, on_wire, read = lane.chunks.accepted, lane.chunks.on_wire, lane.chunks.read
            assert on_wire is not None
            assert (accepted is None) == (read is not None), "of rows, or of a COPY, nobody knows the other end"
            assert on_wire <= (accepted or on_wire)
            assert (read or 0) <= on_wire


class PgLanes:
    """Lanes by name, each with a tap and a session; the backends are looked at by one observer."""

    def __init__(self, address: PgAddress) -> None:
        self.events: list[Event] = []
        self.errors: list[tuple[str, BaseException]] = []
        self._news = asyncio.Event()
        self.sink = Sink("lab", self._take)
        self.tasks = TaskKeeper(lambda name, error: self.errors.append((name, error)))
        self.address = address
        self._login = Login(address.host, address.port, address.user, address.password, address.database)
        self.backends = Backends(self._login, self.sink.clock, self.tasks)
        self.benches: dict[str, Bench] = {}
        self._runs = 0

    def _take(self, event: Event, _line: bytes) -> None:
        self.events.append(event)
        self._news.set()

    def lane(self, run: int, plan: LanePlan) -> Lane:
        if plan.lane not in self.benches:
            ledger = Ledger(self.sink, plan.lane, postgres_conversation)
            tap = Tap(ledger.witness, (self.address.host, self.address.port), self.sink.clock, ledger)
            self.benches[plan.lane] = Bench(self.sink, tap.start(), ledger, tap, self.tasks, NoServers())
        bench = self.benches[plan.lane]
        bench.ledger.expect(run, plan.lane)
        return PostgresSession(bench, self._login, self.backends).lane(run, plan)

    async def cancelled(
        self,
        *plans: LanePlan,
        settle: float = 2.0,
        limit: float = 20.0,
        once: Callable[[Event], bool] = bool,
        asked: Callable[[PgLanes], Awaitable[None]] | None = None,
        early: bool = False,
    ) -> Ran:
        """A whole run: all lanes in their phase (unless it is to be ``early``), ``once`` of some event of it true and
        ``asked`` over, then the key. Timers are left to themselves."""
        self._runs += 1
        run = self._runs
        lanes = [self.lane(run, plan) for plan in plans]
        plan = RunPlan(run, "test", "test", plans, deadline=None, settle=settle, limit=limit)
        runner = Runner(self.sink, self.tasks, plan, lanes, _no_handlers, lambda _run, _lane: {}, _nothing)
        running = self.tasks.start(runner.run(), name=f"run {run}")
        for lane in [] if early else lanes:
            await lane.ready.wait()
        while not any(once(event) for event in self.events if event.run == run):
            self._news.clear()
            await self._news.wait()
        if asked is not None:
            await asked(self)
        for lane in lanes:
            if lane.plan.cause not in TIMERS:
                runner.cancel("key", lane=lane.plan.lane)
        await running
        events = sorted((event for event in self.events if event.run == run), key=order_key)
        ran = Ran(events, fold(events))
        ran.check()
        return ran

    async def close(self) -> None:
        await self.backends.close()
        for bench in self.benches.values():
            bench.tap.close()
        await self.tasks.close()


async def _no_handlers(_run: int, _lane: str) -> None:
    """The server side of this lane is a backend, which the lane watches itself."""


async def _nothing() -> None:
    """Nobody else has anything to say."""


@contextlib.asynccontextmanager
async def lanes(address: PgAddress) -> AsyncIterator[PgLanes]:
    """A bench for the time of the block; what failed unseen fails the test."""
    bench = PgLanes(address)
    await bench.backends.open()
    try:
        yield bench
    finally:
        await bench.close()
    assert bench.errors == []
