"""The calling side of the gRPC lane: one call in its shape, up to its phase and beyond, in whatever process it is made.

Traps that this steps around, or shows on purpose (grpcio 1.85):

* A cancelled task is no cancelled RPC unless it was suspended in one of grpc's awaits, so ``call.cancel()`` stands in a
  finally. The causes ``task.cancel elsewhere`` and ``break`` do without it: nothing goes out, and only the teardown
  ends the call.
* A Call that is kept keeps its channel's socket, even after ``channel.close()``, and a channel that never got a
  connection then tries for ever. None is kept, and neither is a traceback, whose frames would keep it.
* A write that races the end of its call raises InvalidStateError, or an AioRpcError with the status INTERNAL that
  grpc.aio sets by itself: the true status comes later, or never. What ended the call is to be seen on the wire.
* A write that waits for its channel to connect does not hear of ``call.cancel()``: it waits for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio

from probes.catalogue import BREAK
from probes.clock import Stamp
from probes.events import LanePlan
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.grpc.channel import connected, own_channel
from probes.lanes.grpc.connecting import Target
from probes.lanes.grpc.conversation import FIRST_RESPONSE, Shape, shape_of
from probes.lanes.grpc.interceptors import interceptors
from probes.lanes.timers import TIMER_ERR_NS, due
from probes.schema import LANE_HEADER, RUN_HEADER, Chunk, SlowRequest
from probes.tap.proxy import Address

CONNECTING = "connecting"
ELSEWHERE = "task.cancel elsewhere"
_HANGS = 0.5
"""Seconds after which a caller whose call was cancelled is taken to hang."""


async def handler_started(bench: Bench, run: int, plan: LanePlan) -> str:
    """Wait until the server has the request; the evidence."""
    await bench.servers.entered(run, plan.lane)
    return "request sent, handler started"


class GrpcCaller(Lane):
    """``shared``: a channel that is kept over the runs; without one it makes its own. ``target``: where that connects
    to; None: the tap."""

    resource = "stream"

    def __init__(
        self,
        bench: Bench,
        run: int,
        plan: LanePlan,
        shared: grpc.aio.Channel | None = None,
        target: Target | None = None,
    ) -> None:
        super().__init__(bench, run, plan)
        self.leaves = False
        self._channel, self._owns, self._target = shared, shared is None, target
        self._rpc: Any = None
        self._task: asyncio.Task[Any] | None = None
        self._opened: Stamp | None = None
        self._resume = asyncio.Event()
        """Set in the teardown, for a caller that is suspended and was never told."""
        self._arming: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        if self._channel is None:
            between = interceptors(shape_of(self.plan).make, self.chain.links)
            self._channel = own_channel(await self._address(), self.plan, between)
        if self.plan.phase != CONNECTING:
            await connected(self._channel)

    async def _address(self) -> Address:
        return self.bench.address if self._target is None else await self._target.open()

    # --- the call -----------------------------------------------------------------------------------------

    async def caller(self) -> None:
        self._task = asyncio.current_task()
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
            if self._target is not None:
                await self.arm(self._target.reached(self._channel))
            await shape.converse(self, call)
        except (asyncio.InvalidStateError, grpc.aio.UsageError):
            # A write to a call that was over before.
            await self._raise_end(call)
        except grpc.aio.AioRpcError as error:
            if self._target is not None:
                # Refused sooner than anybody could look.
                self.armed(f"call ended while connecting: {self.words(error)}")
            raise
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
        self.rows.open_client(shape.method.lstrip("/"))
        self.open_resource("HTTP/2 stream" if self._target is None else "channel connects")
        return method(
            *shape.goes_out(self),
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
        """The request is sent: in its first phase the call is armed when the server has it."""
        if self.plan.phase == FIRST_RESPONSE:
            await self.arm(handler_started(self.bench, self.run, self.plan))

    async def arm(self, evidence: Awaitable[str]) -> None:
        """Be armed by what ``evidence`` brings, while the call goes on."""
        if self.plan.cause == ELSEWHERE:
            await self.reached(await evidence)
        else:
            self._arming = self.bench.tasks.start(self._arm_by(evidence), name=f"phase of {self.plan.lane}")

    async def _arm_by(self, evidence: Awaitable[str]) -> None:
        self.armed(await evidence)

    async def reached(self, evidence: str) -> None:
        """The phase is reached, by this evidence; the caller goes on, or waits in none of grpc's awaits."""
        self.armed(evidence)
        if self.plan.cause == ELSEWHERE or self.plan.options.get("pause"):
            await self._resume.wait()

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

    async def teardown(self) -> None:
        if self._rpc is not None:
            await self._end_call(self._rpc)
        self._rpc = None
        if self._owns and self._channel is not None:
            await self._channel.close()
        self._channel = None

    async def _end_call(self, call: Any) -> None:
        """No call outlives its run, whether its caller has forgotten it or still waits for it."""
        call.cancel()
        self._resume.set()
        try:
            async with asyncio.timeout(_HANGS):
                await self.over.wait()
        except TimeoutError:
            if self._task is not None:
                self._task.cancel()
            await self.over.wait()
