"""The gRPC lane in the lab: the call, what ends it, and what is left of it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

import grpc
import grpc.aio

from probes.catalogue import BREAK
from probes.events import LanePlan, Layer
from probes.lanes.base import Blow
from probes.lanes.bench import Bench, ServersLink
from probes.lanes.grpc.caller import CONNECTING, GrpcCaller
from probes.lanes.grpc.connecting import ATTEMPT, target_of
from probes.tap.proxy import Tap

CLOSE = "channel.close"
_COLLECT_EVERY = 0.1


class OwnServers(ServersLink, Protocol):
    """A servers process that is there for one run of one lane, and may be stopped or killed in it."""

    async def start(self, tap: Tap) -> None:
        """Start them behind ``tap``. Raises RuntimeError when they do not come up."""

    async def stop(self) -> None: ...

    def kill(self) -> None: ...


def needs_own_channel(plan: LanePlan) -> bool:
    """Whether the run ends the channel, or needs one that is not connected or is made in another way. Interceptors
    belong to a channel: only lanes with middleware have any, because a call that is intercepted is another one."""
    made_otherwise = plan.options.get("window") == "default" or bool(plan.middleware)
    return plan.phase == CONNECTING or plan.cause == CLOSE or made_otherwise


class GrpcLane(GrpcCaller):
    """``house``: the servers, where they are the lane's own."""

    takes_links = True

    def __init__(
        self,
        bench: Bench,
        run: int,
        plan: LanePlan,
        shared: grpc.aio.Channel | None = None,
        house: OwnServers | None = None,
    ) -> None:
        target = target_of(bench, run, plan) if plan.phase == CONNECTING else None
        super().__init__(bench, run, plan, shared, target)
        if target is not None:
            self.resource = ATTEMPT
        self._house = house
        self._closing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        if self._house is not None:
            await self._house.start(self.bench.tap)
        await super().prepare()

    # --- the cause ----------------------------------------------------------------------------------------

    def blows(self) -> Mapping[str, Blow]:
        return {
            "call.cancel": self._cancel_call,
            BREAK: self._leave,
            CLOSE: self._close_channel,
            "server abort": lambda: self._strike_servers("raise" if self._cancels_itself else "abort"),
            "server stop": lambda: self._strike_servers("stop"),
            "server killed": self._kill_servers,
        }

    @property
    def how(self) -> str:
        grace = self._grace
        named = {BREAK: "break out of async for", "server killed": "SIGKILL"}
        how = named.get(self.plan.cause, super().how)
        return how if grace is None or how == self._edge.how else f"{how}, grace {grace:g} s"

    @property
    def _cancels_itself(self) -> bool:
        return self.plan.options.get("abort") == "CancelledError"

    @property
    def _grace(self) -> float | None:
        grace = self.plan.options.get("grace")
        return None if grace is None else float(grace)

    def strike(self, task: asyncio.Task[Any]) -> Layer:
        if self._rpc is None:
            # There is no call yet, or none any more.
            self._edge.cancel(task)
            return "caller"
        return super().strike(task)

    def _cancel_call(self) -> Layer:
        self._rpc.cancel()
        return "client"

    def _leave(self) -> Layer:
        self.leaves = True
        return "caller"

    def _close_channel(self) -> Layer:
        assert self._channel is not None
        self._closing = self.bench.tasks.start(self._channel.close(self._grace), name=f"close {self.plan.lane}")
        return "client"

    def _strike_servers(self, how: str) -> Layer:
        self.bench.servers.strike(self.run, self.plan.lane, how, self._grace)
        return "server"

    def _kill_servers(self) -> Layer:
        assert self._house is not None
        self._house.kill()
        return "server"

    # --- what is left -------------------------------------------------------------------------------------

    async def released(self) -> str | None:
        if self._target is not None:
            await self.over.wait()
            # As long as there is a call the channel tries again and again.
            return await self._target.gone() if self._rpc is None else None
        evidence = await self.holding.exchange_gone()
        # The task that a link gave it to hears of its end a moment after the wire does.
        await self.chain.idle()
        if evidence.endswith(("FIN", "RST")):
            return evidence
        if self.plan.cause == CLOSE:
            await self.bench.ledger.until(lambda: not self._connections)
            return f"{evidence}; connection closed"
        kept = self.bench.ledger.connections()
        return f"connection {'kept' if kept else 'closed'}; {evidence}"

    def held(self) -> dict[str, int]:
        call = self._rpc
        return {
            "streams": int(self.holding.stream and not self.bench.ledger.exchange_end().done()),
            "calls": int(self.chain.busy or (call is not None and not call.done())),
            f"{ATTEMPT}s": 0 if self._target is None else self._target.left(),
            "connections": self._connections if self.plan.cause == CLOSE and self._target is None else 0,
        }

    @property
    def _connections(self) -> int:
        """Connections of this run whose client has not hung up: none should be left when its channel was closed."""
        return self.bench.ledger.clients(self.run, self.plan.lane)

    async def teardown(self) -> None:
        await super().teardown()
        if self._closing is not None:
            await self._closing
        if self._target is not None:
            await self._collected(self._target.gone())
            await self._target.close()
        elif self._owns:
            await self._collected(self.bench.ledger.until(self._disconnected))
        if self._house is not None:
            await self._house.stop()
            self.bench.tap.close()

    def _disconnected(self) -> bool:
        return not self.bench.ledger.conns(self.run, self.plan.lane)

    async def _collected(self, gone: Coroutine[Any, Any, object]) -> None:
        """Wait for what a channel that is closed still does: it keeps its connection, or tries to get one, as long as a
        Call is to be collected."""
        waiting = self.bench.tasks.start(gone, name=f"channel of {self.plan.lane}")
        try:
            while not waiting.done():
                gc.collect()
                await asyncio.wait({waiting}, timeout=_COLLECT_EVERY)
        finally:
            waiting.cancel()
