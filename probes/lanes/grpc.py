"""The gRPC lane: grpc.aio, a server stream (or a unary call), one channel kept over all runs.

Traps that this lane steps around (grpcio 1.85): a cancelled task is no cancelled RPC unless it was suspended
in one of grpc's awaits, so ``call.cancel()`` stands in a finally; a Call object that is kept keeps its socket,
so none is; on UNAVAILABLE the channel reconnects by itself, so its backoff is short.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio

from probes.clock import Stamp
from probes.events import LanePlan
from probes.lanes.base import Bench, Lane, due
from probes.schema import LANE_HEADER, RUN_HEADER, SERVER_STREAM, UNARY, Chunk, SlowRequest

_OPTIONS = (
    # Without these the client's window is 4 to 8 MiB, and a stream of a few KiB is over before anyone cancels it.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
)
_CONNECT_TIMEOUT = 5.0


class GrpcSession:
    """The channel, shared by the runs of a lab: that it outlives every cancel is part of what is shown."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        host, port = bench.address
        self.channel = grpc.aio.insecure_channel(f"{host}:{port}", options=_OPTIONS)

    def lane(self, run: int, plan: LanePlan) -> Lane:
        return GrpcLane(self, run, plan)

    async def warm(self, plan: LanePlan) -> None:
        # One that does not connect is reported by the lane that needs it.
        with contextlib.suppress(TimeoutError):
            await self.connected()

    async def connected(self) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            await self.channel.channel_ready()

    async def held(self) -> dict[str, int]:
        return {}

    async def close(self) -> None:
        await self.channel.close()


class GrpcLane(Lane):
    resource = "stream"

    def __init__(self, session: GrpcSession, run: int, plan: LanePlan) -> None:
        super().__init__(session.bench, run, plan)
        self._session, self._channel = session, session.channel
        self._opened: Stamp | None = None

    async def prepare(self) -> None:
        await self._session.connected()

    async def exchange(self) -> None:
        streaming = self.plan.phase == "mid-stream"
        call = self._open(streaming)
        try:
            if streaming:
                await self._read_stream(call)
            else:
                self.armed("call sent")
                self.received(len((await call).data))
        finally:
            # A no-op on a call that has ended; without it a task that was not suspended in grpc leaves the RPC running.
            call.cancel()

    def _open(self, streaming: bool) -> Any:
        make = self._channel.unary_stream if streaming else self._channel.unary_unary
        method = make(
            SERVER_STREAM if streaming else UNARY,
            request_serializer=SlowRequest.SerializeToString,
            response_deserializer=Chunk.FromString,
        )
        plan = self.plan
        request = SlowRequest(
            delay=plan.delay, chunks=plan.chunks, size=plan.size, interval=plan.interval, behaviour=plan.behaviour
        )
        self._opened = self.bench.sink.clock.now()
        self.open_client(method_name(streaming))
        self.open_resource("HTTP/2 stream")
        return method(
            request,
            timeout=self.timeout("deadline"),
            metadata=((RUN_HEADER, str(self.run)), (LANE_HEADER, plan.lane)),
            wait_for_ready=False,
        )

    async def _read_stream(self, call: Any) -> None:
        while (chunk := await call.read()) is not grpc.aio.EOF:
            self.received(len(chunk.data))
            self.armed(f"chunk {self._read} read")
        code = await call.code()
        if code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(code, await call.initial_metadata(), await call.trailing_metadata())

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        deadline = self.timeout("deadline")
        if deadline is None or self._opened is None or not isinstance(error, grpc.aio.AioRpcError):
            return None
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            return None
        return "gRPC deadline", due(self._opened, deadline)

    def words(self, error: BaseException) -> str:
        # The text of an AioRpcError has many lines, and the first says nothing.
        if isinstance(error, grpc.aio.AioRpcError):
            return f"{error.code().name} {error.details() or ''}".strip()[:120]
        return super().words(error)

    async def released(self) -> str | None:
        evidence = await self.exchange_gone()
        kept = self.bench.ledger.connections()
        return f"{evidence}; connection {'kept' if kept else 'closed'}"

    def held(self) -> dict[str, int]:
        return {"streams": int(self.holds_stream)}


def method_name(streaming: bool) -> str:
    return (SERVER_STREAM if streaming else UNARY).lstrip("/")
