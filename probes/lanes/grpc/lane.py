"""One gRPC call of one run, in each of its phases, ended by each of the causes.

Traps that this lane steps around, or shows on purpose (grpcio 1.85):

* A cancelled task is no cancelled RPC unless it was suspended in one of grpc's awaits, so ``call.cancel()`` stands in a
  finally. The causes ``task.cancel elsewhere`` and ``break`` do without it: nothing goes out, and only the teardown
  ends the call.
* A Call that is kept keeps its channel's socket, even after ``channel.close()``, and a channel that never got a
  connection then tries for ever. None is kept, and neither is a traceback, whose frames would keep it.
* A write that races the end of its call raises InvalidStateError, or an AioRpcError with the status INTERNAL that
  grpc.aio sets by itself: the true status comes later, or never. What ended the call is to be seen on the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

import grpc
import grpc.aio

from probes.clock import Stamp
from probes.events import LanePlan, Layer
from probes.lanes.base import TIMER_ERR_NS, Bench, Blow, Lane, ServersLink, due
from probes.lanes.grpc.channel import connected, own_channel
from probes.lanes.grpc.conversation import FIRST_RESPONSE, Shape, request, shape_of
from probes.schema import LANE_HEADER, RUN_HEADER, Chunk, SlowRequest
from probes.tap.proxy import Tap

CONNECTING = "connecting"
ELSEWHERE, BREAK, CLOSE = "task.cancel elsewhere", "break", "channel.close"


class OwnServers(ServersLink, Protocol):
    """A servers process that is there for one run of one lane, and may be stopped or killed in it."""

    async def start(self, tap: Tap) -> None:
        """Start them behind ``tap``. Raises RuntimeError when they do not come up."""

    async def stop(self) -> None: ...

    def kill(self) -> None: ...


def needs_own_channel(plan: LanePlan) -> bool:
    """Whether the run ends the channel, or needs one that is not connected or is made in another way."""
    return plan.phase == CONNECTING or plan.cause == CLOSE or plan.options.get("window") == "default"


class GrpcLane(Lane):
    resource = "stream"

    def __init__(
        self,
        bench: Bench,
        run: int,
        plan: LanePlan,
        shared: grpc.aio.Channel | None = None,
        house: OwnServers | None = None,
    ) -> None:
        super().__init__(bench, run, plan)
        self.leaves = False
        self._channel, self._owns, self._house = shared, shared is None, house
        self._rpc: Any = None
        self._opened: Stamp | None = None
        self._resume = asyncio.Event()
        """Set in the teardown, for a caller that is suspended and was never told."""
        self._arming: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    # --- the call -----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        if self._house is not None:
            await self._house.start(self.bench.tap)
        if self._channel is None:
            self._channel = own_channel(self.bench.address, self.plan)
        await connected(self._channel)

    async def caller(self) -> None:
        try:
            await super().caller()
        except asyncio.CancelledError as error:
            args = error.args
        else:
            return
        # A new one: the frames of the old one's traceback keep the Call.
        raise asyncio.CancelledError(*args)

    async def exchange(self) -> None:
        shape = shape_of(self.plan)
        self._rpc = call = self._open(shape)
        try:
            await shape.converse(self, call)
        except (asyncio.InvalidStateError, grpc.aio.UsageError):
            # A write to a call that was over before.
            await self._raise_end(call)
        finally:
            if self._arming is not None:
                self._arming.cancel()
            if self.plan.cause not in (ELSEWHERE, BREAK):
                # A no-op on a call that has ended; without it a task that was not suspended in grpc leaves it running.
                call.cancel()
                self._let_go()

    def _let_go(self) -> None:
        if not self.plan.options.get("keep_call"):
            self._rpc = None

    def _open(self, shape: Shape) -> Any:
        assert self._channel is not None
        plan = self.plan
        method = getattr(self._channel, shape.make)(
            shape.method,
            request_serializer=SlowRequest.SerializeToString,
            response_deserializer=Chunk.FromString,
        )
        self._opened = self.bench.sink.clock.now()
        self.open_client(shape.method.lstrip("/"))
        self.open_resource("HTTP/2 stream")
        return method(
            *([request(plan)] if shape.sends else []),
            timeout=self.timeout("deadline"),
            metadata=((RUN_HEADER, str(self.run)), (LANE_HEADER, plan.lane)),
            wait_for_ready=bool(plan.options.get("wait_for_ready")),
        )

    async def _raise_end(self, call: Any) -> None:
        """Raise what ended the call."""
        if call.cancelled():
            raise asyncio.CancelledError
        metadata = await call.initial_metadata(), await call.trailing_metadata()
        raise grpc.aio.AioRpcError(await call.code(), *metadata, details=await call.details())

    # --- the phase ----------------------------------------------------------------------------------------

    async def at_server(self) -> None:
        if self.plan.phase == FIRST_RESPONSE:
            await self.arm(self._handler_started())

    async def _handler_started(self) -> str:
        await self.bench.servers.entered(self.run, self.plan.lane)
        return "request sent, handler started"

    async def arm(self, evidence: Awaitable[str]) -> None:
        """Be armed by what ``evidence`` brings, while the call goes on."""
        if self.plan.cause == ELSEWHERE:
            await self.reached(await evidence)
        else:
            self._arming = self.bench.tasks.start(self._arm_by(evidence), name=f"phase of {self.plan.lane}")

    async def _arm_by(self, evidence: Awaitable[str]) -> None:
        self.armed(await evidence)

    async def reached(self, evidence: str) -> None:
        self.armed(evidence)
        if self.plan.cause == ELSEWHERE or self.plan.options.get("pause"):
            # Suspended, and in none of grpc's awaits.
            await self._resume.wait()

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
        return how if grace is None or how == "task.cancel" else f"{how}, grace {grace:g} s"

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
            task.cancel()
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

    # --- the end ------------------------------------------------------------------------------------------

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        deadline = self.timeout("deadline")
        if deadline is None or self._opened is None or not isinstance(error, grpc.aio.AioRpcError):
            return None
        at = due(self._opened, deadline)
        # A server may say DEADLINE_EXCEEDED too early, of a hop behind it; a write that races the end is INTERNAL.
        was_due = self.bench.sink.clock.now().t >= at.t - TIMER_ERR_NS
        over = error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
        return ("gRPC deadline", at) if was_due and over else None

    def words(self, error: BaseException) -> str:
        # The text of an AioRpcError has many lines, and the first says nothing.
        if isinstance(error, grpc.aio.AioRpcError):
            return f"{error.code().name} {error.details() or ''}".strip()[:120]
        return super().words(error)

    async def released(self) -> str | None:
        evidence = await self.exchange_gone()
        if evidence.endswith(("FIN", "RST")):
            return evidence
        kept = self.bench.ledger.connections()
        return f"{evidence}; connection {'kept' if kept else 'closed'}"

    def held(self) -> dict[str, int]:
        call = self._rpc
        left = int(call is not None and not call.done())
        return {"streams": int(self.holds_stream), "calls": left}

    async def teardown(self) -> None:
        await self._end_call()
        if self._owns and self._channel is not None:
            await self._channel.close()
        if self._closing is not None:
            await self._closing
        self._channel = None
        if self._house is not None:
            await self._house.stop()
            self.bench.tap.close()

    async def _end_call(self) -> None:
        """No call outlives its run, whether its caller has forgotten it or still waits for it."""
        if self._rpc is None:
            return
        self._rpc.cancel()
        self._resume.set()
        await self.over.wait()
        self._rpc = None
