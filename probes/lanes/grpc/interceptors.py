"""The links of a lane's middleware as client interceptors of grpc.aio, one class for each arity, as users write theirs.

What an interceptor can do differs with the arity (grpcio 1.85, measured):

* One response: everything is awaited inside the interceptor, which runs in a task of grpc's. A cancel of the caller
  reaches it there, and what it returns is the answer, whatever became of the call.
* A stream of responses: the interceptor has returned before the first of them comes. It can only hand out an iterator
  of its own, and the caller's Call goes round that: its ``cancel()``, which every caller should have in a finally, ends
  the RPC. So a link that shields hands out a Call of its own (``_Kept``).
* A stream of requests: they come from an iterator. A caller that writes waits in a queue of grpc's, where no
  interceptor hears of its cancel; and one whose interceptor awaits the response inside waits for ever, and is told of
  its cancel by InvalidStateError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from probes.middleware import Link


class _Linked:
    """What the interceptors of all arities do with their link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def _onward(self, details: Any) -> Any:
        return details._replace(timeout=self._link.budget(details.timeout))

    async def _answer(self, continuation: Any, details: Any, requests: Any) -> Any:
        async def step() -> Any:
            return await (await continuation(self._onward(details), requests))

        return await self._link.around(step, lambda: None)

    async def _chunks(self, continuation: Any, details: Any, requests: Any) -> Any:
        call = await continuation(self._onward(details), requests)
        chunks = self._link.stream(aiter(call))
        return _Kept(call, chunks, self._link.leave) if self._link.detaches else chunks


class UnaryUnary(_Linked, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._answer(continuation, client_call_details, request)


class UnaryStream(_Linked, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._chunks(continuation, client_call_details, request)


class StreamUnary(_Linked, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[misc]
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return _Answered(await self._answer(continuation, client_call_details, request_iterator))


class StreamStream(_Linked, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await self._chunks(continuation, client_call_details, request_iterator)


_BY_ARITY: dict[str, type[_Linked]] = {
    "unary_unary": UnaryUnary,
    "unary_stream": UnaryStream,
    "stream_unary": StreamUnary,
    "stream_stream": StreamStream,
}


def interceptors(arity: str, links: list[Link]) -> list[_Linked]:
    """For a channel whose calls are of this ``arity`` (the name of the channel's method). The first is the outermost.

    One object can be the interceptor of one arity only: a channel puts each under the first kind that it is of."""
    return [_BY_ARITY[arity](link) for link in links]


class _Answered:
    """A call that is over, with its response. For one response to one request grpc.aio makes its own."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self._response

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return True


class _Kept(grpc.aio.UnaryStreamCall, grpc.aio.StreamStreamCall):  # type: ignore[misc]
    """A call that its holder cannot end: a cancel ends the reading, and ``leave`` says so to whoever reads."""

    def __init__(self, call: Any, chunks: AsyncIterator[Any], leave: Callable[[], None]) -> None:
        self._inside, self._chunks, self._leave = call, chunks, leave

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._chunks

    async def read(self) -> Any:
        return await anext(self._chunks, grpc.aio.EOF)

    def cancel(self) -> bool:
        self._leave()
        return True

    def cancelled(self) -> bool:
        return bool(self._inside.cancelled())

    def done(self) -> bool:
        return bool(self._inside.done())

    def add_done_callback(self, callback: Any) -> None:
        self._inside.add_done_callback(callback)

    def time_remaining(self) -> float | None:
        seconds: float | None = self._inside.time_remaining()
        return seconds

    async def write(self, request: Any) -> None:
        await self._inside.write(request)

    async def done_writing(self) -> None:
        await self._inside.done_writing()

    async def wait_for_connection(self) -> None:
        await self._inside.wait_for_connection()

    async def initial_metadata(self) -> Any:
        return await self._inside.initial_metadata()

    async def trailing_metadata(self) -> Any:
        return await self._inside.trailing_metadata()

    async def code(self) -> Any:
        return await self._inside.code()

    async def details(self) -> Any:
        return await self._inside.details()
