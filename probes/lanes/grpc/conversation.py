"""What the caller does with its call, shape by shape: write, read, and say when the call is where the plan wants it.

A caller is suspended in one of grpc's awaits whenever it waits, because only there ``task.cancel()`` is a cancel of the
RPC. So nothing here sleeps: the pace is the server's, by its pauses and by flow control.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from probes.events import LanePlan
from probes.middleware import Chain
from probes.schema import BIDI, CLIENT_STREAM, SERVER_STREAM, UNARY, SlowRequest

FIRST_RESPONSE, MID_STREAM, LAST_CHUNK = "first response", "mid-stream", "after the last chunk"


class Side(Protocol):
    """The caller's lane, as its conversation sees it."""

    plan: LanePlan
    chain: Chain

    @property
    def leaves(self) -> bool:
        """Whether the loop over the chunks is to be left now, by ``break``."""

    async def at_server(self) -> None:
        """The request is sent: the phase is reached when the server has it."""

    async def reached(self, evidence: str) -> None:
        """The phase is reached, by this evidence."""

    def received(self, size: int, n: int = 1) -> None: ...


class Shape(NamedTuple):
    """``make``: the channel's method that makes a call of this shape; ``sends``: one request goes out with the call."""

    make: str
    method: str
    sends: bool
    converse: Callable[[Side, Any], Awaitable[None]]


def request(plan: LanePlan, **fields: Any) -> Any:
    """What the server is asked for. ``delay`` is how long the phase lasts, be it before the first chunk or after the
    last one."""
    lingers = plan.phase == LAST_CHUNK and plan.shape != "client stream"
    return SlowRequest(
        delay=0.0 if lingers else plan.delay,
        linger=plan.delay if lingers else 0.0,
        chunks=plan.chunks,
        size=plan.size,
        interval=plan.interval,
        behaviour=plan.behaviour,
        **fields,
    )


async def _unary(side: Side, call: Any) -> None:
    await side.at_server()
    await _single(side, lambda: call)


async def _single(side: Side, step: Callable[[], Awaitable[Any]]) -> None:
    """Await the one response of ``step`` through the links. An answer of a link's own is none that came."""
    response = await side.chain.around(step, lambda: None)
    if response is not None:
        side.received(len(response.data))


async def _server_stream(side: Side, call: Any) -> None:
    await side.at_server()
    if side.plan.cause == "break":
        await _left_loop(side, call)
    else:
        await _read(side, _chunks(call))


async def _chunks(call: Any) -> AsyncIterator[Any]:
    while (chunk := await call.read()) is not grpc.aio.EOF:
        yield chunk
    await _check_status(call)


async def _read(side: Side, chunks: AsyncIterator[Any]) -> None:
    """Take ``chunks`` through the links that stand between caller and client."""
    read = 0
    async for chunk in side.chain.stream(chunks):
        side.received(len(chunk.data))
        read += 1
        await _chunk_done(side, read, "read")


async def _left_loop(side: Side, call: Any) -> None:
    read = 0
    async for chunk in call:
        side.received(len(chunk.data))
        read += 1
        await _chunk_done(side, read, "read")
        if side.leaves:
            break


async def _client_stream(side: Side, call: Any) -> None:
    await _single(side, lambda: _upload(side, call))


async def _upload(side: Side, call: Any) -> Any:
    plan = side.plan
    # To wait for the response there must be nothing left to write.
    chunks = 1 if plan.phase == FIRST_RESPONSE else plan.chunks
    for number in range(1, chunks + 1):
        await call.write(request(plan, data=b"x" * plan.size, end=number == chunks))
        if number < chunks:
            await _chunk_done(side, number, "written")
    await call.done_writing()
    await _chunk_done(side, chunks, "written")
    await side.at_server()
    return await call


async def _bidi(side: Side, call: Any) -> None:
    await _read(side, _answers(side, call))


async def _answers(side: Side, call: Any) -> AsyncIterator[Any]:
    plan = side.plan
    for number in range(1, plan.chunks + 1):
        await call.write(request(plan, end=number == plan.chunks))
        if number == 1:
            await side.at_server()
        chunk = await call.read()
        if chunk is grpc.aio.EOF:
            break
        yield chunk
    await call.done_writing()
    while await call.read() is not grpc.aio.EOF:
        continue
    await _check_status(call)


async def _chunk_done(side: Side, number: int, done: str) -> None:
    plan = side.plan
    if plan.phase == MID_STREAM and number >= plan.after:
        await side.reached(f"chunk {number} {done}")
    elif plan.phase == LAST_CHUNK and number == plan.chunks:
        await side.reached(f"all {number} chunks {done}, no status yet")


async def _check_status(call: Any) -> None:
    """Raises AioRpcError where the stream was ended by another status than OK."""
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        metadata = await call.initial_metadata(), await call.trailing_metadata()
        raise grpc.aio.AioRpcError(code, *metadata, details=await call.details())


SHAPES: dict[str, Shape] = {
    "unary": Shape("unary_unary", UNARY, True, _unary),
    "server stream": Shape("unary_stream", SERVER_STREAM, True, _server_stream),
    "client stream": Shape("stream_unary", CLIENT_STREAM, False, _client_stream),
    "bidi": Shape("stream_stream", BIDI, False, _bidi),
}


def shape_of(plan: LanePlan) -> Shape:
    """A plan that names none is a server stream's."""
    return SHAPES[plan.shape or "server stream"]
