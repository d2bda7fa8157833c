"""What the caller does with its call, shape by shape: write, read, and say when the call is where the plan wants it.

A caller is suspended in one of grpc's awaits whenever it waits, because only there ``task.cancel()`` is a cancel of the
RPC. So nothing here sleeps: the pace is the server's, by its pauses and by flow control.

Behind interceptors a caller is another one (``probes.lanes.grpc.interceptors``): it hands its requests over in an
iterator, and reads in a loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio

from probes.catalogue import BREAK
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
    """``make``: the channel's method that makes a call of this shape; ``requests``: those of a caller behind
    interceptors, where there are many: of another one a single request goes out with the call, or it writes them."""

    make: str
    method: str
    converse: Callable[[Side, Any], Awaitable[None]]
    requests: Callable[[Side], AsyncIterator[Any]] | None = None

    def goes_out(self, side: Side) -> list[Any]:
        """What the call is made with."""
        if self.requests is None:
            return [request(side.plan)]
        return [self.requests(side)] if side.chain else []


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
    await _single(side, call)


async def _single(side: Side, answer: Awaitable[Any]) -> None:
    """Await the one response. An answer of a link's own is none that came."""
    response = await answer
    if response is not None:
        side.received(len(response.data))


async def _server_stream(side: Side, call: Any) -> None:
    await side.at_server()
    if side.plan.cause == BREAK:
        await _left_loop(side, call)
    else:
        await _read(side, call if side.chain else _chunks(call))


async def _chunks(call: Any) -> AsyncIterator[Any]:
    while (chunk := await call.read()) is not grpc.aio.EOF:
        yield chunk
    await _check_status(call)


async def _read(side: Side, chunks: AsyncIterator[Any]) -> None:
    read = 0
    async for chunk in chunks:
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
    await _single(side, call if side.chain else _upload(side, call))


async def _upload(side: Side, call: Any) -> Any:
    chunks = _uploaded(side.plan)
    for number in range(1, chunks + 1):
        await call.write(_part(side.plan, number))
        if number < chunks:
            await _chunk_done(side, number, "written")
    await call.done_writing()
    await _chunk_done(side, chunks, "written")
    await side.at_server()
    return await call


def _uploaded(plan: LanePlan) -> int:
    # To wait for the response there must be nothing left to write.
    return 1 if plan.phase == FIRST_RESPONSE else plan.chunks


def _part(plan: LanePlan, number: int) -> Any:
    return request(plan, data=b"x" * plan.size, end=number == _uploaded(plan))


async def _parts(side: Side) -> AsyncIterator[Any]:
    for number in range(1, _uploaded(side.plan) + 1):
        yield _part(side.plan, number)
        # grpc asks for the next one when it has written this one.
        await _chunk_done(side, number, "written")
    await side.at_server()


async def _questions(side: Side) -> AsyncIterator[Any]:
    for number in range(1, side.plan.chunks + 1):
        yield request(side.plan, end=number == side.plan.chunks)
        if number == 1:
            await side.at_server()


async def _bidi(side: Side, call: Any) -> None:
    await _read(side, call if side.chain else _answers(side, call))


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
    "unary": Shape("unary_unary", UNARY, _unary),
    "server stream": Shape("unary_stream", SERVER_STREAM, _server_stream),
    "client stream": Shape("stream_unary", CLIENT_STREAM, _client_stream, _parts),
    "bidi": Shape("stream_stream", BIDI, _bidi, _questions),
}


def shape_of(plan: LanePlan) -> Shape:
    """A plan that names none is a server stream's."""
    return SHAPES[plan.shape or "server stream"]
